#ifndef TOKENFACTORY_CZEROMQ_SHIM_H
#define TOKENFACTORY_CZEROMQ_SHIM_H

// Glibc's Swift module has no eventfd and no variadic prctl.
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <zmq.h>

// zmq.h gives `zmq_msg_t` 64 bytes that are aligned for a pointer; Message.swift keeps it in eight words.
_Static_assert(sizeof(zmq_msg_t) == 64, "zmq_msg_t is no longer 64 bytes");
_Static_assert(_Alignof(zmq_msg_t) <= 8, "zmq_msg_t is aligned more strictly than a word");

// An enumeration's constant in C, an Int32 in Swift.
static const int tf_eventfd_flags = EFD_NONBLOCK | EFD_CLOEXEC;

// zmq.h names this option only for its draft interface; the stable library has it.
static const int tf_zap_enforce_domain = 93;

static inline int tf_name_thread(const char *name) {
    return prctl(PR_SET_NAME, name);
}

#endif
