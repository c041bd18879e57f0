"""One large buffer that is kept when it is freed, for the next call that needs one.

Fresh memory comes from the system page by page, each to be cleared and mapped at its first touch. For the ids
of a large text that takes a tenth of the time of encoding it. So one buffer of the process, of up to 32 MiB,
is kept instead of being freed, and the next large one is made of it.
"""

from libc.stddef cimport size_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

cdef extern from *:
    """
    #if defined(__GNUC__) || defined(__clang__)
      #define BPETOK_SWAP(p, value) __atomic_exchange_n((p), (value), __ATOMIC_ACQ_REL)
    #else   /* without a swap, nothing is kept */
      #define BPETOK_SWAP(p, value) (value)
    #endif
    """
    void* BPETOK_SWAP(void** p, void* value) noexcept nogil

cdef enum:
    LEAST = 1 << 20         # bytes
    MOST = 1 << 25

cdef void* spare = NULL     # its first bytes say how many it has; only through BPETOK_SWAP


cdef void* spare_grow(void* memory, size_t used, size_t* capacity, size_t wanted) noexcept nogil:
    cdef void* grown = NULL
    if wanted >= LEAST:
        grown = BPETOK_SWAP(&spare, NULL)
        if grown != NULL and (<size_t*>grown)[0] < wanted:
            spare_free(grown, (<size_t*>grown)[0])
            grown = NULL
    if grown != NULL:
        capacity[0] = (<size_t*>grown)[0]
        if used:
            memcpy(grown, memory, used)
        free(memory)
        return grown
    grown = realloc(memory, wanted)
    if grown != NULL:
        capacity[0] = wanted
    return grown


cdef void spare_free(void* memory, size_t capacity) noexcept nogil:
    if LEAST <= capacity <= MOST:
        (<size_t*>memory)[0] = capacity
        memory = BPETOK_SWAP(&spare, memory)
    free(memory)
