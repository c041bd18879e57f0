"""Arrow columns: texts out of them and ids into them, by the Arrow C data interface and its capsules.

No package of Arrow is needed: a column is a few structs with pointers, and Python objects hand them over in
capsules (https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html). Texts are encoded
where they lie. What is exported is plain memory with a count of its users, so that whoever uses it may free
it in any thread, without the GIL, and also after the interpreter has ended.
"""

from cpython.pycapsule cimport PyCapsule_GetPointer, PyCapsule_IsValid, PyCapsule_New
from libc.errno cimport ENOMEM
from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc, realloc
from libc.string cimport memset

from bpetok._batch cimport Batch
from bpetok._encode cimport Encoder
from bpetok._ids cimport IdBuffer
from bpetok._spare cimport spare_free
from bpetok._text cimport TextView

from bpetok.errors import ArrowError

cdef extern from "arrow_abi.h" nogil:
    enum:
        ARROW_FLAG_NULLABLE
    ctypedef struct ArrowSchema "struct ArrowSchema":
        const char* format
        const char* name
        const char* metadata
        int64_t flags
        int64_t n_children
        ArrowSchema** children
        ArrowSchema* dictionary
        void (*release)(ArrowSchema*) noexcept nogil
        void* private_data
    ctypedef struct ArrowArray "struct ArrowArray":
        int64_t length
        int64_t null_count
        int64_t offset
        int64_t n_buffers
        int64_t n_children
        const void** buffers
        ArrowArray** children
        ArrowArray* dictionary
        void (*release)(ArrowArray*) noexcept nogil
        void* private_data
    ctypedef struct ArrowArrayStream "struct ArrowArrayStream":
        int (*get_schema)(ArrowArrayStream*, ArrowSchema*) noexcept nogil
        int (*get_next)(ArrowArrayStream*, ArrowArray*) noexcept nogil
        const char* (*get_last_error)(ArrowArrayStream*) noexcept nogil
        void (*release)(ArrowArrayStream*) noexcept nogil
        void* private_data
    long BPETOK_COUNT(long* n, long change)

cdef long n_stores = 0      # for tests
cdef int64_t most_ids = 2147483647

cdef struct Store:
    # What an `ArrowIds` and all that was exported of it point to; freed with the last user.
    long users
    int64_t n               # rows
    int64_t n_nulls
    bint large              # whether offsets have 64 bits
    void* offsets
    uint8_t* valid          # a bit for each row; NULL where there are no nulls
    uint32_t* ids
    size_t n_ids

# ---- texts in -------------------------------------------------------------------------------------------

cdef enum:
    NOTHING         # a column of nulls alone
    SHORT           # offsets of 32 bits
    LONG            # offsets of 64 bits
    VIEWS           # 16 bytes a row: the text itself, or where it is

cdef struct View:
    int32_t length
    uint8_t inlined[4]      # the text, if it has no more than 12 bytes; else its beginning
    int32_t buffer
    int32_t offset

cdef dict KINDS = {"n": NOTHING, "u": SHORT, "z": SHORT, "U": LONG, "Z": LONG, "vu": VIEWS, "vz": VIEWS}
cdef dict NAMES = {
    "b": "bool", "c": "int8", "C": "uint8", "s": "int16", "S": "uint16", "i": "int32", "I": "uint32",
    "l": "int64", "L": "uint64", "e": "float16", "f": "float32", "g": "float64", "+l": "lists",
    "+L": "lists",
}


cdef class Column:
    """The arrays of a column of texts, which are kept until the object goes.

    Raises:
        ArrowError: the object shows no Arrow data, or it is no column of texts, or damaged.
    """

    cdef ArrowArray* arrays
    cdef Py_ssize_t n_arrays
    cdef int kind
    cdef Py_ssize_t n           # rows
    cdef Py_ssize_t n_nulls

    def __init__(self, column):
        # A capsule frees what it holds, unless that has been taken out.
        if hasattr(column, "__arrow_c_array__"):
            schema, array = column.__arrow_c_array__()
            self.look(<ArrowSchema*>inside(schema, b"arrow_schema"))
            self.take(<ArrowArray*>inside(array, b"arrow_array"))
        elif hasattr(column, "__arrow_c_stream__"):
            stream = column.__arrow_c_stream__()
            self.drain(<ArrowArrayStream*>inside(stream, b"arrow_array_stream"))
        else:
            raise ArrowError(
                f"{type(column).__name__!r} is no Arrow column, which has the method __arrow_c_stream__ or "
                "__arrow_c_array__: pass a column of pyarrow or Polars, or use encode_batch for a list of "
                "str")

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.n_arrays):
            self.arrays[i].release(&self.arrays[i])
        free(self.arrays)

    cdef int drain(self, ArrowArrayStream* stream) except -1:
        cdef ArrowSchema schema
        cdef ArrowArray array
        cdef int status
        memset(&schema, 0, sizeof(schema))
        with nogil:                     # it may wait for threads that need it
            status = stream.get_schema(stream, &schema)
        self.check(stream, status)
        try:
            self.look(&schema)
        finally:
            if schema.release != NULL:
                schema.release(&schema)
        while True:
            memset(&array, 0, sizeof(array))
            with nogil:
                status = stream.get_next(stream, &array)
            self.check(stream, status)
            if array.release == NULL:
                return 0
            try:
                self.take(&array)
            finally:
                if array.release != NULL:
                    array.release(&array)

    cdef int check(self, ArrowArrayStream* stream, int status) except -1:
        cdef const char* message
        if status != 0:
            message = stream.get_last_error(stream)
            raise ArrowError("the Arrow stream broke off: "
                             + (f"error {status}" if message == NULL else message.decode(errors="replace")))
        return 0

    cdef int look(self, ArrowSchema* schema) except -1:
        """Find out what kind of column it is."""
        cdef str form = schema.format.decode(errors="replace")
        cdef str what = NAMES.get(form, f"data of the format {form!r}")
        if schema.dictionary != NULL:
            raise ArrowError("the column is encoded as a dictionary: cast it to a string column first")
        if form == "+s":
            names = ", ".join(repr(schema.children[i].name.decode(errors="replace"))
                              for i in range(min(schema.n_children, 20)) if schema.children[i].name != NULL)
            raise ArrowError(f"a table or a column of structs ({names}) holds no texts itself: pass one of "
                             "its columns")
        if form not in KINDS:
            raise ArrowError(f"the column holds {what}, not texts: string, large_string, string_view, and "
                             "the binary types like them are encoded; cast it to one of these")
        self.kind = KINDS[form]
        return 0

    cdef int take(self, ArrowArray* array) except -1:
        """Take over an array."""
        cdef ArrowArray* grown
        cdef int64_t least = 0 if self.kind == NOTHING else 3
        if array.release == NULL:
            raise ArrowError("the Arrow array has been released already: ask its owner for another")
        if array.length < 0 or array.offset < 0 or array.n_buffers < least:
            raise ArrowError(f"the Arrow array is damaged: length {array.length}, offset {array.offset}, "
                             f"{array.n_buffers} buffers")
        grown = <ArrowArray*>realloc(self.arrays, (self.n_arrays + 1) * sizeof(ArrowArray))
        if grown == NULL:
            raise MemoryError()
        self.arrays = grown
        grown[self.n_arrays] = array[0]
        array.release = NULL
        self.n_arrays += 1
        self.n += array.length
        return 0

    cdef int view(self, TextView* views) except -1:
        """Set a view of each row; that of a null has no data."""
        cdef ArrowArray* array
        cdef const uint8_t* valid
        cdef Py_ssize_t which, row = 0
        cdef int64_t i
        self.n_nulls = 0
        for which in range(self.n_arrays):
            array = &self.arrays[which]
            valid = NULL if self.kind == NOTHING else <const uint8_t*>array.buffers[0]
            for i in range(array.offset, array.offset + array.length):
                if self.kind == NOTHING or valid != NULL and not valid[i >> 3] >> (i & 7) & 1:
                    self.n_nulls += 1
                elif not self.find(array, i, &views[row]):
                    raise ArrowError(f"row {row} of the column is damaged: it lies outside of its buffer")
                row += 1
        return 0

    cdef bint find(self, ArrowArray* array, int64_t i, TextView* view) noexcept:
        """Find the text of a row that is not null; false where it cannot be."""
        cdef const View* given
        cdef const int64_t* sizes
        cdef const void* data = array.buffers[2]
        cdef int64_t start = 0, end = 0
        if self.kind == SHORT:
            start = (<const int32_t*>array.buffers[1])[i]
            end = (<const int32_t*>array.buffers[1])[i + 1]
        elif self.kind == LONG:
            start = (<const int64_t*>array.buffers[1])[i]
            end = (<const int64_t*>array.buffers[1])[i + 1]
        else:
            given = <const View*>array.buffers[1] + i
            end = given.length
            data = given.inlined
            if end > 12:
                # The last buffer has the sizes of those between.
                if not 0 <= given.buffer < array.n_buffers - 3:
                    return False
                sizes = <const int64_t*>array.buffers[array.n_buffers - 1]
                data = array.buffers[2 + given.buffer]
                start = given.offset
                end += start
                if end > sizes[given.buffer]:
                    return False
        if not 0 <= start <= end or (data == NULL and start < end):
            return False
        view.kind = 0
        view.length = <size_t>(end - start)
        if data == NULL:        # there is no buffer where all texts are empty
            view.data = <const char*>b""
        else:
            view.data = <const uint8_t*>data + start
        return True


cdef void* inside(capsule, const char* name) except NULL:
    if not PyCapsule_IsValid(capsule, name):
        raise ArrowError(f"expected a capsule {name.decode()!r}, got {capsule!r}")
    return PyCapsule_GetPointer(capsule, name)


cdef class ColumnBatch(Batch):
    """A batch of the texts of a column. `errors` says what to do with bytes that are no UTF-8."""

    cdef Column column
    cdef str errors

    def __init__(self, Encoder encoder not None, column, str errors not None):
        self.column = Column(column)
        self.errors = errors
        self.unchecked = True
        self.hold(encoder, self.column.n)
        self.column.view(self.views)
        self.divide()

    def __iter__(self):
        """The texts that are there, as str."""
        return (self.text(i) for i in range(self.n) if self.views[i].data != NULL)

    cdef object text(self, Py_ssize_t i):
        cdef bytes data = (<const char*>self.views[i].data)[:self.views[i].length]
        try:
            return data.decode("utf-8", self.errors)
        except UnicodeDecodeError as error:
            raise ArrowError(
                f"row {i} of the column is not UTF-8 ({error.reason} at byte {error.start}, "
                f"{data[error.start:error.end]!r}): repair it, or have such bytes replaced with "
                "errors='replace'") from error

    def arrow(self):
        """The ids as an `ArrowIds`; after `end`, of the form "flat"."""
        cdef ArrowIds result = ArrowIds()
        cdef Store* store = <Store*>calloc(1, sizeof(Store))
        cdef IdBuffer ids
        cdef int64_t* offsets
        cdef Py_ssize_t i
        if store == NULL:
            raise MemoryError()
        BPETOK_COUNT(&n_stores, 1)
        store.users = 1
        result.store = store            # from here on it is freed
        store.n = self.n
        store.n_nulls = self.column.n_nulls
        store.large = self.column.kind in (LONG, VIEWS)
        store.offsets = offsets = <int64_t*>malloc((self.n + 1) * sizeof(int64_t))
        if offsets == NULL:
            raise MemoryError()
        ids = self.wide(self.put_offsets(offsets))
        store.ids, store.n_ids = ids.ids, ids.n
        ids.ids, ids.n = NULL, 0
        if not store.large:
            self.narrow(store)
        if store.n_nulls:
            store.valid = <uint8_t*>calloc(self.n // 8 + 1, 1)
            if store.valid == NULL:
                raise MemoryError()
            for i in range(self.n):
                store.valid[i >> 3] |= (self.views[i].data != NULL) << (i & 7)
        return result

    cdef int narrow(self, Store* store) except -1:
        """Give a store offsets of 32 bits."""
        cdef const int64_t* wide = <const int64_t*>store.offsets
        cdef int32_t* narrow
        cdef Py_ssize_t i
        if wide[self.n] > most_ids:
            raise ArrowError(
                f"the column has {wide[self.n]} ids, more than the {most_ids} that a column of lists can "
                "have: encode it in parts, or cast it to large_string to get a large_list")
        narrow = <int32_t*>malloc((self.n + 1) * sizeof(int32_t))
        if narrow == NULL:
            raise MemoryError()
        for i in range(self.n + 1):
            narrow[i] = <int32_t>wide[i]
        free(store.offsets)
        store.offsets = narrow
        return 0


# ---- ids out --------------------------------------------------------------------------------------------

def _stores() -> int:
    """How many columns of ids there are in memory, for tests."""
    return n_stores


def _set_most_ids(int64_t most) -> int:
    """Set how many ids a column with offsets of 32 bits may have, for tests; returns what it was."""
    global most_ids
    before = most_ids
    most_ids = most
    return before


cdef void leave(Store* store) noexcept nogil:
    """One user less."""
    if BPETOK_COUNT(&store.users, -1) == 0:
        free(store.offsets)
        free(store.valid)
        spare_free(store.ids, store.n_ids * sizeof(uint32_t))
        free(store)
        BPETOK_COUNT(&n_stores, -1)


cdef struct Parts:
    # What a struct of the interface points to, besides the store.
    Store* store
    const void* buffers[2]
    ArrowArray* child
    ArrowSchema* child_type


cdef void release_array(ArrowArray* array) noexcept nogil:
    # A child that someone has taken out lives on, and frees itself.
    cdef Parts* parts = <Parts*>array.private_data
    if parts.child != NULL:
        if parts.child.release != NULL:
            parts.child.release(parts.child)
        free(parts.child)
    leave(parts.store)
    free(parts)
    array.release = NULL


cdef Parts* start_array(Store* store, ArrowArray* array, int64_t n, int64_t n_nulls, const void* first,
                        const void* second) noexcept nogil:
    """Set an array of two buffers; NULL where there is no memory."""
    cdef Parts* parts = <Parts*>calloc(1, sizeof(Parts))
    memset(array, 0, sizeof(ArrowArray))
    if parts == NULL:
        return NULL
    BPETOK_COUNT(&store.users, 1)
    parts.store = store
    parts.buffers[0], parts.buffers[1] = first, second
    array.length = n
    array.null_count = n_nulls
    array.n_buffers = 2
    array.buffers = parts.buffers
    array.release = release_array
    array.private_data = parts
    return parts


cdef int export_array(Store* store, ArrowArray* array) noexcept nogil:
    cdef Parts* parts = start_array(store, array, store.n, store.n_nulls, store.valid, store.offsets)
    if parts == NULL:
        return ENOMEM
    parts.child = <ArrowArray*>calloc(1, sizeof(ArrowArray))
    if (parts.child == NULL
            or start_array(store, parts.child, <int64_t>store.n_ids, 0, NULL, store.ids) == NULL):
        release_array(array)
        return ENOMEM
    array.n_children = 1
    array.children = &parts.child
    return 0


cdef void release_schema(ArrowSchema* schema) noexcept nogil:
    cdef Parts* parts = <Parts*>schema.private_data
    if parts != NULL:
        if parts.child_type.release != NULL:
            parts.child_type.release(parts.child_type)
        free(parts.child_type)
        free(parts)
    schema.release = NULL


cdef int export_schema(Store* store, ArrowSchema* schema) noexcept nogil:
    cdef Parts* parts = <Parts*>calloc(1, sizeof(Parts))
    cdef ArrowSchema* child = <ArrowSchema*>calloc(1, sizeof(ArrowSchema))
    memset(schema, 0, sizeof(ArrowSchema))
    if parts == NULL or child == NULL:
        free(parts)
        free(child)
        return ENOMEM
    child.format, child.name = b"I", b"item"
    child.flags = ARROW_FLAG_NULLABLE
    child.release = release_schema
    parts.child_type = child
    schema.format, schema.name = b"+L" if store.large else b"+l", b""
    schema.flags = ARROW_FLAG_NULLABLE
    schema.n_children = 1
    schema.children = &parts.child_type
    schema.release = release_schema
    schema.private_data = parts
    return 0


cdef struct Stream:
    Store* store
    bint done


cdef int stream_schema(ArrowArrayStream* stream, ArrowSchema* out) noexcept nogil:
    return export_schema((<Stream*>stream.private_data).store, out)


cdef int stream_next(ArrowArrayStream* stream, ArrowArray* out) noexcept nogil:
    cdef Stream* state = <Stream*>stream.private_data
    if state.done:
        memset(out, 0, sizeof(ArrowArray))
        return 0
    state.done = True
    return export_array(state.store, out)


cdef const char* stream_error(ArrowArrayStream* stream) noexcept nogil:
    return b"out of memory"


cdef void release_stream(ArrowArrayStream* stream) noexcept nogil:
    leave((<Stream*>stream.private_data).store)
    free(stream.private_data)
    stream.release = NULL


# A capsule frees the struct, and first what the struct holds, unless a consumer has taken it.

cdef void free_schema(object capsule) noexcept:
    cdef ArrowSchema* schema = <ArrowSchema*>PyCapsule_GetPointer(capsule, b"arrow_schema")
    if schema.release != NULL:
        schema.release(schema)
    free(schema)


cdef void free_array(object capsule) noexcept:
    cdef ArrowArray* array = <ArrowArray*>PyCapsule_GetPointer(capsule, b"arrow_array")
    if array.release != NULL:
        array.release(array)
    free(array)


cdef void free_stream(object capsule) noexcept:
    cdef ArrowArrayStream* stream = <ArrowArrayStream*>PyCapsule_GetPointer(capsule, b"arrow_array_stream")
    if stream.release != NULL:
        stream.release(stream)
    free(stream)


cdef class ArrowIds:
    """A column of lists of ids, from `Tokenizer.encode_arrow`, in the order of the texts; null where a text
    was null. Libraries that know Arrow take it as it is, without a copy: `pyarrow.array(ids)`,
    `pyarrow.chunked_array(ids)`, `polars.Series(ids)`."""

    cdef Store* store

    def __dealloc__(self):
        if self.store != NULL:
            leave(self.store)

    cdef Store* known(self) except NULL:
        if self.store == NULL:
            raise ArrowError("this object holds no ids: Tokenizer.encode_arrow makes those that do")
        return self.store

    def __len__(self):
        return self.known().n

    def __arrow_c_schema__(self):
        """The type, list or large_list of uint32, in a capsule."""
        cdef ArrowSchema* schema = <ArrowSchema*>calloc(1, sizeof(ArrowSchema))
        if schema == NULL:
            raise MemoryError()
        capsule = PyCapsule_New(schema, b"arrow_schema", free_schema)
        if export_schema(self.known(), schema) != 0:
            raise MemoryError()
        return capsule

    def __arrow_c_array__(self, requested_schema=None):
        """The type and the column in capsules. Another type that is asked for is not made."""
        cdef ArrowArray* array = <ArrowArray*>calloc(1, sizeof(ArrowArray))
        if array == NULL:
            raise MemoryError()
        capsule = PyCapsule_New(array, b"arrow_array", free_array)
        if export_array(self.known(), array) != 0:
            raise MemoryError()
        return self.__arrow_c_schema__(), capsule

    def __arrow_c_stream__(self, requested_schema=None):
        """A stream of one array in a capsule. Another type that is asked for is not made."""
        cdef ArrowArrayStream* stream = <ArrowArrayStream*>calloc(1, sizeof(ArrowArrayStream))
        cdef Stream* state
        cdef Store* store = self.known()
        if stream == NULL:
            raise MemoryError()
        capsule = PyCapsule_New(stream, b"arrow_array_stream", free_stream)
        state = <Stream*>calloc(1, sizeof(Stream))
        if state == NULL:
            raise MemoryError()
        BPETOK_COUNT(&store.users, 1)
        state.store = store
        stream.get_schema = stream_schema
        stream.get_next = stream_next
        stream.get_last_error = stream_error
        stream.release = release_stream
        stream.private_data = state
        return capsule
