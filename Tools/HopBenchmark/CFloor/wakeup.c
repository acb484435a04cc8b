#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "cfloor.h"
#include "common.h"

struct pair {
    int there, back;
    uint32_t warmup, count, pause_us;
    uint64_t *samples;
    int result;
    int code;
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

static void *ask(void *argument) {
    struct pair *pair = argument;
    uint64_t value, one = 1, two = 2;
    for (uint32_t i = 0; i < pair->warmup + pair->count; i++) {
        cf_pause(pair->pause_us);
        uint64_t began = cf_now();
        if (write(pair->there, &one, sizeof one) != sizeof one
            || read(pair->back, &value, sizeof value) != sizeof value) {
            pair->result = -1;
            pair->code = errno;
            break;
        }
        if (i >= pair->warmup) pair->samples[i - pair->warmup] = cf_now() - began;
    }
    if (write(pair->there, &two, sizeof two) != sizeof two) pair->result = -1;
    return NULL;
}

// Says on which core a thread runs: left alone, two share one now and then, and a floor would be either of two numbers.
static void part(pthread_attr_t *attributes, int index) {
    cpu_set_t allowed, one;
    if (sched_getaffinity(0, sizeof allowed, &allowed) != 0 || CPU_COUNT(&allowed) < 2) return;
    for (int core = 0; core < CPU_SETSIZE; core++) {
        if (!CPU_ISSET(core, &allowed) || index-- > 0) continue;
        CPU_ZERO(&one);
        CPU_SET(core, &one);
        pthread_attr_setaffinity_np(attributes, sizeof one, &one);
        return;
    }
}

int cf_wakeup(uint32_t warmup, uint32_t count, uint32_t pause_us, int cores, uint64_t *samples) {
    struct pair pair = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC), warmup, count, pause_us, samples, 0, 0};
    if (pair.there < 0 || pair.back < 0) return cf_fail("eventfd");
    pthread_attr_t attributes;
    pthread_t asking, answering;
    pthread_attr_init(&attributes);
    part(&attributes, 0);
    int code = pthread_create(&answering, &attributes, answer, &pair);
    if (code == 0) {
        part(&attributes, cores > 1);
        code = pthread_create(&asking, &attributes, ask, &pair);
        if (code == 0) {
            pthread_join(asking, NULL);
        } else {
            uint64_t two = 2;
            if (write(pair.there, &two, sizeof two) != sizeof two) return cf_fail("eventfd");
        }
        pthread_join(answering, NULL);
    }
    pthread_attr_destroy(&attributes);
    close(pair.there);
    close(pair.back);
    errno = code != 0 ? code : pair.code;
    return code != 0 || pair.result != 0 ? cf_fail("eventfd ping-pong") : 0;
}
