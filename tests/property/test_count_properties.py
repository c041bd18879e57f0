"""Counting generated text: a table is a Counter, whatever its parts, files and sums."""

import codecs
from collections import Counter
from unittest import mock

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

import strategies
from bpetok import counting, reference
from bpetok._count import PieceCounts
from bpetok.counting import CountTable, count, merge_files, tally
from bpetok.patterns import NAMED
from bpetok.spilling import Runs, gather, joined

# Around 15 and 16 bytes the way changes in which a table keeps a piece.
pieces = st.one_of(
    st.binary(min_size=1, max_size=3),
    st.binary(min_size=14, max_size=18),
    st.builds(lambda byte, n: byte * n, st.sampled_from([b"\0", b"a", b"\xff"]), st.integers(1, 40)),
)
counters = st.dictionaries(pieces, st.one_of(st.integers(1, 3), st.integers(1, 2**40)), max_size=30)
texts = st.lists(
    st.one_of(st.sampled_from(strategies.FRAGMENTS), st.text("aB1 '\n\r!/\u00e9\u0301\u4e2d", max_size=6)),
    max_size=40,
).map(lambda parts: "".join(parts).encode("utf-8", "surrogatepass"))


def table_of(counter) -> PieceCounts:
    table = PieceCounts()
    for piece, n in counter.items():
        table.add(piece, n)
    return table


@given(st.lists(counters, max_size=4), st.integers(1, 100))
def test_a_table_is_a_counter(parts, n_parts):
    total: Counter[bytes] = Counter()
    table = PieceCounts()
    for part in parts:
        total.update(part)
        table.update(table_of(part))
    assert dict(table.items()) == total
    assert (len(table), table.n_pieces) == (len(total), total.total())
    assert all(table.get(piece) == n for piece, n in total.items())
    again = PieceCounts()
    again.reserve(len(table))
    for part in range(n_parts):
        again.load(table.dump(part, n_parts, ordered=True)[0], part, n_parts, ordered=True)
    assert again.equals(table)


@pytest.fixture(scope="module")
def crowd() -> list[bytes]:
    """Pieces that belong into the first and the last few slots of any table, short ones and long ones."""
    everyone = PieceCounts()
    for n in range(120_000):
        everyone.add(b"%d" % n * (1 + 3 * (n % 2)), 1)
    found = []
    for part in (0, 511):
        chosen = PieceCounts()
        chosen.load(everyone.dump(part, 512)[0], part, 512)
        found += [piece for piece, _ in chosen.items()]
    assert len(found) > 300
    return found


@given(st.data())
def test_a_table_that_grows_keeps_all_in_reach(crowd, data):
    chosen = data.draw(st.lists(st.sampled_from(crowd), max_size=400))
    sizes = data.draw(st.lists(st.integers(9_000, 120_000), max_size=4))
    total: Counter[bytes] = Counter()
    table = PieceCounts()
    for at, piece in enumerate(crowd + chosen + chosen[::2]):
        table.add(piece, 1)  # what comes often changes its place with what comes first
        total[piece] += 1
        if sizes and at % 200 == 199:
            table.reserve(sizes.pop())
    assert all(table.get(piece) == n for piece, n in total.items())
    assert dict(table.items()) == total
    assert sum(table.dump(part, 64)[1] for part in range(64)) == len(total)


def test_a_table_that_grows_in_large_pages():
    table, other = PieceCounts(), PieceCounts()
    other.reserve(700_000)
    for n in range(300_000):  # through 1.5, 6 and 12 megabytes
        piece = b"%x" % (n * 0x9E3779B1) * (1 + n % 2)
        table.add(piece, n + 1)
        other.add(piece, n + 1)
    assert table.equals(other)
    assert other.equals(table)


@given(st.lists(counters, max_size=4))
def test_spilled_tables_add_up_like_others(parts):
    whole = PieceCounts()
    with Runs() as runs:
        for part in parts:
            whole.update(table_of(part))
            runs.spill(table_of(part))
        records = gather(lambda part: runs.part(part).dump(ordered=True), 2)
        assert joined(records, ordered=True).equals(whole)
    assert runs.n_pieces == whole.n_pieces


@given(counters, counters, counters)
def test_merging_is_associative_and_commutative(a, b, c):
    a, b, c = (CountTable.from_mapping(counter, "gpt2") for counter in (a, b, c))
    merge = CountTable.merge
    whole = merge(a, b, c)
    for other in (merge(merge(a, b), c), merge(a, merge(b, c)), merge(c, a, b)):
        assert other == whole
        assert other.table.dump(ordered=True) == whole.table.dump(ordered=True)
        assert (other.n_bytes, other.provenance) == (whole.n_bytes, whole.provenance)


@given(counters, counters)
def test_files_hold_what_tables_hold(tmp_path_factory, a, b):
    folder = tmp_path_factory.mktemp("counts")
    one, other = (CountTable.from_mapping(counter, "gpt2") for counter in (a, b))
    one.save(folder / "a")
    other.save(folder / "b")
    assert CountTable.load(folder / "a") == one
    merge_files([folder / "a", folder / "b"], folder / "sum")
    CountTable.merge(one, other).save(folder / "same")
    assert (folder / "sum").read_bytes() == (folder / "same").read_bytes()


@pytest.mark.parametrize("pattern", NAMED)
@given(text=texts, noise=st.binary(max_size=3), chunk=st.integers(1, 30), window=st.sampled_from([1, 3, 64]))
@example(text=b"a \n\nb" * 9, noise=b"", chunk=5, window=3)
@example(text=b"x\n\xe4\xb8\xad" * 9, noise=b"\xf0\x90", chunk=5, window=3)
def test_a_file_in_pieces_is_the_text(tmp_path_factory, pattern, text, noise, chunk, window):
    middle = len(text) // 2
    text = text[:middle] + noise + text[middle:]
    # A file that begins with one of these is refused.
    assume(not text.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)))
    folder = tmp_path_factory.mktemp("count")
    (folder / "text").write_bytes(text)
    limits = {"CHUNK": chunk, "WINDOW": window, "MIN_MEMORY": 0, "OWN_MEMORY": 0}
    with mock.patch.multiple(counting, **limits):
        counts = count(folder / "text", pattern=pattern, num_threads=1)
        tally(folder / "text", folder / "out", pattern=pattern, num_threads=1, memory=1)
        in_memory = count([text], pattern=pattern, num_threads=1)
    expected = reference.count_pieces([text], NAMED[pattern])
    assert dict(counts) == dict(in_memory) == dict(CountTable.load(folder / "out")) == expected
    assert counts.n_bytes == len(text)
