#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cfloor.h"
#include "common.h"

static void await_end_of_input(void) {
    char byte;
    ssize_t length;
    do length = read(STDIN_FILENO, &byte, 1);
    while (length > 0 || (length < 0 && errno == EINTR));
}

static void *die_at_end(void *unused) {
    (void)unused;
    await_end_of_input();
    _exit(0);
}

int cf_die_with_stdin(void) {
    pthread_t thread;
    int code = pthread_create(&thread, NULL, die_at_end, NULL);
    if (code == 0) return 0;
    errno = code;
    return cf_fail("pthread_create");
}

static pid_t kept;

static void *end_kept(void *unused) {
    (void)unused;
    await_end_of_input();
    kill(kept, SIGTERM);
    for (int i = 0; i < 100; i++) cf_pause(50000);
    kill(kept, SIGKILL);
    return NULL;
}

int cf_keep(char *const arguments[]) {
    kept = fork();
    if (kept < 0) return cf_fail("fork");
    if (kept == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        execv(arguments[0], arguments);
        _exit(127);
    }
    pthread_t thread;
    pthread_create(&thread, NULL, end_kept, NULL);
    int status = 0;
    while (waitpid(kept, &status, 0) < 0 && errno == EINTR) {}
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
