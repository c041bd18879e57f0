"""The special tokens of a tokenizer, and where they stand in a text."""

from cpython.bytes cimport PyBytes_AS_STRING
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memchr

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


cdef inline bint has_few(const uint8_t* text, int n, const uint8_t* first,
                         const uint8_t* second) noexcept nogil:
    cdef uint8_t hit = 0, a, b
    cdef int i
    for i in range(n):
        a = text[i]
        b = text[i + 1]
        hit |= (((a == first[0]) | (a == first[1]) | (a == first[2]) | (a == first[3]))
                & ((b == second[0]) | (b == second[1]) | (b == second[2]) | (b == second[3])
                   | (b == second[4]) | (b == second[5]) | (b == second[6]) | (b == second[7])))
    return hit


cdef class Specials:
    """A dict from text to id, for searching; a special is known by its place in it. Immutable."""

    def __dealloc__(self):
        free(self.entries)
        free(self.nodes)
        free(self.first_two)

    def __init__(self, dict special_tokens not None):
        cdef Py_ssize_t i = 0
        cdef size_t at = 0
        if self.entries != NULL:
            raise TypeError("special tokens are immutable")
        self.n = len(special_tokens)
        encoded = [(as_utf8(text), token) for text, token in special_tokens.items()]
        self.joined = b"".join(data for data, _ in encoded)
        self.base = <const uint8_t*>PyBytes_AS_STRING(self.joined)
        self.longest = max((len(data) for data, _ in encoded), default=0)
        self.entries = <Special*>calloc(self.n + 1, sizeof(Special))
        self.nodes = <Node*>calloc(<size_t>len(self.joined) + 1, sizeof(Node))
        self.first_two = <uint8_t*>calloc(1 << 16, 1)
        if self.entries == NULL or self.nodes == NULL or self.first_two == NULL:
            raise MemoryError()
        firsts = sorted({data[0] for data, _ in encoded})
        seconds = sorted({data[1] if len(data) > 1 else -1 for data, _ in encoded})
        self.only_first = firsts[0] if len(firsts) == 1 else -1
        self.only_second = seconds[0] if self.only_first >= 0 and len(seconds) == 1 else -1
        self.few = 0 < len(firsts) <= MOST_FIRSTS and len(seconds) <= MOST_SECONDS and seconds[0] >= 0
        if self.few:
            for i in range(MOST_FIRSTS):
                self.firsts[i] = firsts[min(i, len(firsts) - 1)]
            for i in range(MOST_SECONDS):
                self.seconds[i] = seconds[min(i, len(seconds) - 1)]
        for i, (data, token) in enumerate(encoded):
            self.entries[i].token = token
            self.entries[i].size = <uint32_t>len(data)
            self.entries[i].start = at
            for second in range(256) if len(data) == 1 else (data[1],):
                self.first_two[data[0] << 8 | second] = 1
            self.enter(self.base + at, self.entries[i].size, <uint32_t>(i + 1))
            at += self.entries[i].size

    cdef void enter(self, const uint8_t* data, size_t size, uint32_t place) noexcept:
        """Put a special's bytes into the trie; of two that are the same, the first stays."""
        cdef uint32_t* link = &self.roots[data[0]]
        cdef uint32_t node = 0
        cdef size_t i
        for i in range(size):
            while link[0] and self.nodes[link[0]].byte != data[i]:
                link = &self.nodes[link[0]].next
            if not link[0]:
                self.n_nodes += 1
                link[0] = self.n_nodes
                self.nodes[self.n_nodes].byte = data[i]
            node = link[0]
            link = &self.nodes[node].child
        if not self.nodes[node].which:
            self.nodes[node].which = place

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
        cdef const uint8_t* hit
        cdef size_t at, near, last = stop if stop < end else end - 1      # before it, two bytes can be read
        cdef uint32_t node, found
        while pos < stop:
            if self.only_second >= 0:
                pos = find_two(text, pos, last, <uint8_t>self.only_first, <uint8_t>self.only_second)
                if pos + 1 >= end or pos >= stop:
                    return stop
            elif self.few:
                # Runs of spaces as tokens stand in every line of code: the next one is seldom far.
                near = min(last, pos + NEAR)
                while pos < near and not self.first_two[(<uint32_t>text[pos] << 8) | text[pos + 1]]:
                    pos += 1
                if pos == near:
                    while pos + 64 <= last and not has_few(text + pos, 64, self.firsts, self.seconds):
                        pos += 64
                    while pos + 16 <= last and not has_few(text + pos, 16, self.firsts, self.seconds):
                        pos += 16
                    while pos < last and not self.first_two[(<uint32_t>text[pos] << 8) | text[pos + 1]]:
                        pos += 1
                if pos >= last:
                    return stop             # none has one byte only
            elif self.only_first >= 0:
                hit = <const uint8_t*>memchr(text + pos, self.only_first, stop - pos)
                if hit == NULL:
                    return stop
                pos = <size_t>(hit - text)
            if self.first_two[(<uint32_t>text[pos] << 8) | (text[pos + 1] if pos + 1 < end else 0)]:
                at = pos
                found = 0
                node = self.roots[text[pos]]
                while node:
                    if self.nodes[node].which and (allowed == NULL or allowed[self.nodes[node].which - 1]):
                        found = self.nodes[node].which
                    at += 1
                    if at == end:
                        break
                    node = self.nodes[node].child
                    while node and self.nodes[node].byte != text[at]:
                        node = self.nodes[node].next
                if found:
                    which[0] = <Py_ssize_t>found - 1
                    return pos
            pos += 1
        return stop
