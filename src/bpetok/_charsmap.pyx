"""SentencePiece's normalization: a map of characters, and what becomes of spaces.

The map is a trie in the form of a double array (Darts-clone): the state `at` goes with a byte to the unit
`at ^ offset ^ byte`, if that unit bears the byte as its label. A unit can have a leaf, whose number is where
its replacement starts in a text of replacements, each ended by a zero byte.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_GET_SIZE
from libc.stddef cimport size_t
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memchr, memcmp, memcpy, strlen

from bpetok._specials cimport Specials
from bpetok._text cimport TextView, text_of, to_utf8, utf8_bound, view_text

from bpetok.errors import FormatError

cdef enum:
    NO_UNIT = 0xFFFFFFFF
    LARGEST = 1 << 22       # bytes of a map; that of NFKC has 240,000
    LONGEST = 4096          # bytes of a replacement

cdef const char* SYMBOL = b"\xe2\x96\x81"           # U+2581, which stands for a space
cdef const char* REPLACEMENT = b"\xef\xbf\xbd"      # U+FFFD

cdef struct Out:
    uint8_t* data
    size_t n
    size_t capacity


cdef inline bint reserve(Out* out, size_t more) noexcept nogil:
    cdef size_t wanted = out.n + more
    cdef uint8_t* grown
    if wanted <= out.capacity:
        return True
    wanted += wanted // 2
    grown = <uint8_t*>realloc(out.data, wanted)
    if grown == NULL:
        return False
    out.data = grown
    out.capacity = wanted
    return True


cdef inline size_t character(const uint8_t* text, size_t n) noexcept nogil:
    """The bytes of the character that a text begins with; 0 if it is none in UTF-8."""
    cdef uint8_t lead = text[0]
    cdef size_t size = 1 if lead < 0x80 else 2 if lead < 0xE0 else 3 if lead < 0xF0 else 4
    cdef size_t i
    if size == 1:
        return 1
    if lead < 0xC2 or lead > 0xF4 or size > n:
        return 0
    for i in range(1, size):
        if text[i] & 0xC0 != 0x80:
            return 0
    if ((lead == 0xE0 and text[1] < 0xA0) or (lead == 0xED and text[1] > 0x9F)
            or (lead == 0xF0 and text[1] < 0x90) or (lead == 0xF4 and text[1] > 0x8F)):
        return 0
    return size


cdef class CharsMap:
    """A normalization as SentencePiece does it; spaces come out as spaces, not as U+2581. Immutable.

    Args:
        blob: the precompiled map: the size in bytes of the double array as 32 bits, the array, and the
            replacements. Integers are little-endian. Empty: no character is replaced.
        symbols: what is kept from the map, as the keys of a dict.
        dummy_prefix: whether a space is put before the text.
        suffix: whether it is put behind instead.
        collapse: whether spaces at both ends go, and of several only the first is kept.
        escape: whether U+2581 in the text is a space from then on.

    Raises:
        FormatError: the map is damaged: units or replacements are cut off, or lie outside of it, or a key
            ends within a character.
    """
    cdef uint32_t* units
    cdef uint32_t n_units
    cdef const uint8_t* replacements
    cdef size_t n_replacements
    cdef bytes blob
    cdef Specials symbols
    cdef bint dummy_prefix, suffix, collapse, escape
    cdef uint32_t root[256]     # by a first byte: the unit it leads to, or NO_UNIT
    cdef uint8_t plain[256]     # ASCII that stays as it is before ASCII

    def __dealloc__(self):
        free(self.units)

    def __init__(self, bytes blob not None, dict symbols not None, *, bint dummy_prefix, bint suffix,
                 bint collapse, bint escape):
        cdef const uint8_t* data = <const uint8_t*>PyBytes_AS_STRING(blob)
        cdef size_t size, i
        cdef uint32_t byte, after, unit
        if self.blob is not None:
            raise TypeError("a map of characters is immutable")
        self.blob = blob
        self.symbols = Specials(symbols) if symbols else None
        self.dummy_prefix, self.suffix, self.collapse, self.escape = dummy_prefix, suffix, collapse, escape
        if blob:
            if len(blob) > LARGEST:
                raise FormatError(
                    f"the map of characters has {len(blob)} bytes; at most {LARGEST} can be read")
            size = int.from_bytes(blob[:4], "little")
            if len(blob) < 4 or size % 4 or size // 4 < 256 or size + 4 >= <size_t>len(blob):
                raise FormatError("the map of characters is damaged: its double array is cut off")
            self.n_units = <uint32_t>(size // 4)
            self.units = <uint32_t*>malloc(size)
            if self.units == NULL:
                raise MemoryError()
            for i in range(self.n_units):
                after = 4 * <uint32_t>i + 4
                self.units[i] = (data[after] | data[after + 1] << 8 | data[after + 2] << 16
                                 | <uint32_t>data[after + 3] << 24)
            self.replacements = data + 4 + size
            self.n_replacements = <size_t>PyBytes_GET_SIZE(blob) - 4 - size
            self.check()
        for byte in range(256):
            self.root[byte] = self.follow(self.start(), byte)
            unit = self.root[byte]
            self.plain[byte] = byte < 0x80 and byte != c" " and (
                unit == NO_UNIT or not self.units[unit] >> 8 & 1)
            if self.plain[byte] and unit != NO_UNIT:
                for after in range(0x80):
                    if self.follow(self.base(unit), after) != NO_UNIT:
                        self.plain[byte] = False

    cdef inline uint32_t base(self, uint32_t unit) noexcept nogil:
        """Where the states after a unit begin."""
        cdef uint32_t value = self.units[unit]
        return unit ^ (value >> 10) << ((value & 1 << 9) >> 6)

    cdef inline uint32_t start(self) noexcept nogil:
        return self.base(0) if self.n_units else 0

    cdef inline uint32_t follow(self, uint32_t base, uint32_t byte) noexcept nogil:
        """The unit that a byte leads to, or NO_UNIT."""
        cdef uint32_t unit = base ^ byte
        if unit < self.n_units and self.units[unit] & <uint32_t>0x800000FF == byte:
            return unit
        return NO_UNIT

    cdef int check(self) except -1:
        """Walk through all that text can reach: leaves lead to replacements, keys are whole characters."""
        cdef uint8_t[256] lead
        cdef uint8_t* seen = <uint8_t*>calloc(self.n_units, 1)     # by unit: bits of how many bytes are owed
        cdef uint32_t* todo = <uint32_t*>malloc(4 * <size_t>self.n_units * 4)
        cdef uint8_t* starts = <uint8_t*>calloc(self.n_replacements, 1)
        cdef size_t n = 0, at = 0, size
        cdef uint32_t unit, byte, low, high, owed, now, leaf
        cdef const char* why = NULL
        try:
            if seen == NULL or todo == NULL or starts == NULL:
                raise MemoryError()
            with nogil:
                if self.replacements[self.n_replacements - 1]:
                    why = b"its last replacement is cut off"
                while why == NULL and at < self.n_replacements:     # where replacements may start
                    starts[at] = 1
                    size = character(self.replacements + at, self.n_replacements - at)
                    if size == 0:
                        why = b"a replacement is no UTF-8"
                    at += size
                for byte in range(256):
                    lead[byte] = 0 if byte < 0x80 else 9 if byte < 0xC2 or byte > 0xF4 else (
                        1 if byte < 0xE0 else 2 if byte < 0xF0 else 3)
                todo[0] = 0
                n = 1
                while why == NULL and n:
                    n -= 1
                    unit, owed = todo[n] >> 2, todo[n] & 3
                    low, high = (0x80, 0xC0) if owed else (0, 0xF5)
                    for byte in range(low, high):
                        now = self.follow(self.base(unit), byte)
                        if now == NO_UNIT or (not owed and lead[byte] == 9):
                            continue
                        leaf = owed - 1 if owed else lead[byte]     # bytes that the character lacks
                        if not seen[now] >> leaf & 1:
                            seen[now] |= 1 << leaf
                            todo[n] = now << 2 | leaf
                            n += 1
                            if self.units[now] >> 8 & 1:
                                if leaf:
                                    why = b"a key ends within a character"
                                elif self.replacement(now) == NULL:
                                    why = b"a replacement lies outside of it"
                                elif not starts[<size_t>(self.replacement(now) - self.replacements)]:
                                    why = b"a replacement starts within a character"
                                elif self.too_long(self.replacement(now)):
                                    why = b"a replacement is of enormous length"
        finally:
            free(seen)
            free(todo)
            free(starts)
        if why != NULL:
            raise FormatError(f"the map of characters is damaged: {why.decode()}")
        return 0

    cdef inline const uint8_t* replacement(self, uint32_t unit) noexcept nogil:
        """The replacement of a unit that has a leaf; NULL if it lies nowhere."""
        cdef uint32_t leaf = self.base(unit)
        if leaf >= self.n_units or self.units[leaf] & <uint32_t>0x7FFFFFFF >= self.n_replacements:
            return NULL
        return self.replacements + (self.units[leaf] & <uint32_t>0x7FFFFFFF)

    cdef inline bint too_long(self, const uint8_t* replacement) noexcept nogil:
        cdef size_t left = self.n_replacements - <size_t>(replacement - self.replacements)
        return left > LONGEST and memchr(replacement, 0, LONGEST) == NULL

    cdef size_t prefix(self, const uint8_t* text, size_t n, const uint8_t** to, size_t* size) noexcept nogil:
        """What the start of a text becomes, by the longest key that fits; the bytes it takes."""
        cdef uint32_t unit = self.root[text[0]], found = NO_UNIT
        cdef size_t taken = 0, at = 1
        while unit != NO_UNIT:
            if self.units[unit] >> 8 & 1:
                found, taken = unit, at
            if at == n:
                break
            unit = self.follow(self.base(unit), text[at])
            at += 1
        if taken:
            to[0] = self.replacement(found)
            size[0] = strlen(<const char*>to[0])
            return taken
        taken = character(text, n)
        if taken:
            to[0] = text
            size[0] = taken
            return taken
        to[0] = <const uint8_t*>REPLACEMENT
        size[0] = 3
        return 1

    cdef inline bint put(self, const uint8_t* data, size_t n, Out* out) noexcept nogil:
        """Write a character or more; U+2581 as a space, if it is one."""
        cdef size_t at = 0
        if not reserve(out, n):
            return False
        while at < n:
            if self.escape and n - at >= 3 and memcmp(data + at, SYMBOL, 3) == 0:
                out.data[out.n] = c" "
                at += 3
            else:
                out.data[out.n] = data[at]
                at += 1
            out.n += 1
        return True

    cdef bint run(self, const uint8_t* text, size_t n, Out* out) noexcept nogil:
        """Normalize a whole text. False: there is no memory."""
        cdef size_t at = 0, begin, taken, size = 0, next_symbol = 0, kept
        cdef const uint8_t* to = NULL
        cdef Py_ssize_t which = -1
        cdef bint symbols = self.symbols is not None, after_space = self.collapse
        if n == 0:
            return True
        if not symbols:
            next_symbol = n
        elif next_symbol == 0:
            next_symbol = self.symbols.find(text, 0, n, n, NULL, &which)
        if self.collapse:
            while at < n:
                if at == next_symbol:
                    if self.symbols.entries[which].size != 1 or text[at] != c" ":
                        break
                    taken = 1
                    next_symbol = self.symbols.find(text, at + 1, n, n, NULL, &which)
                else:
                    taken = self.prefix(text + at, n - at, &to, &size)
                    if size != 1 or to[0] != c" ":
                        break
                at += taken
                if at > next_symbol:
                    next_symbol = self.symbols.find(text, at, n, n, NULL, &which)
            if at == n:
                return True
        if not reserve(out, n - at + 2):
            return False
        if self.dummy_prefix and not self.suffix:
            out.data[out.n] = c" "
            out.n += 1
        while at < n:
            begin = at
            while at < next_symbol and self.plain[text[at]] and (at + 1 == n or text[at + 1] < 0x80):
                at += 1
            if at > begin:
                if not reserve(out, at - begin):
                    return False
                memcpy(out.data + out.n, text + begin, at - begin)
                out.n += at - begin
                after_space = False
                continue
            if at == next_symbol:
                to, size = text + at, self.symbols.entries[which].size
                taken = size
            else:
                taken = self.prefix(text + at, n - at, &to, &size)
            at += taken
            if symbols and at > next_symbol:
                next_symbol = self.symbols.find(text, at, n, n, NULL, &which)
            while after_space and size and to[0] == c" ":
                to += 1
                size -= 1
            if size:
                if not self.put(to, size, out):
                    return False
                after_space = self.collapse and to[size - 1] == c" "
        kept = out.n
        if self.collapse:
            while kept and out.data[kept - 1] == c" ":
                kept -= 1
            out.n = kept
        if self.dummy_prefix and self.suffix:
            if not reserve(out, 1):
                return False
            out.data[out.n] = c" "
            out.n += 1
        return True

    def normalize(self, text) -> str:
        """A text as the model sees it; a byte that is in no character of UTF-8 becomes U+FFFD."""
        cdef TextView view
        cdef uint8_t* scratch = NULL
        cdef const uint8_t* data
        cdef size_t n, at = 0
        cdef Out out
        cdef bint done
        view_text(text, &view)
        data, n = <const uint8_t*>view.data, view.length
        out.data, out.n, out.capacity = NULL, 0, 0
        try:
            if view.kind:
                scratch = <uint8_t*>malloc(utf8_bound(&view, view.length))
                if scratch == NULL:
                    raise MemoryError()
                n = to_utf8(&view, &at, view.length, scratch)
                data = scratch
            with nogil:
                done = self.run(data, n, &out)
            if not done:
                raise MemoryError()
            return text_of(out.data, out.n)
        finally:
            free(scratch)
            free(out.data)
