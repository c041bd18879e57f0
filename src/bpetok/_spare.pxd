# The C interface of the spare buffer.

from libc.stddef cimport size_t

# Memory of at least `wanted` bytes in place of `memory`, of which the first `used` stay; NULL: there is none.
# `capacity` is how many it has, before and after.
cdef void* spare_grow(void* memory, size_t used, size_t* capacity, size_t wanted) noexcept nogil
# Free memory of so many bytes, or keep it for the next who asks.
cdef void spare_free(void* memory, size_t capacity) noexcept nogil
