"""The special tokens of a tokenizer, and where they stand in a text."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr, memcmp

from bpetok._vocab cimport hash_bytes

from bpetok._text import as_utf8


cdef inline bint has_two(const uint8_t* text, int n, uint8_t first, uint8_t second) noexcept nogil:
    cdef uint8_t hit = 0
    cdef int i
    for i in range(n):      # to the end, so that the compiler takes many at a time
        hit |= (text[i] == first) & (text[i + 1] == second)
    return hit


cdef inline size_t find_two(const uint8_t* text, size_t pos, size_t stop, uint8_t first,
                            uint8_t second) noexcept nogil:
    """The first position in [pos, stop) with these two bytes, or `stop`. One more byte can be read."""
    while stop - pos >= 64 and not has_two(text + pos, 64, first, second):
        pos += 64
    while stop - pos >= 16 and not has_two(text + pos, 16, first, second):
        pos += 16
    while pos < stop and not (text[pos] == first and text[pos + 1] == second):
        pos += 1
    return pos


cdef class Specials:
    """A dict from text to id, for searching; a special is known by its place in it. Immutable."""

    def __dealloc__(self):
        free(self.entries)
        free(self.slots)
        free(self.sizes)
        free(self.first_two)

    def __init__(self, dict special_tokens not None):
        cdef Py_ssize_t i = 0
        cdef uint64_t at
        cdef size_t size
        if self.entries != NULL:
            raise TypeError("special tokens are immutable")
        self.n = len(special_tokens)
        self.mask = 16
        while self.mask < 2 * <uint64_t>self.n:
            self.mask *= 2
        self.mask -= 1
        encoded = [(as_utf8(text), token) for text, token in special_tokens.items()]
        distinct = sorted({len(data) for data, _ in encoded}, reverse=True)
        self.joined = b"".join(data for data, _ in encoded)
        self.base = <const uint8_t*>PyBytes_AS_STRING(self.joined)
        self.entries = <Special*>calloc(self.n + 1, sizeof(Special))
        self.slots = <uint32_t*>calloc(self.mask + 1, sizeof(uint32_t))
        self.sizes = <size_t*>calloc(len(distinct) + 1, sizeof(size_t))
        self.first_two = <uint8_t*>calloc(1 << 16, 1)
        if self.entries == NULL or self.slots == NULL or self.sizes == NULL or self.first_two == NULL:
            raise MemoryError()
        firsts = {data[0] for data, _ in encoded}
        seconds = {data[1] if len(data) > 1 else -1 for data, _ in encoded}
        self.only_first = firsts.pop() if len(firsts) == 1 else -1
        self.only_second = seconds.pop() if self.only_first >= 0 and len(seconds) == 1 else -1
        for size in distinct:
            self.sizes[self.n_sizes] = size
            self.n_sizes += 1
        self.longest = self.sizes[0]
        at = 0
        for data, token in encoded:
            self.entries[i].token = token
            self.entries[i].size = <uint32_t>len(data)
            self.entries[i].start = at
            for second in range(256) if len(data) == 1 else (data[1],):
                self.first_two[data[0] << 8 | second] = 2 if len(data) == 1 else max(
                    1, self.first_two[data[0] << 8 | second])
            slot = hash_bytes(self.base + at, self.entries[i].size) & self.mask
            while self.slots[<uint64_t>slot]:
                slot = (slot + 1) & self.mask
            self.slots[<uint64_t>slot] = <uint32_t>(i + 1)
            at += self.entries[i].size
            i += 1

    cdef str text(self, Py_ssize_t which):
        cdef size_t start = self.entries[which].start
        return self.joined[start:start + self.entries[which].size].decode()

    def next(self, bytes text not None, size_t pos, bytes allowed not None):
        """(start, end, place) of the first special token at or after `pos`, or None; `allowed` has a byte
        for each, nonzero where it counts."""
        cdef Py_ssize_t which = 0
        cdef size_t n = <size_t>len(text), at
        if <Py_ssize_t>len(allowed) != self.n:
            raise ValueError("there must be one mark for each special token")
        if not self.n or pos >= n:
            return None
        at = self.find(<const uint8_t*>PyBytes_AS_STRING(text), pos, n, n,
                       <const uint8_t*>PyBytes_AS_STRING(allowed), &which)
        return None if at == n else (at, at + self.entries[which].size, which)

    cdef size_t find(self, const uint8_t* text, size_t pos, size_t stop, size_t end, const uint8_t* allowed,
                     Py_ssize_t* which) noexcept nogil:
        """Where the next special token starts in text[pos:stop], the longest that fits before `end`, or
        `stop`. Only those with a mark in `allowed` count; all do when it is NULL."""
        cdef const uint8_t* known = self.base
        cdef const uint8_t* hit
        cdef size_t i, size
        cdef uint64_t at
        cdef uint32_t index
        while pos < stop:
            if self.only_second >= 0:
                pos = find_two(text, pos, stop if stop < end else end - 1, <uint8_t>self.only_first,
                               <uint8_t>self.only_second)
                if pos + 1 >= end or pos >= stop:
                    return stop
            elif self.only_first >= 0:
                hit = <const uint8_t*>memchr(text + pos, self.only_first, stop - pos)
                if hit == NULL:
                    return stop
                pos = <size_t>(hit - text)
            if self.first_two[(<uint32_t>text[pos] << 8) | (text[pos + 1] if pos + 1 < end else 0)]:
                for i in range(self.n_sizes):
                    size = self.sizes[i]
                    if size > end - pos:
                        continue
                    at = hash_bytes(text + pos, size) & self.mask
                    while self.slots[at]:
                        index = self.slots[at] - 1
                        if (self.entries[index].size == size
                                and memcmp(known + self.entries[index].start, text + pos, size) == 0):
                            if allowed == NULL or allowed[index]:
                                which[0] = index
                                return pos
                            break
                        at = (at + 1) & self.mask
            pos += 1
        return stop
