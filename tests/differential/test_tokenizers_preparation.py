"""What happens to a text before the engine: equal to `tokenizers`, on generated text and on every
character."""

import random

import pytest

from bpetok import AddedToken, Tokenizer, get_encoding
from bpetok import normalization as n
from bpetok import splits as s
from bpetok.oniguruma import Expression
from bpetok.vocabulary import Vocabulary

T = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
N, P = T.normalizers, T.pre_tokenizers
EVERY = "".join(chr(cp) for cp in range(0x110000) if not 0xD800 <= cp < 0xE000)
ALPHABET = [
    *"  \n\taZé1٣，。Σς▁_<[]>xyz'sİ\u0301\u0300\u0345\u1e9b\u0323\u0898\U00011935\U00011930",
    *("<tok>", "[X]", "fooq", "bar ", " x", "日本", "\U0001f600", "\u01c4", "X Y"),
]
ADDED = (
    AddedToken("<tok>", 50257, lstrip=True),
    AddedToken("[X]", 50258, rstrip=True, special=False),
    AddedToken("fooq", 50259, single_word=True, special=False),
    AddedToken("bar ", 50260, normalized=True, special=False),
    AddedToken("<to", 50261),
    AddedToken("X Y", 50262, normalized=True),
    AddedToken(" x", 50263, rstrip=True, lstrip=True, normalized=True, special=False),
)


def texts(number):
    chosen = random.Random(1)
    return ["".join(chosen.choices(ALPHABET, k=chosen.randrange(14))) for _ in range(number)]


PAIRS = {
    "NFC": (n.NFC(), N.NFC()),
    "NFD": (n.NFD(), N.NFD()),
    "NFKC": (n.NFKC(), N.NFKC()),
    "NFKD": (n.NFKD(), N.NFKD()),
    "Lowercase": (n.Lowercase(), N.Lowercase()),
    "StripAccents": (n.StripAccents(), N.StripAccents()),
    "Nmt": (n.Nmt(), N.Nmt()),
}


@pytest.mark.parametrize("name", PAIRS)
def test_every_character_is_normalized_alike(name):
    ours, theirs = PAIRS[name]
    for spell in ("{}\n", "a\u0345{}\u0334\n"):
        text = "".join(spell.format(char) for char in EVERY)
        assert ours(text) == theirs.normalize_str(text)


@pytest.mark.parametrize("name", PAIRS)
def test_generated_text_is_normalized_alike(name):
    ours, theirs = PAIRS[name]
    for text in texts(2000):
        assert ours(text) == theirs.normalize_str(text)


STEPS = {
    "digits": (s.Digits(), P.Digits()),
    "punctuation": (s.Punctuation(), P.Punctuation()),
    "whitespace": (s.Whitespace(), P.Whitespace()),
    "whitespace split": (s.WhitespaceSplit(), P.WhitespaceSplit()),
    "metaspace": (s.Metaspace(plain=False), P.Metaspace()),
    "metaspace first": (s.Metaspace(prepend_scheme="first", split=False, plain=False),
                        P.Metaspace(prepend_scheme="first", split=False)),
}  # fmt: skip
SOURCES = (
    r"\p{N}{1,3}",
    r"[一-龥\u3040-ゟ゠-ヿ]+",
    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
    r"| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    r"(?i:'s|'t)|\w$|^\s|\d{1,2}+",
)
for at, source in enumerate(SOURCES):
    for ours, theirs in {
        "Isolated": "isolated", "Removed": "removed", "MergedWithPrevious": "merged_with_previous",
        "MergedWithNext": "merged_with_next", "Contiguous": "contiguous",
    }.items():  # fmt: skip
        for invert in (False, True):
            STEPS[f"{at} {theirs} {invert}"] = (
                s.Split(Expression(source), ours, invert),
                P.Split(T.Regex(source), theirs, invert),
            )


@pytest.mark.parametrize("name", STEPS)
def test_pieces_are_equal(name):
    ours, theirs = STEPS[name]
    splits = s.Splits((ours,))
    for text in (*texts(500), EVERY):
        assert splits.pieces(text) == [piece for piece, _ in theirs.pre_tokenize_str(text)]


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    path = str(tmp_path_factory.mktemp("gpt2") / "tokenizer.json")
    get_encoding("gpt2").save(path, "huggingface")
    return path


WHOLE = {
    "added tokens": ("gpt2", None, None, None),
    "nfkc, lower case": ("gpt2", None, n.Sequence((n.NFKC(), n.Lowercase())),
                         N.Sequence([N.NFKC(), N.Lowercase()])),
    "prefix": (s.Splits((s.ByteLevel(),)), P.ByteLevel(), None, None),
    "digits": (s.Splits((s.Digits(True), s.ByteLevel(False))),
               P.Sequence([P.Digits(True), P.ByteLevel(add_prefix_space=False)]), n.NFC(), N.NFC()),
    "strip": ("gpt2", None, n.Sequence((n.NFD(), n.StripAccents(), n.Strip())),
              N.Sequence([N.NFD(), N.StripAccents(), N.Strip()])),
}  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_ids_are_equal(name, gpt2):
    pattern, pre_tokenizer, normalizer, theirs = WHOLE[name]
    base = Tokenizer.load(gpt2).vocabulary
    specials = dict(base.special_tokens) | {token.text: token.id for token in ADDED}
    vocabulary = Vocabulary.from_merges(base.tokens(), base.merges(), specials)
    ours = Tokenizer.from_vocabulary("x", pattern, vocabulary, normalizer=normalizer, added_tokens=ADDED)
    peer = T.Tokenizer.from_file(gpt2)
    if theirs is not None:
        peer.normalizer = theirs
    if pre_tokenizer is not None:
        peer.pre_tokenizer = pre_tokenizer
    for token in ADDED:
        rules = {key: getattr(token, key) for key in ("lstrip", "rstrip", "single_word", "normalized")}
        add = peer.add_special_tokens if token.special else peer.add_tokens
        add([T.AddedToken(token.text, **rules)])
    for text in texts(2000):
        expected = peer.encode(text, add_special_tokens=False).ids
        assert ours.encode(text, allowed_special="all") == expected
        assert ours.encode_batch([text], allowed_special="all") == [expected]
