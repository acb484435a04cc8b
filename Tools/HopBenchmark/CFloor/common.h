#ifndef TOKENFACTORY_CFLOOR_COMMON_H
#define TOKENFACTORY_CFLOOR_COMMON_H

#include <errno.h>
#include <stdint.h>
#include <time.h>

// Keeps a text for cf_error(); returns -1.
int cf_fail(const char *what);
int cf_fail_zmq(const char *what);

// CURVE on a socket, before it binds or connects; keys in Z85. Nothing happens where the first key is NULL.
int cf_serve_curve(void *socket, const char *secret);
int cf_use_curve(void *socket, const char *server_public, const char *own_public, const char *own_secret);

static inline uint64_t cf_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static inline void cf_pause(uint32_t microseconds) {
    if (microseconds == 0) return;
    struct timespec time = {microseconds / 1000000, (long)(microseconds % 1000000) * 1000};
    while (nanosleep(&time, &time) != 0 && errno == EINTR) {}
}

#endif
