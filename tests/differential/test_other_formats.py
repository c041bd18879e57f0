"""tekken.json against mistral-common, minbpe's models against what minbpe's encoder does."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import regex
from hypothesis import given

import strategies
from bpetok import Tokenizer, get_encoding, train
from bpetok.added_tokens import AddedToken
from bpetok.errors import FormatError
from bpetok.formats import load, save
from bpetok.normalization import NFC
from bpetok.patterns import NAMED
from bpetok.splits import Digits, Splits

TEXTS = ("", "hello world  x\n\n", "naïve 東京 Ελλάδα 12345 can't", "a" * 300, "<s>[INST] \t\r\n é\u0301")
PATTERN = get_encoding("cl100k_base").pattern.source


def test_tekken_gives_the_ids_of_mistral_common():
    mistral_common = pytest.importorskip("mistral_common", reason="mistral-common is not installed")
    tekken = pytest.importorskip("mistral_common.tokens.tokenizers.tekken")
    path = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    ours, theirs = load(path), tekken.Tekkenizer.from_file(path)
    for text in TEXTS:
        assert ours.encode_ordinary(text) == theirs.encode(text, bos=False, eos=False)
    assert ours.n_vocab == theirs.n_words
    assert ours.encode("</s>", allowed_special="all") == [theirs.eos_id]
    assert ours.provenance["tekken"]["image"] == {"image_patch_size": 16, "max_image_size": 1024}


def test_a_tekken_file_that_is_not_known_is_refused(tmp_path):
    path = tmp_path / "tekken.json"
    config = {"version": "v99", "default_num_special_tokens": 0, "default_vocab_size": 256, "pattern": "a"}
    for change, word in (
        ({}, "v99"),
        ({"version": "v13"}, "no 'special_tokens'"),
        ({"version": "v3"}, "do not fit"),
    ):
        path.write_text(
            json.dumps({"config": config | change, "vocab": [{}] * (256 * ("v13" in str(change)))})
        )
        with pytest.raises(FormatError, match=word):
            load(tmp_path)


@pytest.fixture(scope="module", params=["published", "own"])
def tekken(request, tmp_path_factory):
    """A tokenizer, the file that it was written to, and mistral-common's reading of that."""
    mistral_common = pytest.importorskip("mistral_common", reason="mistral-common is not installed")
    tekken = pytest.importorskip("mistral_common.tokens.tokenizers.tekken")
    if request.param == "published":
        ours = load(Path(mistral_common.__file__).parent / "data" / "tekken_240718.json")
    else:
        trained = train(LINES, vocab_size=330, pattern="tekken")
        ours = front(trained.vocabulary.ranks(), ["<unk>", "<s>", "</s>"])
    path = tmp_path_factory.mktemp("tekken") / "tekken.json"
    save(ours, path, "tekken")
    return ours, path, tekken.Tekkenizer.from_file(path)


LINES = ["the cat sat on the mat, the cats can't sit; naïve 12345\n\n東京"] * 3


def front(ranks, specials, pattern="tekken"):
    """A tokenizer with the special tokens in front, as the format has them."""
    return Tokenizer(
        "own",
        pat_str=pattern,
        mergeable_ranks={data: rank + len(specials) for data, rank in ranks.items()},
        special_tokens={text: at for at, text in enumerate(specials)},
    )


@given(text=strategies.hostile_text())
def test_mistral_common_gives_the_ids_of_a_written_tekken(tekken, text):
    ours, _, theirs = tekken
    assert ours.encode_ordinary(text) == theirs.encode(text, bos=False, eos=False)


def test_a_written_tekken_says_what_the_tokenizer_is(tekken):
    ours, path, theirs = tekken
    again = load(path)
    assert again.vocabulary.tokens() == ours.vocabulary.tokens()
    assert again.vocabulary.special_tokens == ours.vocabulary.special_tokens
    assert again.pattern == ours.pattern
    assert theirs.n_words == ours.n_vocab
    assert theirs.encode("a", bos=True, eos=True)[::2] == ours.encode("<s></s>", allowed_special="all")
    assert theirs.version.value == ("v13" if ours.name == "own" else "v3")


@pytest.mark.parametrize("stored", [None, [], {"config": [], "vocab": 1}, {"config": {"version": ["v3"]}}])
def test_a_provenance_of_anything_is_no_hindrance(tmp_path, stored):
    ours = changed(front(RANKS, ["<unk>"]), provenance={"tekken": stored})
    save(ours, tmp_path / "tekken.json", "tekken")
    document = json.loads((tmp_path / "tekken.json").read_text())
    assert document.keys() == {"config", "vocab", "special_tokens"}
    assert document["config"]["version"] == "v13"
    assert load(tmp_path).vocabulary.tokens() == ours.vocabulary.tokens()


RANKS = {bytes([byte]): byte for byte in range(256)}
TWO_NAMES = Tokenizer("x", pat_str="gpt2", mergeable_ranks=RANKS, special_tokens={"<a>": 256, "<b>": 256})


def changed(tokenizer, pattern=None, **more) -> Tokenizer:
    """A tokenizer with another part."""
    pattern = tokenizer.pattern.source if pattern is None else pattern
    return Tokenizer.from_vocabulary("x", pattern, tokenizer.vocabulary, **more)


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (train(LINES, vocab_size=300, special_tokens=["<s>"]), "ids of special tokens must be 0 to 0"),
        (front(RANKS | {b"ab": 300}, ["<s>"]), "ids of the other tokens must be 1 to 257"),
        (front({data: 255 - rank for data, rank in RANKS.items()}, []), "single bytes in their order"),
        (front(RANKS, ["<s>"], r"\\w+|\\W+"), "named pattern"),
        (TWO_NAMES, "id 256 has two special tokens"),
        (changed(front(RANKS, []), normalizer=NFC()), "'normalizer'"),
    ],
)
def test_what_a_tekken_cannot_hold_is_refused(tmp_path, tokenizer, words):
    with pytest.raises(FormatError, match=words):
        save(tokenizer, tmp_path / "tekken.json", "tekken")
    assert not any(tmp_path.iterdir())


def minbpe(text, merges):
    """The lowest pair first, at every place."""
    ids = list(text.encode())
    while found := [pair for pair in pairwise(ids) if pair in merges]:
        pair = min(found, key=merges.__getitem__)
        at = 0
        while at < len(ids) - 1:
            if (ids[at], ids[at + 1]) == pair:
                ids[at : at + 2] = [merges[pair]]
            at += 1
    return ids


@pytest.mark.parametrize("pattern", ["", PATTERN])
def test_minbpe_gives_the_ids_of_its_encoder(tmp_path, pattern):
    pairs = [(97, 97), (256, 97), (32, 120), (104, 101), (259, 108), (108, 111), (260, 261), (256, 256)]
    merges = {pair: 256 + at for at, pair in enumerate(pairs)}
    path = tmp_path / "x.model"
    lines = ["minbpe v1", pattern, "1", "<end> 900", *(f"{left} {right}" for left, right in pairs)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    ours = load(path)
    for text in TEXTS:
        pieces = regex.findall(pattern, text) if pattern else [text]
        assert ours.encode_ordinary(text) == [token for piece in pieces for token in minbpe(piece, merges)]
    assert ours.encode("a<end>", allowed_special="all") == [97, 900]


@pytest.mark.parametrize("merge", ["1 256", "1", "x y", "-1 2", "1 2\n1 2", "97 97\n" + "256 256\n" * 2])
def test_a_damaged_minbpe_model_is_refused(tmp_path, merge):
    path = tmp_path / "x.model"
    path.write_text(f"minbpe v1\n\n0\n{merge}\n")
    with pytest.raises(FormatError):
        load(path)


def minbpe_model(path):
    """What minbpe's `load` takes from a file: the pattern, special tokens and merges."""
    lines = iter(path.read_text("utf-8").splitlines())
    assert next(lines) == "minbpe v1"
    pattern = next(lines).strip()
    specials = [next(lines).strip().split() for _ in range(int(next(lines)))]
    merges = {tuple(map(int, line.split())): 256 + at for at, line in enumerate(lines)}
    return pattern, {text: int(token) for text, token in specials}, merges


@pytest.mark.parametrize("semantics", ["merges", "ranks"])
@pytest.mark.parametrize("pattern", ["whole", "cl100k", "o200k"])
def test_minbpe_gives_the_ids_of_a_written_model(tmp_path, pattern, semantics):
    ours = train(LINES, vocab_size=320, pattern=pattern, special_tokens=["<s>", "<s>a"])
    if semantics == "ranks":
        ours = Tokenizer(
            "x",
            pat_str=ours.pattern.source,
            mergeable_ranks=ours.vocabulary.ranks(),
            special_tokens=dict(ours.vocabulary.special_tokens),
        )
    path = tmp_path / "x.model"
    save(ours, path, "minbpe")
    source, specials, merges = minbpe_model(path)
    assert source == ("" if pattern == "whole" else NAMED[pattern])
    for text in TEXTS:
        pieces = regex.findall(source, text) if source else [text]
        assert ours.encode_ordinary(text) == [token for piece in pieces for token in minbpe(piece, merges)]
    first = regex.search("|".join(map(regex.escape, specials)), "<s>a")
    assert [specials[first.group()]] == ours.encode("<s>a", allowed_special="all")
    again = load(path)
    assert again.vocabulary.tokens() == ours.vocabulary.tokens()
    assert again.vocabulary.special_tokens == ours.vocabulary.special_tokens


def test_minbpe_itself_reads_a_written_model(tmp_path):
    minbpe = pytest.importorskip("minbpe", reason="minbpe is not installed")
    ours = train(LINES, vocab_size=320, pattern="cl100k", special_tokens=["<s>"])
    save(ours, tmp_path / "x.model", "minbpe")
    theirs = minbpe.RegexTokenizer(NAMED["cl100k"])  # `load` does not compile the pattern of the file
    theirs.load(str(tmp_path / "x.model"))
    for text in TEXTS:
        assert theirs.encode_ordinary(text) == ours.encode_ordinary(text)


UNREACHED = {**RANKS, b"abc": 256}


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (get_encoding("gpt2"), "ids 0 to 255 must be the single bytes"),
        (front(RANKS | {b"ab": 300}, []), "without a gap"),
        (front(UNREACHED, []), "only ever taken as a whole piece"),
        (front(RANKS, [], r"\\w+|\\W+"), "named pattern"),
        (front(RANKS, [], "metaspace"), "begins or ends with white space"),
        (changed(front(RANKS, []), normalizer=NFC()), "'normalizer'"),
        (changed(front(RANKS, []), Splits((Digits(),))), "several steps"),
        (train(LINES, vocab_size=300, byte_fallback=True), "characters"),
        (train(LINES, vocab_size=300, special_tokens=["a b"]), "white space"),
        (changed(TWO_NAMES, added_tokens=[AddedToken("<a>", 256, rstrip=True)]), "'added_tokens'"),
    ],
)
def test_what_a_minbpe_model_cannot_hold_is_refused(tmp_path, tokenizer, words):
    with pytest.raises(FormatError, match=words):
        save(tokenizer, tmp_path / "x.model", "minbpe")
    assert not any(tmp_path.iterdir())
