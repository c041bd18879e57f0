# Ids as Python objects.

from cpython.object cimport PyObject
from libc.stddef cimport size_t
from libc.stdint cimport uint32_t

cdef class IdBuffer:
    cdef uint32_t* ids
    cdef size_t n

cdef bint own_ints      # whether ints are made here, not by Python

cdef list make_list(const uint32_t* ids, size_t n)
# Where there are own ints: point items to those of ids, without the GIL. Returns how many it did: less
# than `n` if the int of the next id must be made first, by `new_block`.
cdef size_t fill_items(PyObject** items, const uint32_t* ids, size_t n) noexcept nogil
# An empty list with room for `n` items, and its length once they are set. Where there are own ints alone:
# they need not be counted, and lists are laid out as known.
cdef list list_with_room(size_t n)
cdef void set_length(list result, size_t n) noexcept
cdef int new_block(uint32_t id) except -1
# A buffer object for `n` ids, which the caller writes.
cdef IdBuffer new_buffer(size_t n)
# A buffer object of `n` ids: a copy, or, where they are many, the memory itself, whose pointer is then NULL.
cdef IdBuffer take_buffer(uint32_t** ids, size_t n)
