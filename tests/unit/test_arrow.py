"""Arrow columns of texts to columns of ids, with pyarrow and Polars on the other side of the interface."""

import ctypes
import gc
import sys
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import bpetok
from bpetok import _arrow
from bpetok.errors import ArrowError, DisallowedSpecialError

pa = pytest.importorskip("pyarrow")
tokenizer = bpetok.get_encoding("gpt2")
pointer = ctypes.pythonapi.PyCapsule_GetPointer
pointer.restype, pointer.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]

TEXTS = ["hello world", None, "", "naïve ☃ 😀", "a", None, "x" * 40, "twelve bytes", "thirteen byte"]
TEXT_TYPES = [
    pa.string(),
    pa.large_string(),
    pa.string_view(),
    pa.binary(),
    pa.large_binary(),
    pa.binary_view(),
]


def expected(texts):
    return [None if text is None else tokenizer.encode(text) for text in texts]


def ids_of(column, **options):
    return pa.array(tokenizer.encode_arrow(column, **options)).to_pylist()


@pytest.fixture(autouse=True)
def nothing_is_left():
    """What was exported is freed with its last user."""
    gc.collect()
    before = _arrow._stores()
    yield
    gc.collect()
    assert _arrow._stores() == before


class TestColumns:
    @pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
    def test_types_of_text(self, kind):
        column = pa.array([t if t is None else t.encode() for t in TEXTS], pa.binary()).cast(kind)
        ids = pa.array(tokenizer.encode_arrow(column))
        ids.validate(full=True)
        assert ids.to_pylist() == expected(TEXTS)
        make = pa.list_ if kind in (pa.string(), pa.binary()) else pa.large_list
        assert ids.type == make(pa.uint32())
        assert ids.null_count == 2

    @pytest.mark.parametrize("kind", TEXT_TYPES, ids=str)
    def test_slices(self, kind):
        column = pa.array([t if t is None else t.encode() for t in TEXTS * 3], pa.binary()).cast(kind)
        for start in range(len(column)):
            for length in (0, 1, 8, 9, 10):
                part = column.slice(start, length)
                assert ids_of(part) == expected((TEXTS * 3)[start : start + length])

    def test_chunks(self):
        column = pa.chunked_array([TEXTS[:2], [], TEXTS[2:5], TEXTS[5:]], pa.string())
        assert ids_of(column) == expected(TEXTS)
        assert ids_of(column.slice(1, 6)) == expected(TEXTS[1:7])

    @pytest.mark.parametrize("column", [
        pa.array([], pa.string()), pa.array([], pa.string_view()), pa.chunked_array([], pa.large_string()),
        pa.array([]), pa.array(["a"])[1:],
    ], ids=["string", "view", "no chunk", "null", "slice"])  # fmt: skip
    def test_empty(self, column):
        ids = tokenizer.encode_arrow(column)
        assert len(ids) == 0
        assert pa.array(ids).to_pylist() == []
        assert pa.chunked_array(ids).to_pylist() == []

    def test_nulls_alone(self):
        assert ids_of(pa.nulls(3)) == [None] * 3
        assert ids_of(pa.nulls(3, pa.string())) == [None] * 3
        assert ids_of(pa.array(["", ""])) == [[], []]

    def test_what_a_null_hides_is_not_read(self):
        buffers = [pa.py_buffer(b"\x01"), pa.py_buffer(np.array([0, 1, 2], np.int32)), pa.py_buffer(b"a\xff")]
        assert ids_of(pa.Array.from_buffers(pa.string(), 2, buffers)) == [[64], None]

    def test_buffers_that_end_with_the_text(self):
        """Under a sanitizer, a read past the end is found."""
        for size in (1, 7, 15, 16, 31, 63, 64, 65, 200):
            for char in (b"a", b"9", "é".encode(), "漢".encode()):
                data = np.frombuffer((char * size)[: size // len(char) * len(char)], np.uint8).copy()
                offsets = np.array([0, len(data)], np.int64)
                column = pa.Array.from_buffers(
                    pa.large_string(), 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
                )
                assert ids_of(column) == [tokenizer.encode(bytes(data).decode())]


class TestPolars:
    def test_there_and_back(self):
        polars = pytest.importorskip("polars")
        series = polars.Series("text", TEXTS)
        ids = polars.Series("ids", tokenizer.encode_arrow(series))
        assert ids.dtype == polars.List(polars.UInt32)
        assert ids.to_list() == expected(TEXTS)
        both = polars.concat([series, series[3:]], rechunk=False)
        assert polars.Series(tokenizer.encode_arrow(both)).to_list() == expected(TEXTS + TEXTS[3:])

    def test_a_data_frame_is_refused(self):
        polars = pytest.importorskip("polars")
        with pytest.raises(ArrowError, match=r"\('text', 'n'\) holds no texts itself: pass one of"):
            tokenizer.encode_arrow(polars.DataFrame({"text": ["a"], "n": [1]}))

    def test_categories_are_refused(self):
        polars = pytest.importorskip("polars")
        with pytest.raises(ArrowError, match="dictionary: cast it to a string column"):
            tokenizer.encode_arrow(polars.Series(["a"], dtype=polars.Categorical))


def test_datasets_take_the_column():
    datasets = pytest.importorskip("datasets")
    table = pa.table({"text": TEXTS})
    table = table.append_column("input_ids", pa.chunked_array(tokenizer.encode_arrow(table["text"])))
    rows = datasets.Dataset(table)
    assert rows["input_ids"][:] == expected(TEXTS)


class TestThreadsAndPolicies:
    def test_threads_change_nothing(self, monkeypatch):
        monkeypatch.setattr("bpetok.tokenizer.os.sched_getaffinity", lambda _: range(4))
        texts = [None if i % 7 == 3 else f"text {i} naïve " * (i % 50) for i in range(3000)]
        for kind in (pa.string(), pa.string_view()):
            column = pa.array(texts, kind)
            one = ids_of(column, num_threads=1)
            assert one == expected(texts)
            assert ids_of(column, num_threads=4) == one

    def test_special_tokens(self):
        column = pa.array(["a<|endoftext|>", "b"])
        with pytest.raises(DisallowedSpecialError, match="endoftext"):
            tokenizer.encode_arrow(column)
        assert ids_of(column, allowed_special="all") == [[64, 50256], [65]]
        ordinary = tokenizer.encode_ordinary("a<|endoftext|>")
        assert ids_of(column, disallowed_special=()) == [ordinary, [65]]
        with pytest.raises(DisallowedSpecialError, match="'b'"):
            tokenizer.encode_arrow(pa.array(["a", None, "b"]), disallowed_special={"b"})

    def test_a_tokenizer_that_prepares_texts(self):
        from bpetok import Vocabulary
        from bpetok.normalization import Lowercase

        vocabulary = Vocabulary.from_ranks({bytes([b]): b for b in range(256)} | {b"ab": 256}, {})
        lower = bpetok.Tokenizer.from_vocabulary("lower", "gpt2", vocabulary, normalizer=Lowercase())
        own = bpetok.Tokenizer.from_vocabulary("own", r"\w+|\W+", vocabulary)
        for each in (lower, own):
            column = pa.array(["ABab", None, "é", ""])
            ids = pa.array(each.encode_arrow(column)).to_pylist()
            assert ids == [each.encode("ABab"), None, each.encode("é"), []]

    def test_unknown_bytes_are_named(self):
        toy = bpetok.Tokenizer("toy", pat_str="gpt2", mergeable_ranks={b"a": 0}, special_tokens={})
        with pytest.raises(bpetok.errors.EncodeError, match="byte 0x62 at byte 1"):
            toy.encode_arrow(pa.array(["a", "ab"]))

    def test_while_other_threads_encode(self):
        column = pa.array(["some text to encode, naïve"] * 500)
        wanted = ids_of(column)
        results = []
        threads = [
            threading.Thread(target=lambda: results.append(ids_of(column) == wanted)) for _ in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert results == [True] * 8


class TestErrors:
    @pytest.mark.parametrize(("column", "message"), [
        (["a"], "'list' is no Arrow column, .*: pass a column of pyarrow or Polars, or use encode_batch"),
        ("a", "'str' is no Arrow column"),
        (pa.array([1]), "holds int64, not texts: string, large_string, string_view, and the binary"),
        (pa.array([["a"]]), "holds lists, not texts"),
        (pa.array([1.5]), "holds float64, not texts"),
        (pa.array([b"ab"], pa.binary(2)), "holds data of the format 'w:2'"),
        (pa.array(["a"]).dictionary_encode(), "encoded as a dictionary: cast it"),
        (pa.table({"a": ["x"], "b": [1]}), r"\('a', 'b'\) holds no texts itself: pass one of"),
        (pa.record_batch({"a": ["x"]}), r"\('a'\) holds no texts itself"),
    ])  # fmt: skip
    def test_what_is_no_column_of_texts(self, column, message):
        with pytest.raises(ArrowError, match=message):
            tokenizer.encode_arrow(column)

    @pytest.mark.parametrize("bad", [b"\xff", b"ok\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf4\x90\x80\x80"])
    @pytest.mark.parametrize("kind", [pa.string(), pa.large_binary(), pa.string_view()], ids=str)
    def test_bytes_that_are_not_utf8(self, kind, bad):
        column = pa.array([b"fine", None, b"x" * 20 + bad, b"more"], pa.binary())
        column = column.view(pa.string()).cast(kind) if kind == pa.string_view() else column.cast(
            pa.large_binary() if kind == pa.large_binary() else pa.binary()).view(kind)  # fmt: skip
        with pytest.raises(
            ArrowError, match=r"row 2 of the column is not UTF-8 .* at byte 2.*errors='replace'"
        ):
            tokenizer.encode_arrow(column)
        replaced = (b"x" * 20 + bad).decode(errors="replace")
        assert ids_of(column, errors="replace") == expected(["fine", None, replaced, "more"])

    def test_offsets_out_of_order(self):
        for offsets in ([0, 3, 1, 3], [0, 1, -1, 3]):
            buffers = [None, pa.py_buffer(np.array(offsets, np.int32)), pa.py_buffer(b"abc")]
            with pytest.raises(ArrowError, match="row 1 of the column is damaged"):
                tokenizer.encode_arrow(pa.Array.from_buffers(pa.string(), 3, buffers))

    @pytest.mark.parametrize(
        "view", [(20, 0, 1, 0), (20, 0, -1, 0), (20, 0, 0, 5), (20, 0, 0, -1), (-1, 0, 0, 0)]
    )
    def test_views_of_what_is_not_there(self, view):
        buffers = [None, pa.py_buffer(np.array(view, np.int32)), pa.py_buffer(b"x" * 20)]
        with pytest.raises(ArrowError, match="row 0 of the column is damaged"):
            tokenizer.encode_arrow(pa.Array.from_buffers(pa.string_view(), 1, buffers))

    def test_too_many_ids_for_offsets_of_32_bits(self):
        before = _arrow._set_most_ids(3)
        try:
            assert ids_of(pa.array(["a b c"])) == expected(["a b c"])
            with pytest.raises(ArrowError, match=r"has 4 ids, more than the 3 .* cast it to large_string"):
                tokenizer.encode_arrow(pa.array(["a b c", "d"]))
            assert ids_of(pa.array(["a b c", "d"], pa.large_string())) == expected(["a b c", "d"])
        finally:
            _arrow._set_most_ids(before)

    def test_a_stream_that_breaks_off(self):
        """The first function of a stream gives the type, the second the next array, the third the message."""
        call = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)
        fail = call(lambda stream, out: 5)
        text = ctypes.c_char_p(b"the disk is gone")
        message = ctypes.CFUNCTYPE(ctypes.c_void_p, ctypes.c_void_p)(
            lambda stream: ctypes.cast(text, ctypes.c_void_p).value
        )
        stream = pa.chunked_array([["a"]]).__arrow_c_stream__()
        fields = (ctypes.c_void_p * 5).from_address(pointer(stream, b"arrow_array_stream"))

        class Broken:
            def __arrow_c_stream__(self, requested_schema=None):
                return stream

        fields[2] = ctypes.cast(message, ctypes.c_void_p).value
        for which in (1, 0):
            fields[which] = ctypes.cast(fail, ctypes.c_void_p).value
            with pytest.raises(ArrowError, match="the Arrow stream broke off: the disk is gone"):
                tokenizer.encode_arrow(Broken())

    def test_capsules_of_another_kind(self):
        class Odd:
            def __arrow_c_stream__(self, requested_schema=None):
                return pa.array(["a"]).__arrow_c_array__()[0]

        with pytest.raises(ArrowError, match="expected a capsule 'arrow_array_stream'"):
            tokenizer.encode_arrow(Odd())

    def test_a_capsule_that_was_used(self):
        capsules = pa.array(["a"]).__arrow_c_array__()

        class Used:
            def __arrow_c_array__(self, requested_schema=None):
                return capsules

        assert ids_of(Used()) == [[64]]
        with pytest.raises(ArrowError, match="released already"):
            tokenizer.encode_arrow(Used())

    def test_ids_without_a_column(self):
        for use in (len, pa.array, pa.chunked_array):
            with pytest.raises(ArrowError, match="encode_arrow makes those"):
                use(_arrow.ArrowIds())


class TestMemory:
    def test_the_column_is_given_back(self):
        column = pa.array(["some text"] * 100)
        before = pa.total_allocated_bytes()
        for _ in range(5):
            tokenizer.encode_arrow(column)
            tokenizer.encode_arrow(pa.chunked_array([column, column]))
        assert pa.total_allocated_bytes() == before

    def test_nothing_is_copied(self):
        ids = tokenizer.encode_arrow(pa.array(["some text"] * 100))
        first, second = pa.array(ids), pa.chunked_array(ids).chunk(0)
        assert first.values.buffers()[1].address == second.values.buffers()[1].address

    def test_ids_outlive_what_made_them(self):
        before = _arrow._stores()
        ids = tokenizer.encode_arrow(pa.array(["some text", None]))
        array, stream, unused = pa.array(ids), ids.__arrow_c_stream__(), ids.__arrow_c_array__()
        del ids
        assert _arrow._stores() == before + 1
        assert array.to_pylist() == expected(["some text", None])
        values = array.values
        del array, unused
        gc.collect()
        assert values.to_pylist() == tokenizer.encode("some text")
        del values
        assert _arrow._stores() == before + 1
        del stream
        assert _arrow._stores() == before

    def test_a_child_can_be_taken_out(self):
        """The specification lets a consumer move a child and release its parent."""
        before = _arrow._stores()
        _, capsule = tokenizer.encode_arrow(pa.array(["some text"])).__arrow_c_array__()
        fields = (ctypes.c_int64 * 10).from_address(pointer(capsule, b"arrow_array"))
        child = (ctypes.c_int64 * 10).from_address(ctypes.c_int64.from_address(fields[6]).value)
        moved = (ctypes.c_int64 * 10)(*child)
        child[8] = 0
        del capsule, fields, child
        assert _arrow._stores() == before + 1
        ctypes.CFUNCTYPE(None, ctypes.c_void_p)(moved[8])(ctypes.addressof(moved))
        assert moved[8] == 0
        assert _arrow._stores() == before

    def test_freed_by_threads_without_the_lock(self):
        arrays = [pa.array(tokenizer.encode_arrow(pa.array(["some text"] * 50))) for _ in range(40)]
        shares = [pa.chunked_array([each, each[3:]]) for each in arrays]
        del arrays

        def work():
            while shares:
                try:
                    shares.pop().combine_chunks()
                except IndexError:
                    return

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def test_references_are_given_back(self):
        column = pa.array(["some text"])
        ids = tokenizer.encode_arrow(column)
        counts = sys.getrefcount(ids), sys.getrefcount(column), sys.getrefcount(tokenizer)
        for _ in range(10):
            pa.array(ids)
            pa.chunked_array(ids)
            tokenizer.encode_arrow(column)
            with pytest.raises(ArrowError):
                tokenizer.encode_arrow(pa.array([b"\xff"]))
        gc.collect()  # tracebacks
        assert (sys.getrefcount(ids), sys.getrefcount(column), sys.getrefcount(tokenizer)) == counts


@given(
    st.lists(st.none() | st.text(st.characters(exclude_categories=("Cs",)), max_size=20), max_size=30),
    st.sampled_from(TEXT_TYPES),
    st.integers(0, 30),
    st.integers(0, 30),
)
def test_any_column_is_encoded_as_its_texts(texts, kind, start, cut):
    column = pa.array([t if t is None else t.encode() for t in texts], pa.binary()).cast(kind).slice(start)
    chunked = pa.chunked_array([column[:cut], column[cut:]], kind)
    wanted = [None if t is None else tokenizer.encode_ordinary(t) for t in texts[start:]]
    assert ids_of(column, disallowed_special=()) == wanted
    assert ids_of(chunked, disallowed_special=()) == wanted


@given(
    st.lists(st.binary(max_size=20) | st.text(max_size=6).map(lambda t: t.encode("utf-8", "surrogatepass")))
)
def test_any_bytes_are_replaced_as_python_does(rows):
    wanted = [tokenizer.encode_ordinary(row.decode(errors="replace")) for row in rows]
    column = pa.array(rows, pa.binary())
    assert ids_of(column, disallowed_special=(), errors="replace") == wanted


@given(
    st.text(st.sampled_from("aß漢😀\n"), min_size=1, max_size=40),
    st.integers(1, 60),
    st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), max_size=2),
)
def test_long_texts_are_utf8_where_python_says_so(text, times, changes):
    data = bytearray((text * times).encode())
    for at, byte in changes:
        data[at % len(data)] = byte
    column = pa.array([bytes(data)], pa.binary())
    try:
        wanted = tokenizer.encode_ordinary(data.decode())
    except UnicodeDecodeError:
        with pytest.raises(ArrowError, match="row 0 of the column is not UTF-8"):
            tokenizer.encode_arrow(column)
    else:
        assert ids_of(column, disallowed_special=()) == [wanted]
