# The C interface of batches, for texts that are no Python objects.

from libc.stddef cimport size_t
from libc.stdint cimport int64_t, uint32_t

from bpetok._encode cimport Encoder
from bpetok._ids cimport IdBuffer
from bpetok._text cimport TextView
from bpetok._workspace cimport Workspace

cdef class Batch:
    cdef Encoder encoder
    cdef list texts
    cdef list results               # of `lists`
    cdef bytes mask
    cdef bint reject
    cdef bint unchecked             # whether views may be of bytes that are no UTF-8, or of nothing (NULL)
    cdef TextView* views
    cdef size_t* sizes              # ids of each text
    cdef Py_ssize_t* first          # text of each chunk; one more at the end
    cdef str form                   # what is wanted
    cdef Py_ssize_t n_threads
    cdef Workspace** spaces         # of each thread
    cdef Py_ssize_t* next_of        # the next chunk of each thread's stretch
    cdef list parts                 # the ids that each thread has made, for `flat`
    cdef size_t* starts             # of the ids of each chunk in its part
    cdef Py_ssize_t* part_of        # each chunk
    cdef Py_ssize_t n               # how many texts there are
    cdef readonly Py_ssize_t n_chunks
    cdef readonly size_t length     # code units of all texts

    cdef int hold(self, Encoder encoder, Py_ssize_t n) except -1
    cdef int divide(self) except -1
    cdef object text(self, Py_ssize_t i)
    cdef Py_ssize_t stretch(self, Py_ssize_t which, Py_ssize_t n_threads) noexcept
    cdef int encode_chunk(self, Py_ssize_t chunk, Workspace* ws, bint lists) except -1
    cdef int make_lists(self, Py_ssize_t chunk, const uint32_t* ids) except -1
    cdef size_t put_offsets(self, int64_t* offsets) noexcept
    cdef IdBuffer wide(self, size_t n)
    cdef size_t ids_of(self, Py_ssize_t chunk, const uint32_t** ids)
