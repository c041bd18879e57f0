# The C interface of text: views of a str or bytes, and transcoding to UTF-8.

from libc.stddef cimport size_t
from libc.stdint cimport uint8_t

# A str or a bytes-like object seen from C. `kind` is 0 for UTF-8 bytes (ASCII str, bytes), else the
# width in bytes of a str's code points. The object must outlive the view.
cdef struct TextView:
    int kind
    const void* data
    size_t length

cdef int view_text(object text, TextView* view) except -1
# Upper bound of the bytes that `to_utf8` writes; for kind 0 nothing needs writing.
cdef size_t utf8_bound(const TextView* view) noexcept nogil
cdef size_t to_utf8(const TextView* view, uint8_t* out) noexcept nogil
