"""Text as the engine sees it: a str or bytes in place, and a str as UTF-8; and UTF-8 as a str.

An ASCII str is read where it lies; any other is transcoded, with surrogates treated as tiktoken does.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.unicode cimport PyUnicode_DecodeUTF8
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc

from bpetok._cpu cimport AVX2, AVX512, NEON, SCALAR, tier

from bpetok._cpu import available

cdef extern from "Python.h":
    int PyUnicode_IS_ASCII(object text) nogil
    int PyUnicode_KIND(object text) nogil
    void* PyUnicode_DATA(object text) nogil
    Py_ssize_t PyUnicode_GET_LENGTH(object text) nogil
    str PyUnicode_New(Py_ssize_t size, Py_UCS4 largest)

cdef extern from "utf8.h" nogil:
    enum:
        UTF8_SLACK
    void utf8_prepare()
    size_t utf8_from(int tier, int kind, const void* units, size_t n, uint8_t* out)
    size_t utf8_measure(const uint8_t* text, size_t n, uint8_t* largest)
    void utf8_prepare_steps()
    bint utf8_valid(const uint8_t* text, size_t n)
    bint utf8_to(const uint8_t* text, size_t n, int kind, void* out)

cdef enum:
    MEASURED = 256          # bytes from which the width of a text is found before it is decoded

utf8_prepare()
utf8_prepare_steps()


cdef int view_text(object text, TextView* view) except -1:
    if isinstance(text, str):
        view.kind = 0 if PyUnicode_IS_ASCII(text) else PyUnicode_KIND(text)
        view.data = PyUnicode_DATA(text)
        view.length = <size_t>PyUnicode_GET_LENGTH(text)
    elif isinstance(text, bytes):
        view.kind = 0
        view.data = PyBytes_AS_STRING(text)
        view.length = <size_t>PyBytes_GET_SIZE(text)
    else:
        raise TypeError(f"expected a str or bytes to tokenize, got {type(text).__name__}")
    return 0


cdef size_t utf8_bound(const TextView* view, size_t units) noexcept nogil:
    # Two bytes for Latin-1, three for the basic plane (a pair of surrogates makes four), else four.
    if view.kind == 0:
        return 0
    return (2 if view.kind == 1 else 3 if view.kind == 2 else 4) * (units + 1) + UTF8_SLACK


cdef inline uint32_t unit(const TextView* view, size_t at) noexcept nogil:
    if view.kind == 2:
        return (<const uint16_t*>view.data)[at]
    return (<const uint32_t*>view.data)[at]


cdef size_t to_utf8(const TextView* view, size_t* at, size_t units, uint8_t* out) noexcept nogil:
    cdef size_t begin = at[0], end = view.length
    if units < end - begin:
        end = begin + units
        if view.kind > 1 and 0xD800 <= unit(view, end - 1) < 0xDC00 <= unit(view, end) < 0xE000:
            end += 1        # not between the halves of a pair
    at[0] = end
    return utf8_from(tier(), view.kind, <const uint8_t*>view.data + begin * <size_t>view.kind, end - begin,
                     out)


cdef str text_of(const uint8_t* data, size_t n):
    # Python's own decoder is quick for little and for ASCII, but widens what it has at each wider
    # character. Here the width is found first.
    cdef uint8_t largest = 0
    cdef size_t count
    cdef str text
    if n >= MEASURED:
        count = utf8_measure(data, n, &largest)
        if largest >= 0x80:
            text = PyUnicode_New(<Py_ssize_t>count, 0xFF if largest < 0xC4 else
                                 0xFFFF if largest < 0xF0 else 0x10FFFF)
            if utf8_to(data, n, PyUnicode_KIND(text), PyUnicode_DATA(text)):
                return text
    return PyUnicode_DecodeUTF8(<const char*>data, <Py_ssize_t>n, "replace")


cdef bint is_utf8(const uint8_t* data, size_t n) noexcept nogil:
    return utf8_valid(data, n)


cdef bytes transcode(const TextView* view, int with_tier):
    cdef uint8_t* scratch = <uint8_t*>malloc(utf8_bound(view, view.length))
    if scratch == NULL:
        raise MemoryError()
    try:
        return PyBytes_FromStringAndSize(
            <const char*>scratch,
            <Py_ssize_t>utf8_from(with_tier, view.kind, view.data, view.length, scratch))
    finally:
        free(scratch)


def as_utf8(text) -> bytes:
    """UTF-8 of a str, with surrogates treated as tiktoken does; bytes pass through unchanged.

    A high and a low surrogate side by side become the character they stand for, a lone one U+FFFD.

    >>> as_utf8("caf\\u00e9 \\ud83d\\ude00 \\ud83d")
    b'caf\\xc3\\xa9 \\xf0\\x9f\\x98\\x80 \\xef\\xbf\\xbd'
    """
    cdef TextView view
    if isinstance(text, bytes):
        return text
    view_text(text, &view)
    if view.kind == 0:
        return PyBytes_FromStringAndSize(<const char*>view.data, <Py_ssize_t>view.length)
    return transcode(&view, tier())


cdef bint any_surrogate(const void* data, Py_ssize_t n, int kind) noexcept nogil:
    cdef const uint16_t* narrow = <const uint16_t*>data
    cdef const uint32_t* wide = <const uint32_t*>data
    cdef Py_ssize_t i
    cdef uint8_t hit = 0
    if kind == 2:
        for i in range(n):      # to the end, so that the compiler takes many at a time
            hit |= (narrow[i] & 0xF800) == 0xD800
    elif kind == 4:
        for i in range(n):
            hit |= (wide[i] & <uint32_t>0xFFFFF800) == 0xD800
    return hit


def repaired(text) -> str:
    """A str with its surrogates treated as `as_utf8` does; itself where it has none. That of a subclass
    becomes a plain one.

    Raises:
        TypeError: it is no str.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected a str, got {type(text).__name__}")
    if type(text) is str and not any_surrogate(PyUnicode_DATA(text), PyUnicode_GET_LENGTH(text),
                                               PyUnicode_KIND(text)):
        return text
    return as_utf8(text).decode()


def has_any(text, tuple ranges not None) -> bool:
    """Whether a str has a character of any (first, last) of some ranges, all beyond the basic plane; as
    `as_utf8` sees it, so that a pair of surrogates is one.

    Raises:
        TypeError: it is no str.
    """
    cdef const uint32_t* wide
    cdef uint32_t first, span
    cdef Py_ssize_t i
    cdef uint8_t hit = 0
    text = repaired(text)
    if PyUnicode_KIND(text) < 4:
        return False
    wide = <const uint32_t*>PyUnicode_DATA(text)
    for first, last in ranges:
        span = last - first
        for i in range(PyUnicode_GET_LENGTH(text)):     # to the end, as above
            hit |= wide[i] - first <= span
    return hit


def _as_utf8_on(str text not None, str name not None) -> bytes:
    """As `as_utf8` for a str that is not ASCII, with the instructions of a named tier of this machine."""
    cdef TextView view
    cdef dict tiers = {"scalar": SCALAR, "avx2": AVX2, "avx512": AVX512, "neon": NEON}
    if name not in available():
        raise ValueError(f"this machine has no tier {name!r}")
    view_text(text, &view)
    if view.kind == 0:
        raise ValueError("an ASCII str is not transcoded")
    return transcode(&view, tiers[name])


def _as_str(bytes data not None) -> str:
    """A str of UTF-8; what is not valid becomes U+FFFD."""
    return text_of(<const uint8_t*>PyBytes_AS_STRING(data), <size_t>PyBytes_GET_SIZE(data))
