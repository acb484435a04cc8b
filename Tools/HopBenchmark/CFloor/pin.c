#define _GNU_SOURCE
#include <dirent.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "cfloor.h"
#include "common.h"

int cf_pin(int pid, const int *cores, size_t count) {
    cpu_set_t set;
    CPU_ZERO(&set);
    for (size_t i = 0; i < count; i++) {
        if (cores[i] >= 0 && cores[i] < CPU_SETSIZE) CPU_SET(cores[i], &set);
    }
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    // Threads that begin meanwhile have their maker's cores, so that a second pass finds all that the first did not.
    for (int pass = 0; pass < 2; pass++) {
        DIR *tasks = opendir(path);
        if (tasks == NULL) return cf_fail(path);
        struct dirent *task;
        while ((task = readdir(tasks)) != NULL) {
            int thread = atoi(task->d_name);
            if (thread == 0 || sched_setaffinity(thread, sizeof set, &set) == 0 || errno == ESRCH) continue;
            closedir(tasks);
            return cf_fail("sched_setaffinity");
        }
        closedir(tasks);
    }
    return 0;
}

int cf_cores(int *cores, int room) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0) return cf_fail("sched_getaffinity");
    int count = 0;
    for (int core = 0; core < CPU_SETSIZE && count < room; core++) {
        if (CPU_ISSET(core, &set)) cores[count++] = core;
    }
    return count;
}
