# Ids as Python objects.

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

cdef class IdBuffer:
    cdef uint32_t* ids
    cdef size_t n

cdef list make_list(const uint32_t* ids, size_t n)
# A buffer object of `n` ids: a copy, or, where they are many, the memory itself, whose pointer is then NULL.
cdef IdBuffer take_buffer(uint32_t** ids, size_t n)
