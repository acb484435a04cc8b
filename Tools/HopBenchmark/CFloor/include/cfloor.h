#ifndef TOKENFACTORY_CFLOOR_H
#define TOKENFACTORY_CFLOOR_H

// What the machine and bare libzmq can do, in C as libzmq's users write it: the floors of the hop benchmark.
// Functions return 0, or -1 with a text in cf_error(). Times are nanoseconds of CLOCK_MONOTONIC.

#include <stddef.h>
#include <stdint.h>

// The calling thread's last error.
const char *cf_error(void);

// One side of a measurement: how many exchanges, and how.
typedef struct {
    size_t down;        // bytes of a request, at least 8
    size_t up;          // bytes of its answer, at least 1
    uint32_t warmup;    // exchanges before the first that counts
    uint32_t count;     // exchanges that count
    uint32_t window;    // requests under way at once
    uint32_t pause_us;  // microseconds from an answer to the next request; only with a window of 1
} cf_round;

// What came of it besides the samples.
typedef struct {
    uint64_t elapsed_ns;  // from the first request that counts to the last answer
} cf_outcome;

// Round trips between two threads over two eventfds, each blocking in read, on one core or on two.
int cf_wakeup(uint32_t warmup, uint32_t count, uint32_t pause_us, int cores, uint64_t *samples);

// The side that sends requests and measures.
typedef struct cf_caller cf_caller;

// Binds a ROUTER, as a station above does. `secret` is a CURVE secret key in Z85, or NULL.
cf_caller *cf_caller_bind(const char *endpoint, const char *secret);
// Connects a DEALER, as a client does. One CURVE key pair in Z85 for both sides, or NULL.
cf_caller *cf_caller_connect(const char *endpoint, const char *public_key, const char *secret_key);
// Where it is bound.
const char *cf_caller_endpoint(const cf_caller *caller);
// Starts the answering side as a thread of this process, in the same context; for inproc.
int cf_caller_start_echo(cf_caller *caller);
// Waits for the answering side; a DEALER waits until an exchange comes back.
int cf_caller_wait(cf_caller *caller, int milliseconds);
// Runs a round; `samples` has room for `count` round trips, or is NULL.
int cf_caller_run(cf_caller *caller, const cf_round *round, uint64_t *samples, cf_outcome *outcome);
void cf_caller_close(cf_caller *caller);

// The side that answers: a DEALER that connects, says that it is there, and answers for ever. NULL keys: plain.
int cf_echo(const char *endpoint, const char *server_public, const char *own_public, const char *own_secret);

// A station that only passes on, in both directions, for ever. It binds a ROUTER below; above it binds a ROUTER
// (`upper` NULL, the first of a chain) or connects a DEALER. `bound` gets what was bound, "BELOW" or "ABOVE BELOW",
// before it begins, and `ready` is called with it. One CURVE key pair in Z85 for the whole chain, or NULL.
int cf_relay(
    const char *upper, const char *public_key, const char *secret_key, void (*ready)(const char *bound));

// A TCP proxy on 127.0.0.1 that delays every byte in both directions. Reads lines from standard input, each a delay in
// microseconds from then on, and answers each with the same line on standard output; ends with its input.
int cf_proxy(const char *host, uint16_t port, void (*ready)(uint16_t port));

// Ends this process when its standard input ends, that is, when the parent is gone.
int cf_die_with_stdin(void);
// Runs a program and ends it (SIGTERM, then SIGKILL) when standard input ends; returns its exit status.
int cf_keep(char *const arguments[]);

// Lets all threads of a process, and those that they begin, run on these cores only.
int cf_pin(int pid, const int *cores, size_t count);
// The cores that the calling thread may run on, at most `room`; returns their number.
int cf_cores(int *cores, int room);

// A connection to an HTTP/1.1 server over TCP with blocking calls.
int cf_http_connect(const char *host, uint16_t port);
// Sends the request and reads its response to the end; -1 too if the status is not 200. The body's start goes to
// `body`, ended by NUL.
int cf_http_exchange(int descriptor, const char *request, size_t length, char *body, size_t room);
// Exchanges as in a round: `count` samples after a warm-up, one at a time.
int cf_http_run(
    int descriptor, const char *request, size_t length, uint32_t warmup, uint32_t count, uint32_t pause_us,
    uint64_t *samples);
void cf_http_close(int descriptor);

#endif
