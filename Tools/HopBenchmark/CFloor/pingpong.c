#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "cfloor.h"
#include "common.h"

struct cf_caller {
    void *context, *socket;
    int is_router;
    size_t peer_length;
    char peer[256];
    char endpoint[256];
    int has_echo;
    pthread_t echo;
};

static int set_int(void *socket, int option, int value) {
    return zmq_setsockopt(socket, option, &value, sizeof value);
}

// Without a high-water mark above it, a window would measure the mark.
static void *open_socket(void *context, int type) {
    void *socket = zmq_socket(context, type);
    if (socket == NULL) return NULL;
    set_int(socket, ZMQ_LINGER, 0);
    set_int(socket, ZMQ_SNDHWM, 100000);
    set_int(socket, ZMQ_RCVHWM, 100000);
    if (type == ZMQ_ROUTER) set_int(socket, ZMQ_ROUTER_MANDATORY, 1);
    return socket;
}

int cf_serve_curve(void *socket, const char *secret) {
    if (secret == NULL) return 0;
    int failed = set_int(socket, ZMQ_CURVE_SERVER, 1) != 0
                 || zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret, 40) != 0;
    return failed ? cf_fail_zmq("set CURVE keys") : 0;
}

int cf_use_curve(void *socket, const char *server_public, const char *own_public, const char *own_secret) {
    if (server_public == NULL) return 0;
    int failed = zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_public, 40) != 0
                 || zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own_public, 40) != 0
                 || zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own_secret, 40) != 0;
    return failed ? cf_fail_zmq("set CURVE keys") : 0;
}

static int await(void *socket, int milliseconds) {
    zmq_pollitem_t item = {socket, 0, ZMQ_POLLIN, 0};
    int ready;
    do ready = zmq_poll(&item, 1, milliseconds);
    while (ready < 0 && zmq_errno() == EINTR);
    if (ready == 0) {
        errno = ETIMEDOUT;
        return cf_fail("wait for the other side");
    }
    return ready < 0 ? cf_fail_zmq("zmq_poll") : 0;
}

static cf_caller *give_up(cf_caller *caller, const char *what) {
    cf_fail_zmq(what);
    cf_caller_close(caller);
    return NULL;
}

static cf_caller *make_caller(int type) {
    cf_caller *caller = calloc(1, sizeof *caller);
    if (caller == NULL) return NULL;
    caller->is_router = type == ZMQ_ROUTER;
    caller->context = zmq_ctx_new();
    if (caller->context != NULL) caller->socket = open_socket(caller->context, type);
    return caller->socket == NULL ? give_up(caller, "zmq_socket") : caller;
}

cf_caller *cf_caller_bind(const char *endpoint, const char *secret) {
    cf_caller *caller = make_caller(ZMQ_ROUTER);
    if (caller == NULL) return NULL;
    if (cf_serve_curve(caller->socket, secret) != 0) return give_up(caller, "set CURVE keys");
    if (zmq_bind(caller->socket, endpoint) != 0) return give_up(caller, "zmq_bind");
    size_t room = sizeof caller->endpoint;
    if (zmq_getsockopt(caller->socket, ZMQ_LAST_ENDPOINT, caller->endpoint, &room) != 0) {
        return give_up(caller, "read the bound address");
    }
    return caller;
}

cf_caller *cf_caller_connect(const char *endpoint, const char *public_key, const char *secret_key) {
    cf_caller *caller = make_caller(ZMQ_DEALER);
    if (caller == NULL) return NULL;
    if (cf_use_curve(caller->socket, public_key, public_key, secret_key) != 0) {
        return give_up(caller, "set CURVE keys");
    }
    if (zmq_connect(caller->socket, endpoint) != 0) return give_up(caller, "zmq_connect");
    strncpy(caller->endpoint, endpoint, sizeof caller->endpoint - 1);
    return caller;
}

const char *cf_caller_endpoint(const cf_caller *caller) { return caller->endpoint; }

// Requests begin with the length of their answer; nothing at all ends the answering side.
static int answer(void *socket) {
    char ready = 'r';
    if (zmq_send(socket, &ready, 1, 0) < 0) return cf_fail_zmq("zmq_send");
    zmq_msg_t request, reply;
    zmq_msg_init(&request);
    while (1) {
        if (await(socket, -1) != 0) return -1;
        if (zmq_msg_recv(&request, socket, 0) < 0) return cf_fail_zmq("zmq_msg_recv");
        size_t got = zmq_msg_size(&request);
        if (got == 0) break;
        uint64_t length = 0;
        if (got >= sizeof length) memcpy(&length, zmq_msg_data(&request), sizeof length);
        if (zmq_msg_init_size(&reply, length) != 0) return cf_fail_zmq("zmq_msg_init_size");
        memcpy(zmq_msg_data(&reply), zmq_msg_data(&request), got < length ? got : length);
        if (zmq_msg_send(&reply, socket, 0) < 0) return cf_fail_zmq("zmq_msg_send");
    }
    zmq_msg_close(&request);
    return 0;
}

static int echo_in(
    void *context, const char *endpoint, const char *server_public, const char *own_public, const char *own_secret) {
    void *socket = open_socket(context, ZMQ_DEALER);
    if (socket == NULL) return cf_fail_zmq("zmq_socket");
    int result = cf_use_curve(socket, server_public, own_public, own_secret);
    if (result != 0) {
        // Said already.
    } else if (zmq_connect(socket, endpoint) != 0) {
        result = cf_fail_zmq("zmq_connect");
    } else {
        result = answer(socket);
    }
    zmq_close(socket);
    return result;
}

int cf_echo(const char *endpoint, const char *server_public, const char *own_public, const char *own_secret) {
    void *context = zmq_ctx_new();
    if (context == NULL) return cf_fail_zmq("zmq_ctx_new");
    int result = echo_in(context, endpoint, server_public, own_public, own_secret);
    zmq_ctx_term(context);
    return result;
}

static void *echo_thread(void *argument) {
    cf_caller *caller = argument;
    echo_in(caller->context, caller->endpoint, NULL, NULL, NULL);
    return NULL;
}

int cf_caller_start_echo(cf_caller *caller) {
    int code = pthread_create(&caller->echo, NULL, echo_thread, caller);
    if (code != 0) {
        errno = code;
        return cf_fail("pthread_create");
    }
    caller->has_echo = 1;
    return 0;
}

static int send_request(cf_caller *caller, const void *bytes, size_t length) {
    if (caller->is_router && zmq_send(caller->socket, caller->peer, caller->peer_length, ZMQ_SNDMORE) < 0) {
        return cf_fail_zmq("zmq_send");
    }
    return zmq_send(caller->socket, bytes, length, 0) < 0 ? cf_fail_zmq("zmq_send") : 0;
}

static int take_answer(cf_caller *caller, zmq_msg_t *reply) {
    if (await(caller->socket, 30000) != 0) return -1;
    if (caller->is_router && zmq_msg_recv(reply, caller->socket, 0) < 0) return cf_fail_zmq("zmq_msg_recv");
    return zmq_msg_recv(reply, caller->socket, 0) < 0 ? cf_fail_zmq("zmq_msg_recv") : 0;
}

int cf_caller_wait(cf_caller *caller, int milliseconds) {
    if (!caller->is_router) {
        // Connected or not, a DEALER keeps the request until the other end is there.
        uint64_t request[1] = {8};
        zmq_msg_t reply;
        zmq_msg_init(&reply);
        if (send_request(caller, request, sizeof request) != 0 || await(caller->socket, milliseconds) != 0) return -1;
        int result = take_answer(caller, &reply);
        zmq_msg_close(&reply);
        return result;
    }
    if (await(caller->socket, milliseconds) != 0) return -1;
    int length = zmq_recv(caller->socket, caller->peer, sizeof caller->peer, 0);
    char ready;
    if (length < 0 || zmq_recv(caller->socket, &ready, 1, 0) < 0) return cf_fail_zmq("zmq_recv");
    caller->peer_length = (size_t)length;
    return 0;
}

int cf_caller_run(cf_caller *caller, const cf_round *round, uint64_t *samples, cf_outcome *outcome) {
    uint32_t window = round->window == 0 ? 1 : round->window;
    uint32_t total = round->warmup + round->count;
    if (window > total) window = total;
    uint64_t *sent = calloc(window, sizeof *sent);
    uint64_t *request = calloc(1, round->down);
    if (sent == NULL || request == NULL || round->down < 8) {
        errno = EINVAL;
        free(sent);
        free(request);
        return cf_fail("a round");
    }
    request[0] = round->up;
    zmq_msg_t reply;
    zmq_msg_init(&reply);
    int result = 0;
    uint32_t begun = 0;
    uint64_t started = 0, now = 0;
    for (uint32_t ended = 0; ended < total && result == 0; ended++) {
        // Answers come in the order of their requests: a ring of send times is enough.
        while (begun < total && begun - ended < window && result == 0) {
            cf_pause(round->pause_us);
            sent[begun % window] = cf_now();
            if (begun == round->warmup) started = sent[begun % window];
            result = send_request(caller, request, round->down);
            begun++;
        }
        if (result == 0) result = take_answer(caller, &reply);
        now = cf_now();
        if (result == 0 && zmq_msg_size(&reply) != round->up) {
            errno = EBADMSG;
            result = cf_fail("an answer's length");
        }
        if (ended >= round->warmup && samples != NULL) samples[ended - round->warmup] = now - sent[ended % window];
    }
    outcome->elapsed_ns = now - started;
    zmq_msg_close(&reply);
    free(sent);
    free(request);
    return result;
}

void cf_caller_close(cf_caller *caller) {
    if (caller == NULL) return;
    if (caller->socket != NULL) {
        if (caller->has_echo) {
            send_request(caller, "", 0);
            pthread_join(caller->echo, NULL);
        }
        zmq_close(caller->socket);
    }
    if (caller->context != NULL) zmq_ctx_term(caller->context);
    free(caller);
}
