"""Room for postings: lists of places, of which millions come and go while merges are learned.

They lie one after the other in large blocks. The room of a list that is used up goes to a later list, which
may take a part of it: the memory of all lists together stays close to what they take at the same time.
"""

from libc.stddef cimport size_t
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

cdef extern from "_native/pages.h" nogil:
    void* pages_new "bpetok_pages_new"(size_t size)
    void pages_free "bpetok_pages_free"(void* start, size_t size)

cdef enum:
    BLOCK_ROOM = (1 << 19) - 8  # postings in a block: 2 MiB with its head


cdef uint32_t* room_for(Postings* self, uint64_t n) noexcept nogil:
    cdef Block* block
    cdef Free* found = NULL
    cdef uint64_t size = 0, room
    n = whole_room(n) if n else LEAST_ROOM
    if self.room < n:
        give_back(self, self.place, self.room)
        self.room = 0
        while size < 33 and found == NULL:
            if <uint64_t>1 << size >= n:
                found = self.unused[size]
            size += 1
        if found != NULL:
            self.unused[size - 1] = found.before
            self.place = <uint32_t*>found
            self.room = found.room
        else:
            room = n if n > BLOCK_ROOM else BLOCK_ROOM
            block = <Block*>pages_new(sizeof(Block) + room * 4)
            if block == NULL:
                return NULL
            block.before = self.blocks
            block.room = room
            self.blocks = block
            self.place = <uint32_t*>(block + 1)
            self.room = room
    self.place += n
    self.room -= n
    return self.place - n


cdef void give_back(Postings* self, uint32_t* place, uint64_t n) noexcept nogil:
    cdef Free* left = <Free*>place
    cdef uint64_t size = 0
    n = whole_room(n)
    if n:
        while n >> size > 1:
            size += 1
        left.before = self.unused[size]
        left.room = n
        self.unused[size] = left


cdef void free_postings(Postings* self) noexcept nogil:
    cdef Block* block = self.blocks
    while block != NULL:
        self.blocks = block.before
        pages_free(block, sizeof(Block) + block.room * 4)
        block = self.blocks
    memset(self, 0, sizeof(Postings))
