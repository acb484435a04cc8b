#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "cfloor.h"
#include "common.h"

int cf_http_connect(const char *host, uint16_t port) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    if (inet_pton(AF_INET, host, &address.sin_addr) != 1) {
        errno = EINVAL;
        return cf_fail("an IPv4 address");
    }
    int descriptor = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    if (descriptor < 0) return cf_fail("socket");
    struct timeval patience = {30, 0};
    setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(descriptor, (struct sockaddr *)&address, sizeof address) != 0) {
        close(descriptor);
        return cf_fail("connect");
    }
    return descriptor;
}

void cf_http_close(int descriptor) { close(descriptor); }

// Whether a whole response stands in `text`: by its content length, or by the last chunk.
static int is_whole(const char *text, size_t length) {
    const char *end = memmem(text, length, "\r\n\r\n", 4);
    if (end == NULL) return 0;
    size_t head = (size_t)(end + 4 - text);
    const char *field = strcasestr(text, "\r\ncontent-length:");
    if (field != NULL && field < end) return length >= head + strtoull(field + 17, NULL, 10);
    return length >= head + 5 && memcmp(text + length - 5, "0\r\n\r\n", 5) == 0;
}

int cf_http_exchange(int descriptor, const char *request, size_t length, char *body, size_t room) {
    static _Thread_local char text[1 << 18];
    for (size_t sent = 0; sent < length;) {
        ssize_t count = send(descriptor, request + sent, length - sent, MSG_NOSIGNAL);
        if (count <= 0) return cf_fail("send");
        sent += (size_t)count;
    }
    size_t got = 0;
    do {
        ssize_t count = recv(descriptor, text + got, sizeof text - 1 - got, 0);
        if (count == 0) errno = ECONNRESET;
        if (count <= 0) return cf_fail("receive");
        got += (size_t)count;
        text[got] = 0;
        if (got == sizeof text - 1) {
            errno = EMSGSIZE;
            return cf_fail("response");
        }
    } while (!is_whole(text, got));
    int is_ok = got > 12 && memcmp(text + 8, " 200", 4) == 0;
    if (body != NULL && room > 0) {
        const char *start = is_ok ? (const char *)memmem(text, got, "\r\n\r\n", 4) + 4 : text;
        size_t count = got - (size_t)(start - text);
        if (count > room - 1) count = room - 1;
        memcpy(body, start, count);
        body[count] = 0;
    }
    if (is_ok) return 0;
    errno = EPROTO;
    return cf_fail("status is not 200");
}

int cf_http_run(
    int descriptor, const char *request, size_t length, uint32_t warmup, uint32_t count, uint32_t pause_us,
    uint64_t *samples) {
    for (uint32_t i = 0; i < warmup + count; i++) {
        cf_pause(pause_us);
        uint64_t began = cf_now();
        if (cf_http_exchange(descriptor, request, length, NULL, 0) != 0) return -1;
        if (i >= warmup) samples[i - warmup] = cf_now() - began;
    }
    return 0;
}
