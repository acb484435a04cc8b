#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cfloor.h"
#include "common.h"

struct pair {
    int there, back;
};

// Ends at a count of more than one, which only the measuring side's farewell makes.
static void *answer(void *argument) {
    struct pair *pair = argument;
    uint64_t value, one = 1;
    while (read(pair->there, &value, sizeof value) == sizeof value && value == 1) {
        if (write(pair->back, &one, sizeof one) != sizeof one) break;
    }
    return NULL;
}

int cf_wakeup(uint32_t warmup, uint32_t count, uint32_t pause_us, uint64_t *samples) {
    struct pair pair = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};
    if (pair.there < 0 || pair.back < 0) return cf_fail("eventfd");
    pthread_t thread;
    int code = pthread_create(&thread, NULL, answer, &pair);
    if (code != 0) {
        errno = code;
        return cf_fail("pthread_create");
    }
    int result = 0;
    uint64_t value, one = 1, two = 2;
    for (uint32_t i = 0; i < warmup + count; i++) {
        cf_pause(pause_us);
        uint64_t began = cf_now();
        if (write(pair.there, &one, sizeof one) != sizeof one || read(pair.back, &value, sizeof value) != sizeof value) {
            result = cf_fail("eventfd ping-pong");
            break;
        }
        if (i >= warmup) samples[i - warmup] = cf_now() - began;
    }
    if (write(pair.there, &two, sizeof two) == sizeof two) pthread_join(thread, NULL);
    close(pair.there);
    close(pair.back);
    return result;
}
