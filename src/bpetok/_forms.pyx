"""Where a normal form may change a text: a quick check that does not end at the first doubt.

It goes by a byte for each code point:

- 0: a character that begins anew: the form keeps it, and nothing before it matters to what follows;
- STARTS: the same, but a later character may join it (what it is composed of may be composed anew);
- JOINS, with or without STARTS: one that may join a character that STARTS, else a character as any other;
- 1 to 62, with or without JOINS: a mark, by the rank of its combining class;
- CHANGES: a character that the form does not keep.

The rules are those of Unicode's quick check (UAX #15), which says "maybe" for each character that can join
one before it. Here it is "maybe" only behind one that can be joined. That is enough: what precedes is in the
form, so a character that is joined by nothing stands there as it does in its decomposition, and the marks
behind it, in their order and none of them joining, stay as they are.
"""

from cpython.unicode cimport PyUnicode_DATA, PyUnicode_GET_LENGTH, PyUnicode_KIND
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy

cdef extern from "Python.h":
    uint32_t PyUnicode_MAX_CHAR_VALUE(object text)
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 largest)
    Py_ssize_t PyUnicode_CopyCharacters(object to, Py_ssize_t to_start, object source, Py_ssize_t start,
                                        Py_ssize_t count) except -1

cdef enum:
    JOINS = 0x40
    STARTS = 0x80
    CHANGES = 0xFF
    RANK = 0x3F
    ROW = 256
    ROWS = 0x110000 // ROW

ctypedef fused Unit:
    uint8_t
    uint16_t
    uint32_t


cdef inline bint has_late(const Unit* text, Unit limit) noexcept nogil:
    """Whether any of 16 units is at or above a limit."""
    cdef uint8_t hit = 0
    cdef int i
    for i in range(16):
        hit |= text[i] >= limit
    return hit


cdef class FormCheck:
    """The check of one normal form.

    Args:
        classes: the byte of each of the 0x110000 code points; see the module.
    """
    cdef uint16_t[ROWS] row
    cdef uint8_t* rows
    cdef uint32_t limit         # all characters before it are 0 or STARTS

    def __dealloc__(self):
        free(self.rows)

    def __init__(self, classes):
        cdef bytes data = bytes(classes)
        cdef dict known = {}
        cdef Py_ssize_t at
        if len(data) != ROWS * ROW or self.rows != NULL:
            raise ValueError("there must be a class for each code point")
        for at in range(ROWS):
            self.row[at] = known.setdefault(data[ROW * at:ROW * at + ROW], len(known))
        self.rows = <uint8_t*>calloc(len(known), ROW)
        if self.rows == NULL:
            raise MemoryError()
        for part, at in known.items():
            memcpy(self.rows + ROW * at, <const char*>(<bytes>part), ROW)
        self.limit = 0
        while self.limit < ROWS * ROW and self.find(self.limit) & ~STARTS == 0:
            self.limit += 1

    cdef inline int find(self, uint32_t char) noexcept nogil:
        return self.rows[ROW * self.row[char >> 8] + (char & 0xFF)]

    def spans(self, text) -> list:
        """The stretches of a text, as (start, end), outside of which the form surely changes nothing; each
        can be normalized by itself. Linear.

        Raises:
            TypeError: it is no str.
        """
        if not isinstance(text, str):
            raise TypeError(f"expected a str, got {type(text).__name__}")
        cdef Py_ssize_t n = PyUnicode_GET_LENGTH(text)
        cdef int kind = PyUnicode_KIND(text)
        cdef void* data = PyUnicode_DATA(text)
        if kind == 1:
            return self.check(<const uint8_t*>data, n) if self.limit < 0x100 else []
        if kind == 2:
            return self.check(<const uint16_t*>data, n)
        return self.check(<const uint32_t*>data, n)

    cdef list check(self, const Unit* text, Py_ssize_t n):
        cdef list found = []
        cdef Py_ssize_t at = 0, start = 0, end = 0
        while True:
            with nogil:
                at = self.next_change(text, end, n, &start)
                end = at
                while end < n and (end == at or not self.begins(text[end])):
                    end += 1
            if at == n:
                return found
            found.append((start, end))

    cdef inline bint begins(self, uint32_t char) noexcept nogil:
        return self.find(char) & ~STARTS == 0

    cdef Py_ssize_t next_change(self, const Unit* text, Py_ssize_t at, Py_ssize_t n,
                                Py_ssize_t* start) noexcept nogil:
        """The first character from `at` on, where one begins anew, that may change anything, or `n`; and the
        last one before it that begins anew."""
        cdef int what = 0, rank = 0
        cdef Py_ssize_t checked = at, began  # up to the first it is not worth asking for late ones
        cdef bint joinable = False
        cdef Unit limit = <Unit>self.limit
        start[0] = at
        while True:
            # Of those that begin anew only the last matters.
            began = at
            while at < n:
                if at >= checked and at + 16 <= n:
                    if not has_late(text + at, limit):
                        at += 16
                        continue
                    checked = at + 16
                what = self.find(text[at])
                if what & ~STARTS:
                    break
                at += 1
            if at == n:
                return n
            if at > began:
                start[0] = at - 1
                rank = 0
                joinable = self.find(text[at - 1]) & STARTS
            if what == CHANGES or (what & JOINS and joinable) or (what & RANK and what & RANK < rank):
                return at
            rank = what & RANK
            if not rank:
                joinable = what & STARTS    # one that JOINS, and here does not
            at += 1


cdef uint32_t all_bits(const void* data, Py_ssize_t start, Py_ssize_t end, int kind) noexcept nogil:
    """What bits any of some characters has."""
    cdef const uint8_t* bytes_ = <const uint8_t*>data
    cdef const uint16_t* narrow = <const uint16_t*>data
    cdef const uint32_t* wide = <const uint32_t*>data
    cdef Py_ssize_t i
    cdef uint32_t seen = 0
    if kind == 1:
        for i in range(start, end):
            seen |= bytes_[i]
    elif kind == 2:
        for i in range(start, end):
            seen |= narrow[i]
    else:
        for i in range(start, end):
            seen |= wide[i]
    return seen


cdef Py_ssize_t copy(str made, Py_ssize_t put, object text, Py_ssize_t start, Py_ssize_t count) except -1:
    """Copy characters of a str into a new one, in which each of them has room."""
    cdef Py_ssize_t kind = PyUnicode_KIND(made)
    if kind != PyUnicode_KIND(text):
        return PyUnicode_CopyCharacters(made, put, text, start, count)
    # That looks for characters that are not ASCII at the beginning of the text, wherever it copies from.
    memcpy(<char*>PyUnicode_DATA(made) + put * kind, <const char*>PyUnicode_DATA(text) + start * kind,
           <size_t>(count * kind))
    return count


def spliced(text, list spans not None, list parts not None) -> str:
    """A str with stretches of it replaced: each (start, end), which follow one another, by its part.

    Joined slices would be looked through and copied twice, and a third time where they are narrower.

    Raises:
        TypeError: the text is no str, or a part.
        ValueError: a stretch is not behind the one before it, or not in the text; or has no part.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected a str, got {type(text).__name__}")
    cdef const void* data = PyUnicode_DATA(text)
    cdef Py_ssize_t at = 0, n = PyUnicode_GET_LENGTH(text), size = n, put = 0, start, end
    cdef int kind = PyUnicode_KIND(text)
    cdef uint32_t seen = 0
    cdef str part, made
    for (start, end), part in zip(spans, parts, strict=True):
        if not at <= start <= end <= n:
            raise ValueError(f"the stretch {start} to {end} is not between {at} and {n}")
        seen |= all_bits(data, at, start, kind) | PyUnicode_MAX_CHAR_VALUE(part)
        size += PyUnicode_GET_LENGTH(part) - (end - start)
        at = end
    seen |= all_bits(data, at, n, kind)
    # The widths of a str begin at powers of two, but for the last character of all.
    made = PyUnicode_New(size, min(seen, <uint32_t>0x10FFFF))
    at = 0
    for (start, end), part in zip(spans, parts):
        put += copy(made, put, text, at, start - at)
        put += copy(made, put, part, 0, PyUnicode_GET_LENGTH(part))
        at = end
    copy(made, put, text, at, n - at)
    return made
