# The C interface of the room for postings.

from libc.stdint cimport uint32_t, uint64_t

cdef enum:
    LEAST_ROOM = 4              # postings that a `Free` takes the place of

cdef struct Block:
    Block* before
    uint64_t room               # postings that follow

# Where a list lay that is not needed any more.
cdef struct Free:
    Free* before
    uint64_t room

cdef struct Postings:
    Block* blocks
    uint32_t* place             # where the next list goes
    uint64_t room               # for so many
    Free* unused[33]            # other places, by the binary logarithm of their room

# What a list of n postings takes.
cdef inline uint64_t whole_room(uint64_t n) noexcept nogil:
    return (n + LEAST_ROOM - 1) // LEAST_ROOM * LEAST_ROOM

# Room for n postings, kept until it is given back or until all are freed; NULL when memory is short.
cdef uint32_t* room_for(Postings* self, uint64_t n) noexcept nogil
# Let the room of n postings be used again.
cdef void give_back(Postings* self, uint32_t* place, uint64_t n) noexcept nogil
cdef void free_postings(Postings* self) noexcept nogil
