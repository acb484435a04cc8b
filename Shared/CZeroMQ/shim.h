#ifndef TOKENFACTORY_CZEROMQ_SHIM_H
#define TOKENFACTORY_CZEROMQ_SHIM_H

#include <zmq.h>

// zmq.h gives `zmq_msg_t` 64 bytes that are aligned for a pointer; Message.swift keeps it in eight words.
_Static_assert(sizeof(zmq_msg_t) == 64, "zmq_msg_t is no longer 64 bytes");
_Static_assert(_Alignof(zmq_msg_t) <= 8, "zmq_msg_t is aligned more strictly than a word");

// zmq.h names this option only for its draft interface; the stable library has it.
static const int tf_zap_enforce_domain = 93;

#endif
