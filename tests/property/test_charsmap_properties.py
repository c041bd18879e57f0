"""SentencePiece's normalization does what the specification says, with any map."""

from hypothesis import given
from hypothesis import strategies as st

from bpetok import reference
from bpetok._charsmap import CharsMap
from bpetok.errors import FormatError
from darts import charsmap

LETTERS = " ▁aéß한😀\u0301"
texts = st.text(LETTERS, max_size=12)
rules = st.dictionaries(st.text(LETTERS, min_size=1, max_size=3), st.text(LETTERS, max_size=3), max_size=6)
symbols = st.sets(st.text(LETTERS, min_size=1, max_size=3), max_size=3)
flags = st.fixed_dictionaries(dict.fromkeys(["dummy_prefix", "suffix", "collapse", "escape"], st.booleans()))


@given(rules=rules, symbols=symbols, flags=flags, text=texts)
def test_the_native_one_equals_the_reference(rules, symbols, flags, text):
    native = CharsMap(charsmap(rules) if rules else b"", dict.fromkeys(symbols, 0), **flags)
    assert native.normalize(text) == reference.normalize(text, rules, symbols, **flags)


@given(
    rules=rules.filter(bool),
    text=texts,
    damage=st.lists(st.tuples(st.integers(0, 1 << 20), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 40),
)
def test_a_damaged_map_is_refused_or_gives_text(rules, text, damage, cut):
    blob = bytearray(charsmap(rules))
    for at, byte in damage:
        blob[at % len(blob)] = byte
    try:
        native = CharsMap(
            bytes(blob[: len(blob) - cut]), {}, dummy_prefix=True, suffix=False, collapse=True, escape=True
        )
    except FormatError:
        return
    native.normalize(text).encode()
