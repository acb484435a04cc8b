#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "cfloor.h"
#include "common.h"

// A peer's routing id, learnt from what it sends.
struct peer {
    size_t length;
    char id[256];
};

static int take(void *socket, struct peer *peer, zmq_msg_t *message) {
    if (peer != NULL) {
        int length = zmq_recv(socket, peer->id, sizeof peer->id, 0);
        if (length < 0) return cf_fail_zmq("zmq_recv");
        peer->length = (size_t)length;
    }
    return zmq_msg_recv(message, socket, 0) < 0 ? cf_fail_zmq("zmq_msg_recv") : 0;
}

static int give(void *socket, const struct peer *peer, zmq_msg_t *message) {
    if (peer != NULL && zmq_send(socket, peer->id, peer->length, ZMQ_SNDMORE) < 0) return cf_fail_zmq("zmq_send");
    return zmq_msg_send(message, socket, 0) < 0 ? cf_fail_zmq("zmq_msg_send") : 0;
}

static int bind_any(void *socket, char *endpoint, size_t room) {
    int zero = 0;
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    if (zmq_bind(socket, "tcp://127.0.0.1:*") != 0) return cf_fail_zmq("zmq_bind");
    if (zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, endpoint, &room) != 0) return cf_fail_zmq("the bound address");
    return 0;
}

int cf_relay(
    const char *upper, const char *public_key, const char *secret_key, void (*ready)(const char *bound)) {
    void *context = zmq_ctx_new();
    void *above = zmq_socket(context, upper == NULL ? ZMQ_ROUTER : ZMQ_DEALER);
    void *below = zmq_socket(context, ZMQ_ROUTER);
    if (above == NULL || below == NULL) return cf_fail_zmq("zmq_socket");
    if (cf_serve_curve(below, secret_key) != 0) return -1;
    if (upper == NULL ? cf_serve_curve(above, secret_key) != 0
                      : cf_use_curve(above, public_key, public_key, secret_key) != 0) {
        return -1;
    }
    char low[256], high[256] = "", bound[520];
    if (bind_any(below, low, sizeof low) != 0) return -1;
    if (upper == NULL) {
        if (bind_any(above, high, sizeof high) != 0) return -1;
    } else if (zmq_connect(above, upper) != 0) {
        return cf_fail_zmq("zmq_connect");
    }
    snprintf(bound, sizeof bound, "%s%s%s", high, upper == NULL ? " " : "", low);
    ready(bound);

    struct peer client = {0}, station = {0};
    struct peer *from_above = upper == NULL ? &client : NULL;
    zmq_msg_t message;
    zmq_msg_init(&message);
    // Who answers says first that it is there, so that the way down is known before anything goes down it.
    if (take(below, &station, &message) != 0) return -1;
    if (upper != NULL && give(above, NULL, &message) != 0) return -1;
    zmq_pollitem_t items[2] = {{above, 0, ZMQ_POLLIN, 0}, {below, 0, ZMQ_POLLIN, 0}};
    while (1) {
        if (zmq_poll(items, 2, -1) < 0) {
            if (zmq_errno() == EINTR) continue;
            return cf_fail_zmq("zmq_poll");
        }
        if (items[0].revents & ZMQ_POLLIN) {
            if (take(above, from_above, &message) != 0 || give(below, &station, &message) != 0) return -1;
        }
        if (items[1].revents & ZMQ_POLLIN) {
            if (take(below, &station, &message) != 0 || give(above, from_above, &message) != 0) return -1;
        }
    }
}
