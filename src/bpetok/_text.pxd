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
# Bytes that the UTF-8 of a number of a view's code units may take, with what a transcoding function
# writes past its result; 0 for kind 0, where nothing needs writing.
cdef size_t utf8_bound(const TextView* view, size_t units) noexcept nogil
# The UTF-8 of the view's next `units` code units from unit `at`, which moves behind them; of one more
# where they end inside a surrogate pair. Returns the number of bytes.
cdef size_t to_utf8(const TextView* view, size_t* at, size_t units, uint8_t* out) noexcept nogil
# A str of UTF-8; what is not valid becomes U+FFFD.
cdef str text_of(const uint8_t* data, size_t n)
cdef bint is_utf8(const uint8_t* data, size_t n) noexcept nogil
