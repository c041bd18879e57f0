"""Native files of generated tokenizers of every kind, and what becomes of them when values in them change."""

import copy
import functools
import json
import tempfile
from pathlib import Path

from hypothesis import assume, given
from hypothesis import strategies as st

import strategies
from bpetok import Tokenizer, Vocabulary, decoding, normalization, splits
from bpetok.added_tokens import AddedToken
from bpetok.errors import EncodeError, FormatError, PatternError, PreparationError, VocabularyError
from bpetok.formats import load, save
from bpetok.normalization_spm import SentencePiece
from bpetok.oniguruma import Expression
from bpetok.patterns import METASPACE
from bpetok.templates import Template
from files import everything, signed

SPECIALS = ["<s>", "</s>", "<é>", "<unk>", "a b", "東"]
LETTERS = " abté東\n▁"

texts = st.text(st.sampled_from(LETTERS + "<>/s"), max_size=4)
patterns = st.text(st.sampled_from(LETTERS), min_size=1, max_size=3) | st.sampled_from(
    [Expression(r"\d"), Expression(" +"), Expression("a|b")]
)
behaviors = st.sampled_from(["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"])

PLAIN_STEPS = ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")

simple_steps = st.one_of(
    st.sampled_from([getattr(normalization, name)() for name in PLAIN_STEPS]),
    st.builds(normalization.Strip, st.booleans(), st.booleans()),
    st.builds(normalization.Replace, patterns, texts),
    st.builds(normalization.Prepend, texts),
    st.builds(
        SentencePiece,
        add_dummy_prefix=st.booleans(),
        remove_extra_whitespaces=st.booleans(),
        escape_whitespaces=st.booleans(),
        treat_whitespace_as_suffix=st.booleans(),
        symbols=st.sampled_from([(), ("<s>",), ("a b", "東")]),
    ),
)  # fmt: skip
normalizers = st.recursive(
    simple_steps,
    lambda inner: st.lists(inner, max_size=3).map(tuple).map(normalization.Sequence),
    max_leaves=4,
)
cutting = st.one_of(
    st.builds(splits.Split, patterns, behaviors, st.booleans()),
    st.builds(splits.Digits, st.booleans()),
    st.builds(splits.Punctuation, behaviors),
    st.sampled_from([splits.Whitespace(), splits.WhitespaceSplit(), splits.CharDelimiterSplit("b")]),
    st.builds(splits.Metaspace, st.sampled_from("▁ab"), st.sampled_from(["always", "never"])),
)
all_splits = st.one_of(
    st.builds(
        splits.Metaspace,
        st.just("▁"),
        st.sampled_from(["always", "first", "never"]),
        st.booleans(),
        st.booleans(),
    ).map(lambda step: splits.Splits((step,))),
    st.builds(splits.ByteLevel, st.booleans(), st.booleans()).map(lambda step: splits.Splits((step,))),
    st.lists(cutting, max_size=3).map(tuple).map(splits.Splits),
)
decoders = st.one_of(
    st.builds(decoding.SentencePiece, st.booleans(), texts, st.booleans()),
    st.builds(
        decoding.Steps,
        st.lists(
            st.one_of(
                st.sampled_from([decoding.ByteFallback(), decoding.Fuse(), decoding.ByteLevel()]),
                st.builds(decoding.Replace, patterns, texts),
                st.builds(decoding.Strip, st.sampled_from(" a"), st.integers(0, 3), st.integers(0, 3)),
                st.builds(decoding.Metaspace, st.sampled_from("▁ "), st.sampled_from(["always", "never"])),
            ),
            max_size=4,
        ).map(tuple),
        st.booleans(),
    ),
)


@st.composite
def vocabularies(draw) -> Vocabulary:
    """Characters, or all bytes, and tokens made of them, with ids in any order and gaps between."""
    data = [char.encode() for char in LETTERS[: draw(st.integers(0, len(LETTERS)))]]
    of_bytes = draw(st.booleans())
    if of_bytes:
        data = [bytes([byte]) for byte in range(256)]
    made = []
    for _ in range(draw(st.integers(0, 10)) if data else 0):
        one, other = draw(st.sampled_from(data[-40:])), draw(st.sampled_from(data[-40:]))
        made.append((one, other))
        if one + other not in data:
            data.append(one + other)
    first = draw(st.sampled_from([0, 256, 300]))
    order = draw(st.permutations(range(first, first + len(data))))
    ids = dict(zip(data, order, strict=True))
    specials = {text: 5000 + 3 * at for at, text in enumerate(draw(st.sets(st.sampled_from(SPECIALS))))}
    merges = list(dict.fromkeys((ids[one], ids[other]) for one, other in made))
    if of_bytes:
        if draw(st.booleans()):
            return Vocabulary.from_ranks(ids, specials)
        return Vocabulary.from_merges(
            {token: data for data, token in ids.items()}, merges, specials, ignore_merges=draw(st.booleans())
        )
    specials["<?>"] = 5999
    tokens = {token: data for data, token in ids.items()}
    options: dict = {"merges": merges, "ignore_merges": draw(st.booleans())}
    if draw(st.booleans()):
        scores = st.floats(-100, 0) | st.sampled_from([-1, -0.0, 0])
        longer = [token for token, data in tokens.items() if len(data.decode()) > 1]
        options = {
            "scores": {token: draw(scores) for token in tokens},
            "unused": draw(st.sets(st.sampled_from(longer))) if longer else (),
        }
    return Vocabulary.from_characters(
        tokens,
        **options,
        special_tokens=specials,
        byte_tokens=draw(st.sampled_from([None, range(1000, 1256)])),
        unknown=draw(st.sampled_from([None, 5999])),
        fuse_unknown=draw(st.sampled_from([False, "piece", "text"])),
    )


@st.composite
def tokenizers(draw) -> Tokenizer:
    vocabulary = draw(vocabularies())
    specials = list(vocabulary.special_tokens.items())
    added, template = [], None
    if specials:
        rows = st.tuples(st.sampled_from(specials), st.tuples(*[st.booleans()] * 5))
        added = draw(st.lists(rows, max_size=3, unique_by=lambda row: row[0]))
        ids = st.lists(st.sampled_from([token for _, token in specials]), max_size=2)
        if draw(st.booleans()):
            before, behind, types = (
                draw(ids),
                draw(ids),
                draw(st.tuples(st.integers(0, 3), st.integers(0, 3))),
            )
            template = Template(
                (*before, "A"), ("A", *behind, "B"), (0,) * (len(before) + 1), (0, *types[: len(behind)], 1)
            )
    try:
        return Tokenizer.from_vocabulary(
            draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
            draw(st.sampled_from(["gpt2", "whole", METASPACE, r"\w+|\W+"]) | all_splits),
            vocabulary,
            normalizer=draw(st.none() | normalizers),
            added_tokens=[AddedToken(*row, *each) for row, each in added],
            template=template,
            decoder=draw(st.none() | decoders),
            chat_template=draw(st.none() | st.text(st.characters(exclude_categories=["Cs"]))),
            dropout=draw(st.none() | st.floats(0, 1) | st.sampled_from([0, 1])),
            provenance=draw(st.sampled_from([{}, {"a": [1, None, "é"]}])),
        )
    except (PatternError, PreparationError, VocabularyError):
        assume(False)
        raise


def through(tokenizer: Tokenizer) -> tuple[Tokenizer, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        save(tokenizer, path)
        return load(path), path.read_bytes()


def ids_of(tokenizer: Tokenizer, text: str) -> list[int] | str:
    try:
        return tokenizer.encode_with_template(text, text)
    except EncodeError as error:
        return str(error)


@given(tokenizer=tokenizers(), text=st.text(st.sampled_from(LETTERS + "<s>/é1x")) | strategies.hostile_text())
def test_every_tokenizer_comes_back(tokenizer, text):
    back, data = through(tokenizer)
    assert everything(back) == everything(tokenizer)
    assert through(back)[1] == data
    for each in (text, "".join(tokenizer.vocabulary.special_tokens) + text):
        ids = ids_of(tokenizer, each)
        assert ids_of(back, each) == ids
        if isinstance(ids, list):
            assert back.decode(ids) == tokenizer.decode(ids)


# ---- damage ------------------------------------------------------------------------------------------


@functools.cache
def documents() -> list[dict]:
    """Files that have every key and every kind of step between them."""
    found = []
    every = normalization.Sequence(
        (
            normalization.Strip(), normalization.Replace(Expression("x+"), "y"), normalization.Prepend(" "),
            SentencePiece(symbols=("<s>",)), normalization.Sequence((normalization.NFC(),)),
        )
    )  # fmt: skip
    cuts = splits.Splits(
        (
            splits.Split("-", "Isolated"), splits.Split(Expression("a"), "Removed"), splits.Digits(),
            splits.Punctuation(), splits.CharDelimiterSplit("b"), splits.Metaspace(), splits.ByteLevel(),
        )
    )  # fmt: skip
    steps = (
        decoding.Replace("a", "b"), decoding.ByteFallback(), decoding.Strip(" ", 1, 0), decoding.Metaspace(),
    )  # fmt: skip
    tokens = {0: b" ", 1: b"a", 2: b"b", 3: b"ab", 4: b" ab"}
    for options in ({"merges": [(1, 2), (0, 3)]}, {"scores": dict.fromkeys(tokens, -1.5), "unused": [3]}):
        for pattern in ("gpt2", cuts):
            vocabulary = Vocabulary.from_characters(
                tokens,
                **options,
                special_tokens={"<s>": 5, "<unk>": 6},
                byte_tokens=None if pattern is cuts else range(10, 266),
                unknown=6,
            )
            tokenizer = Tokenizer.from_vocabulary(
                "toy",
                pattern,
                vocabulary,
                normalizer=every,
                added_tokens=[AddedToken("<s>", 5, lstrip=True)],
                template=Template((5, "A"), ("A", 5, "B")),
                decoder=decoding.SentencePiece() if pattern is cuts else decoding.Steps(steps),
                chat_template="{{ m }}",
                dropout=0.5,
            )
            found.append(json.loads(through(tokenizer)[1]))
    return found


def places(document, path=()):
    """The path of every value inside JSON."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@functools.cache
def all_places() -> list[list[tuple]]:
    return [[path for path in places(each) if "byte_tokens" not in path[:-1]] for each in documents()]


VALUES = [
    None, True, -1, 0, 1, 2, 5, 2**24, 10**30, -0.5, 1.5, 1e300, "", "a", " ", "(", "[", "(?i:a)", "\\p{",
    "a{9999}{9999}", "((((((a*)*)*)*)*)*)*", "NFC", "Sequence", "Steps", "Split", "ByteLevel", "always",
    "\ud800", "A", "B", "AAAA", [], {}, [[]], {"": 0}, {"type": "NFC"}, {"type": []}, {"Regex": "(a"},
    {"String": ""}, {"Regex": 5},
]  # fmt: skip
values = st.sampled_from(VALUES) | texts


@given(data=st.data())
def test_any_value_in_any_place_is_refused_or_read_as_it_is(data):
    which = data.draw(st.integers(0, len(documents()) - 1))
    document = copy.deepcopy(documents()[which])
    for _ in range(data.draw(st.integers(1, 3))):
        *folders, last = data.draw(st.sampled_from(all_places()[which]))
        inner = document
        try:
            for key in folders:
                inner = inner[key]
            if data.draw(st.booleans()):
                inner[last] = data.draw(values)
            elif data.draw(st.booleans()):
                del inner[last]
            elif isinstance(inner, dict):
                inner[data.draw(texts)] = inner[last]
            else:
                inner.insert(last, data.draw(values))
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(signed(document))
        try:
            tokenizer = load(path)
        except FormatError as error:
            refusal = str(error)
        else:
            refusal = None
    if refusal is not None:
        assert str(path) in refusal
        return
    assert everything(through(tokenizer)[0]) == everything(tokenizer)
    ids = ids_of(tokenizer, "ab <s>a-b1 b.")
    if isinstance(ids, list):
        assert isinstance(tokenizer.decode(ids), str)


@given(data=st.data())
def test_a_file_that_is_cut_or_changed_is_refused_or_the_same(data):
    document = data.draw(st.sampled_from(documents()))
    content = bytearray(json.dumps(document).encode())
    at = data.draw(st.integers(0, len(content) - 1))
    end = min(len(content), at + data.draw(st.sampled_from([0, 1, 5, 500, 10**6])))
    content[at:end] = data.draw(st.binary(max_size=3))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        path.write_bytes(content)
        try:
            tokenizer = load(path)
        except FormatError:
            return
        path.write_bytes(json.dumps(document).encode())
        assert everything(tokenizer) == everything(load(path))
