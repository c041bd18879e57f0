"""Files on generated tokenizers, and what becomes of them when they are damaged at random."""

import functools
import hashlib
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from bpetok import Tokenizer, Vocabulary
from bpetok.errors import FormatError
from bpetok.formats import load, save

PATTERNS = ("gpt2", "cl100k", "o200k", "llama3", "qwen2", "tekken", r"\w+|\s+|[^\w\s]+")

GENERAL = ("native", "tiktoken", "huggingface")

plain_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
special_texts = st.one_of(
    st.sampled_from(["<|endoftext|>", "<s>", "<é>", "Ġa", " ", "ab", "東京", '"],["', "\n"]),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=4),
)


@st.composite
def vocabularies(draw) -> Vocabulary:
    """Bytes in any order, tokens made by random merges, special tokens here and there."""
    order = draw(st.permutations(range(256))) if draw(st.booleans()) else list(range(256))
    tokens = {token: bytes([byte]) for token, byte in enumerate(order)}
    ids = {data: token for token, data in tokens.items()}
    merges: list[tuple[int, int]] = []
    letters = [ids[bytes([byte])] for byte in b" abt\n\xc3\xa9"]
    next_id = 256
    for _ in range(draw(st.integers(0, 12))):
        pair = (draw(st.sampled_from(letters)), draw(st.sampled_from(letters)))
        data = tokens[pair[0]] + tokens[pair[1]]
        if pair not in merges and len(data) < 40:
            merges.append(pair)
            if data not in ids:
                ids[data] = next_id
                tokens[next_id] = data
                letters.append(next_id)
                next_id += draw(st.sampled_from([1, 1, 1, 7]))
    specials: dict[str, int] = {}
    for text in draw(st.lists(special_texts, max_size=4, unique=True)):
        specials[text] = next_id
        next_id += draw(st.sampled_from([1, 1, 1, 1000]))
    if draw(st.booleans()):
        return Vocabulary.from_ranks(ids, specials)
    counts = draw(st.none() | st.just(list(range(len(merges)))))
    if counts is not None:
        import numpy as np

        counts = np.array(counts, dtype=np.int64)
    shuffled = draw(st.permutations(merges)) if counts is None else merges
    return Vocabulary.from_merges(
        tokens, shuffled, specials, ignore_merges=draw(st.booleans()), merge_counts=counts
    )


@st.composite
def tokenizers(draw) -> Tokenizer:
    return Tokenizer.from_vocabulary(
        draw(st.text(st.characters(exclude_categories=["Cs"]))),
        draw(st.sampled_from(PATTERNS)),
        draw(vocabularies()),
        provenance=draw(st.dictionaries(st.text(), plain_json, max_size=3)),
    )


def through(tokenizer: Tokenizer, format: str) -> Tokenizer:
    with tempfile.TemporaryDirectory() as folder:
        save(tokenizer, Path(folder) / "file", format)
        return load(Path(folder) / "file")


@given(tokenizer=tokenizers(), text=strategies.hostile_text())
def test_native_gives_back_everything(tokenizer, text):
    back = through(tokenizer, "native")
    assert (back.name, back.pattern.source, back.provenance) == (
        tokenizer.name,
        tokenizer.pattern.source,
        tokenizer.provenance,
    )
    one, other = tokenizer.vocabulary, back.vocabulary
    assert (one.semantics, one.ignore_merges) == (other.semantics, other.ignore_merges)
    assert one.tokens() == other.tokens()
    assert one.tables.merges() == other.tables.merges()
    assert list(one.special_tokens.items()) == list(other.special_tokens.items())
    counts = [None if v.merge_counts is None else v.merge_counts.tolist() for v in (one, other)]
    assert counts[0] == counts[1]
    assert back.encode_ordinary(text) == tokenizer.encode_ordinary(text)
    assert back.encode(text, allowed_special="all") == tokenizer.encode(text, allowed_special="all")


@pytest.mark.parametrize("format", ["tiktoken", "huggingface"])
@given(tokenizer=tokenizers(), text=strategies.hostile_text())
def test_other_formats_give_equal_ids_or_refuse(format, tokenizer, text):
    try:
        back = through(tokenizer, format)
    except FormatError as error:
        refusal = str(error)
    else:
        refusal = None
    if refusal is not None:
        assert refusal.startswith("cannot write")
        return
    assert back.vocabulary.tokens() == tokenizer.vocabulary.tokens()
    assert dict(back.vocabulary.special_tokens) == dict(tokenizer.vocabulary.special_tokens)
    for chunk in (text, "".join(tokenizer.special_tokens_set) + " ab tab abé" + text):
        assert back.encode_ordinary(chunk) == tokenizer.encode_ordinary(chunk)
        assert back.encode(chunk, allowed_special="all") == tokenizer.encode(chunk, allowed_special="all")


# ---- damage ------------------------------------------------------------------------------------------


@functools.cache
def written(format: str) -> dict[str, bytes]:
    """The files of a small tokenizer."""
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"abc": 257, b" t": 258}
    tokenizer = Tokenizer("toy", pat_str="cl100k", mergeable_ranks=ranks, special_tokens={"<s>": 259})
    with tempfile.TemporaryDirectory() as folder:
        save(tokenizer, Path(folder) / "file", format)
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def load_bytes(files: dict[str, bytes]) -> Tokenizer:
    with tempfile.TemporaryDirectory() as folder:
        for name, data in files.items():
            (Path(folder) / name).write_bytes(data)
        return load(Path(folder) / "file")


@pytest.mark.parametrize("format", GENERAL)
@given(data=st.data())
def test_random_damage_is_refused_or_harmless(format, data):
    files = dict(written(format))
    name = data.draw(st.sampled_from(sorted(files)))
    content = bytearray(files[name])
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(content) - 1))
        end = min(len(content), at + data.draw(st.sampled_from([0, 1, 1, 5, 500, 10**6])))
        content[at:end] = data.draw(st.binary(max_size=3) | st.sampled_from([b"\n", b'"', b"[", b"}", b"9"]))
        if not content:
            break
    files[name] = bytes(content)
    try:
        damaged = load_bytes(files)
    except FormatError:
        return
    if format == "native":
        # What was changed had no meaning: white space, or the spelling of an escape.
        assert damaged.encode_ordinary("abc tab") == load_bytes(written(format)).encode_ordinary("abc tab")
    else:
        assert isinstance(damaged, Tokenizer)


def places(document, path=()):
    """The path of every value inside JSON."""
    items = document.items() if isinstance(document, dict) else enumerate(document)
    for key, value in items:
        yield (*path, key)
        if isinstance(value, dict | list):
            yield from places(value, (*path, key))


@functools.cache
def all_places(format: str) -> list[tuple]:
    document = json.loads(written(format)["file"])
    found = list(places(document))
    # The few that matter most are as likely as the many rows.
    return found[::9] + 20 * [path for path in found if len(path) < 3 and not isinstance(path[-1], int)]


junk = st.one_of(
    st.sampled_from([None, True, -1, 0, 2**24, 10**30, 1.5, "", "a", "61", [], {}, [[]], {"": 0}, "\ud800"]),
    plain_json,
)


@pytest.mark.parametrize("format", ["native", "huggingface"])
@given(data=st.data())
def test_junk_in_any_place_is_refused_or_read_as_it_is(format, data):
    document = json.loads(written(format)["file"])
    for _ in range(data.draw(st.integers(1, 2))):
        *folders, last = data.draw(st.sampled_from(all_places(format)))
        inner = document
        try:
            for key in folders:
                inner = inner[key]
            if data.draw(st.booleans()):
                inner[last] = data.draw(junk)
            else:
                del inner[last]
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change took the place away
    if format == "native":
        body = {key: value for key, value in document.items() if key != "sha256"}
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":")).encode()
        document["sha256"] = hashlib.sha256(canonical).hexdigest()
    try:
        tokenizer = load_bytes({"file": json.dumps(document).encode()})
    except FormatError:
        return
    back = through(tokenizer, "native")
    assert back.vocabulary.tokens() == tokenizer.vocabulary.tokens()
    assert back.vocabulary.tables.merges() == tokenizer.vocabulary.tables.merges()
    assert back.vocabulary.special_tokens == tokenizer.vocabulary.special_tokens
