#ifndef ALLOCATION_COUNTER_H
#define ALLOCATION_COUNTER_H

#include <stdint.h>

/// Heap allocations of this thread since its start: calls of malloc, calloc, realloc, memalign and their kin by anyone
/// in the process, shared libraries included.
uint64_t allocation_count(void);

/// Bytes that those calls asked for.
uint64_t allocation_bytes(void);

#endif
