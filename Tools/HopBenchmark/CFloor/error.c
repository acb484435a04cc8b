#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "cfloor.h"
#include "common.h"

static _Thread_local char last_error[256];

const char *cf_error(void) { return last_error; }

int cf_fail(const char *what) {
    int code = errno;
    snprintf(last_error, sizeof last_error, "%s: %s", what, strerror(code));
    return -1;
}

int cf_fail_zmq(const char *what) {
    int code = zmq_errno();
    snprintf(last_error, sizeof last_error, "%s: %s", what, zmq_strerror(code));
    return -1;
}
