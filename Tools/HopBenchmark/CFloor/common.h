#ifndef TOKENFACTORY_CFLOOR_COMMON_H
#define TOKENFACTORY_CFLOOR_COMMON_H

#include <errno.h>
#include <stdint.h>
#include <time.h>

// Keeps a text for cf_error(); returns -1.
int cf_fail(const char *what);
int cf_fail_zmq(const char *what);

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
