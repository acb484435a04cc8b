#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cfloor.h"
#include "common.h"

enum { most_ways = 64 };

// Bytes that wait for their time.
struct chunk {
    struct chunk *next;
    uint64_t due;
    size_t length, given;
    char bytes[65536];
};

// One direction of one connection.
struct way {
    int from, to;
    struct chunk *first, **last;
};

static struct way ways[most_ways];
static int way_count;

static int connect_to(const char *host, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        return cf_fail("an IPv4 address");
    }
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (descriptor < 0) return cf_fail("socket");
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        close(descriptor);
        return cf_fail("connect");
    }
    return descriptor;
}

static void add_way(int from, int to) {
    ways[way_count] = (struct way){from, to, NULL, NULL};
    ways[way_count].last = &ways[way_count].first;
    way_count++;
}

static void accept_one(int listener, const char *host, uint16_t port) {
    int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC), on = 1;
    if (client < 0) return;
    int server = way_count + 2 > most_ways ? -1 : connect_to(host, port);
    if (server < 0) {
        close(client);
        return;
    }
    setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    add_way(client, server);
    add_way(server, client);
}

// Both directions stand beside one another.
static void end_connection(int index) {
    index &= ~1;
    close(ways[index].from);
    close(ways[index].to);
    for (int i = index; i < index + 2; i++) {
        for (struct chunk *chunk = ways[i].first; chunk != NULL;) {
            struct chunk *next = chunk->next;
            free(chunk);
            chunk = next;
        }
    }
    way_count -= 2;
    for (int i = index; i < way_count; i++) {
        ways[i] = ways[i + 2];
        if (ways[i].first == NULL) ways[i].last = &ways[i].first;
    }
}

static int take_chunk(struct way *way, uint64_t delay) {
    struct chunk *chunk = malloc(sizeof *chunk);
    if (chunk == NULL) return -1;
    ssize_t length = recv(way->from, chunk->bytes, sizeof chunk->bytes, MSG_DONTWAIT);
    if (length <= 0) {
        int again = length < 0 && (errno == EAGAIN || errno == EINTR);
        free(chunk);
        return again ? 0 : -1;
    }
    chunk->next = NULL;
    chunk->due = cf_now() + delay;
    chunk->length = (size_t)length;
    chunk->given = 0;
    *way->last = chunk;
    way->last = &chunk->next;
    return 0;
}

static int give_due(struct way *way) {
    while (way->first != NULL && way->first->due <= cf_now()) {
        struct chunk *chunk = way->first;
        ssize_t length = send(way->to, chunk->bytes + chunk->given, chunk->length - chunk->given, MSG_NOSIGNAL);
        if (length < 0) return -1;
        chunk->given += (size_t)length;
        if (chunk->given < chunk->length) continue;
        way->first = chunk->next;
        if (way->first == NULL) way->last = &way->first;
        free(chunk);
    }
    return 0;
}

static int listen_any(uint16_t *port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, length) != 0 || listen(listener, 16) != 0
        || getsockname(listener, (struct sockaddr *)&address, &length) != 0) {
        return cf_fail("listen");
    }
    *port = ntohs(address.sin_port);
    return listener;
}

// Reads what standard input has; false at its end.
static int take_orders(uint64_t *delay) {
    static char line[64];
    static size_t used;
    ssize_t length = read(STDIN_FILENO, line + used, sizeof line - 1 - used);
    if (length <= 0) return length < 0 && errno == EINTR;
    used += (size_t)length;
    line[used] = 0;
    char *end;
    while ((end = strchr(line, '\n')) != NULL) {
        *delay = strtoull(line, NULL, 10) * 1000;
        printf("%.*s\n", (int)(end - line), line);
        fflush(stdout);
        used -= (size_t)(end + 1 - line);
        memmove(line, end + 1, used + 1);
    }
    if (used == sizeof line - 1) used = 0;
    return 1;
}

int cf_proxy(const char *host, uint16_t port, void (*ready)(uint16_t port)) {
    uint16_t own = 0;
    int listener = listen_any(&own);
    if (listener < 0) return -1;
    // The kernel's usual slack of 50 µs would be part of every delay.
    prctl(PR_SET_TIMERSLACK, 1);
    ready(own);
    uint64_t delay = 0;
    while (1) {
        struct pollfd items[2 + most_ways] = {{STDIN_FILENO, POLLIN, 0}, {listener, POLLIN, 0}};
        uint64_t now = cf_now(), due = UINT64_MAX;
        for (int i = 0; i < way_count; i++) {
            items[2 + i] = (struct pollfd){ways[i].from, POLLIN, 0};
            if (ways[i].first != NULL && ways[i].first->due < due) due = ways[i].first->due;
        }
        uint64_t left = due <= now ? 0 : due - now;
        struct timespec timeout = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
        int count = way_count;
        int polled = ppoll(items, (nfds_t)(2 + count), due == UINT64_MAX ? NULL : &timeout, NULL);
        if (polled < 0 && errno != EINTR) return cf_fail("ppoll");
        int ended = -1;
        for (int i = 0; i < count; i++) {
            if (polled > 0 && items[2 + i].revents != 0 && take_chunk(&ways[i], delay) != 0) ended = i;
            if (give_due(&ways[i]) != 0) ended = i;
        }
        if (ended >= 0) end_connection(ended);
        if (polled > 0 && items[1].revents != 0) accept_one(listener, host, port);
        if (polled > 0 && items[0].revents != 0 && !take_orders(&delay)) return 0;
    }
}
