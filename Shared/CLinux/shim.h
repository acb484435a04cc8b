#ifndef TOKENFACTORY_CLINUX_SHIM_H
#define TOKENFACTORY_CLINUX_SHIM_H

// What Glibc's Swift module lacks: epoll, eventfd, variadic prctl, and constants that are enumerations or casts.
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>

static const int tf_eventfd_flags = EFD_NONBLOCK | EFD_CLOEXEC;
static const int tf_epoll_flags = EPOLL_CLOEXEC;
static const int tf_stream_socket = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
static const int tf_accept_flags = SOCK_NONBLOCK | SOCK_CLOEXEC;

// netinet/tcp.h has it with _GNU_SOURCE only.
static const int tf_tcp_user_timeout = 18;

static const unsigned tf_epoll_in = EPOLLIN;
static const unsigned tf_epoll_out = EPOLLOUT;
static const unsigned tf_epoll_hangup = EPOLLHUP | EPOLLERR;
static const unsigned tf_epoll_once = EPOLLET;

static inline int tf_name_thread(const char *name) {
    return prctl(PR_SET_NAME, name);
}

// Stores that whoever reads the mapped file sees only after all that was stored before. The addresses are multiples of
// the value's size.
static inline void tf_store_release_16(void *address, unsigned short value) {
    __atomic_store_n((unsigned short *)address, value, __ATOMIC_RELEASE);
}
static inline void tf_store_release_32(void *address, unsigned value) {
    __atomic_store_n((unsigned *)address, value, __ATOMIC_RELEASE);
}
static inline void tf_store_release_64(void *address, unsigned long long value) {
    __atomic_store_n((unsigned long long *)address, value, __ATOMIC_RELEASE);
}

// Bytes that a TCP connection has received; -1 where the kernel (before Linux 4.1) does not say. The place in the kernel's
// struct is fixed; the header that names it does not go together with netinet/tcp.h.
static inline long long tf_bytes_received(int descriptor) {
    unsigned char info[136];
    socklen_t length = sizeof(info);
    long long count;
    if (getsockopt(descriptor, IPPROTO_TCP, TCP_INFO, info, &length) != 0 || length < sizeof(info)) return -1;
    memcpy(&count, info + 128, sizeof(count));
    return count;
}

// accept4 is declared only with _GNU_SOURCE.
int accept4(int, struct sockaddr *, socklen_t *, int);

// Fills a Unix socket's address; 0 if the path is too long. An '@' at the beginning names an abstract one, as in libzmq.
static inline socklen_t tf_unix_address(struct sockaddr_storage *storage, const char *path, size_t count) {
    struct sockaddr_un *address = (struct sockaddr_un *)storage;
    if (count == 0 || count >= sizeof(address->sun_path)) return 0;
    memset(storage, 0, sizeof(*storage));
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, path, count);
    if (path[0] == '@') {
        address->sun_path[0] = 0;
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count);
    }
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + count + 1);
}

#endif
