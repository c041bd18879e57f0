"""Text as the engine sees it: a str or bytes in place, and a str as UTF-8.

An ASCII str is read where it lies; any other is transcoded, with surrogates treated as tiktoken does.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, malloc

cdef extern from "Python.h":
    int PyUnicode_IS_ASCII(object text) nogil
    int PyUnicode_KIND(object text) nogil
    void* PyUnicode_DATA(object text) nogil
    Py_ssize_t PyUnicode_GET_LENGTH(object text) nogil


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


cdef size_t utf8_bound(const TextView* view) noexcept nogil:
    # Two bytes for Latin-1, three for the basic plane (a pair of surrogates makes four), else four.
    if view.kind == 0:
        return 0
    if view.kind == 1:
        return 2 * view.length
    if view.kind == 2:
        return 3 * view.length
    return 4 * view.length


cdef inline size_t put_char(uint32_t cp, uint8_t* out) noexcept nogil:
    if cp < 0x80:
        out[0] = <uint8_t>cp
        return 1
    if cp < 0x800:
        out[0] = <uint8_t>(0xC0 | (cp >> 6))
        out[1] = <uint8_t>(0x80 | (cp & 0x3F))
        return 2
    if cp < 0x10000:
        out[0] = <uint8_t>(0xE0 | (cp >> 12))
        out[1] = <uint8_t>(0x80 | ((cp >> 6) & 0x3F))
        out[2] = <uint8_t>(0x80 | (cp & 0x3F))
        return 3
    out[0] = <uint8_t>(0xF0 | (cp >> 18))
    out[1] = <uint8_t>(0x80 | ((cp >> 12) & 0x3F))
    out[2] = <uint8_t>(0x80 | ((cp >> 6) & 0x3F))
    out[3] = <uint8_t>(0x80 | (cp & 0x3F))
    return 4


cdef inline size_t put_any(uint32_t cp, uint32_t following, bint* paired, uint8_t* out) noexcept nogil:
    # As tiktoken: through UTF-16 with "surrogatepass" and back with "replace". A high and a low
    # surrogate side by side become one character, a lone one becomes U+FFFD.
    paired[0] = False
    if 0xD800 <= cp < 0xE000:
        if cp < 0xDC00 and 0xDC00 <= following < 0xE000:
            paired[0] = True
            cp = 0x10000 + ((cp - 0xD800) << 10) + (following - 0xDC00)
        else:
            cp = 0xFFFD
    return put_char(cp, out)


cdef size_t to_utf8(const TextView* view, uint8_t* out) noexcept nogil:
    cdef const uint8_t* narrow = <const uint8_t*>view.data
    cdef const uint16_t* medium = <const uint16_t*>view.data
    cdef const uint32_t* wide = <const uint32_t*>view.data
    cdef size_t n = view.length, i = 0, at = 0
    cdef bint paired
    if view.kind == 1:
        while i < n:
            at += put_char(narrow[i], out + at)
            i += 1
    elif view.kind == 2:
        while i < n:
            at += put_any(medium[i], medium[i + 1] if i + 1 < n else 0, &paired, out + at)
            i += 2 if paired else 1
    else:
        while i < n:
            at += put_any(wide[i], wide[i + 1] if i + 1 < n else 0, &paired, out + at)
            i += 2 if paired else 1
    return at


def as_utf8(text) -> bytes:
    """UTF-8 of a str, with surrogates treated as tiktoken does; bytes pass through unchanged.

    A high and a low surrogate side by side become the character they stand for, a lone one U+FFFD.

    >>> as_utf8("caf\\u00e9 \\ud83d\\ude00 \\ud83d")
    b'caf\\xc3\\xa9 \\xf0\\x9f\\x98\\x80 \\xef\\xbf\\xbd'
    """
    cdef TextView view
    cdef uint8_t* scratch
    if isinstance(text, bytes):
        return text
    view_text(text, &view)
    if view.kind == 0:
        return PyBytes_FromStringAndSize(<const char*>view.data, <Py_ssize_t>view.length)
    scratch = <uint8_t*>malloc(utf8_bound(&view) + 1)
    if scratch == NULL:
        raise MemoryError()
    try:
        return PyBytes_FromStringAndSize(<const char*>scratch, <Py_ssize_t>to_utf8(&view, scratch))
    finally:
        free(scratch)
