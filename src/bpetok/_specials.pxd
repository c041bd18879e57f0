# Searching for special tokens.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t

cdef struct Special:
    uint32_t token
    uint32_t size
    size_t start            # in the bytes of all specials

cdef struct Node:           # of a trie: some first bytes of a special
    uint32_t child          # with the first of the bytes that may follow; 0 is none
    uint32_t next           # with another last byte
    uint32_t which          # the place of the special that these bytes are, plus one; or 0
    uint8_t byte            # the last one

cdef enum:
    MOST_FIRSTS = 4
    MOST_SECONDS = 8
    NEAR = 32                   # bytes in which specials are looked for one by one, before blocks of 64

cdef class Specials:
    cdef Py_ssize_t n
    cdef Special* entries
    cdef bytes joined               # the bytes of all
    cdef const uint8_t* base
    cdef Node* nodes
    cdef uint32_t n_nodes
    cdef uint32_t[256] roots        # by the first byte
    cdef size_t longest
    cdef uint8_t* first_two         # by two bytes: whether a special begins with them
    cdef int only_first             # the first byte of all, or -1
    cdef int only_second            # the second, if the first is the same too, or -1
    cdef bint few                   # whether there are no more first and second bytes than here:
    cdef uint8_t[MOST_FIRSTS] firsts
    cdef uint8_t[MOST_SECONDS] seconds

    cdef void enter(self, const uint8_t* data, size_t size, uint32_t place) noexcept
    cdef str text(self, Py_ssize_t which)
    cdef size_t find(self, const uint8_t* text, size_t pos, size_t stop, size_t end, const uint8_t* allowed,
                     Py_ssize_t* which) noexcept nogil
