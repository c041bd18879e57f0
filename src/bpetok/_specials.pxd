# Searching for special tokens.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t

cdef struct Special:
    uint32_t token
    uint32_t size
    size_t start            # in the bytes of all specials

cdef class Specials:
    cdef Py_ssize_t n
    cdef Special* entries
    cdef bytes joined               # the bytes of all
    cdef const uint8_t* base
    cdef uint32_t* slots            # by the hash of a special's bytes: its place plus one
    cdef uint64_t mask
    cdef size_t* sizes              # without repetition, the longest first
    cdef size_t n_sizes
    cdef size_t longest
    cdef uint8_t* first_two         # by two bytes: whether a special begins with them
    cdef int only_first             # the first byte of all, or -1
    cdef int only_second            # the second, if the first is the same too, or -1

    cdef str text(self, Py_ssize_t which)
    cdef size_t find(self, const uint8_t* text, size_t pos, size_t stop, size_t end, const uint8_t* allowed,
                     Py_ssize_t* which) noexcept nogil
