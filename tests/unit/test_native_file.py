"""Version 2 of the native format: whatever a tokenizer can have is kept, whatever is wrong is named."""

import copy
import json
import pickle
from pathlib import Path

import pytest

from bpetok import Tokenizer, Vocabulary, decoding, normalization, splits
from bpetok.added_tokens import AddedToken
from bpetok.errors import FormatError
from bpetok.formats import load, save
from bpetok.normalization_spm import SentencePiece
from bpetok.oniguruma import Expression
from bpetok.patterns import METASPACE
from bpetok.templates import Template
from files import everything, refused, signed

WORDS = [b" ", b"a", b"b", b"c", "é".encode(), "東".encode(), b"ab", b"abc", b" a", "é東".encode(), b"bc"]
TEXT = "abc ab  aé東b <s>  cab\u2581ab <unk> xyz 😀😀 <tool>a bc"


def characters(*, scores: bool = False, **options) -> Vocabulary:
    """A vocabulary of characters, byte tokens in front."""
    tokens = {260 + at: data for at, data in enumerate(WORDS)}
    ids = {data: token for token, data in tokens.items()}
    settings = {
        "special_tokens": {"<s>": 256, "</s>": 257, "<unk>": 258, "<tool>": 300},
        "byte_tokens": range(256),
        **options,
    }
    if scores:
        settings["scores"] = dict.fromkeys(tokens, -1.5) | {ids[b"ab"]: 0, ids[b"abc"]: -0.1}
    else:
        settings["merges"] = [
            (ids[b"a"], ids[b"b"]), (ids[b"ab"], ids[b"c"]), (ids[b"b"], ids[b"c"]), (ids[b" "], ids[b"a"]),
            (ids["é".encode()], ids["東".encode()]), (ids[b"a"], ids[b"bc"]),
        ]  # fmt: skip
    return Vocabulary.from_characters(tokens, **settings)


def full(vocabulary: Vocabulary | None = None, **options) -> Tokenizer:
    """A tokenizer that has every part."""
    settings = {
        "provenance": {"trained": {"on": ["a", 1.5, None]}},
        "normalizer": normalization.Sequence(
            (normalization.Prepend(" "), normalization.Replace(Expression("x+"), "y"), normalization.NFC())
        ),
        "added_tokens": [
            AddedToken("<tool>", 300, special=False, lstrip=True, rstrip=True),
            AddedToken("</s>", 257, single_word=True, normalized=True),
        ],
        "template": Template((256, "A", 257), (256, "A", 257, "B"), (0, 0, 0), (0, 0, 7, 1)),
        "decoder": decoding.Steps(
            (decoding.ByteFallback(), decoding.Fuse(), decoding.Strip(" ", 1, 0)), plain=True
        ),
        "chat_template": "{% for m in messages %}\n{{ m }}\u2028\n{% endfor %}",
        "dropout": 0.1,
        **options,
    }
    return Tokenizer.from_vocabulary("full", METASPACE, vocabulary or characters(), **settings)


BYTES = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256, b"abc": 257}

TOKENIZERS = {
    "everything": full,
    "unknown, fused in a piece": lambda: full(
        characters(byte_tokens=None, unknown=258, fuse_unknown="piece")
    ),
    "unknown, fused in a text": lambda: full(characters(byte_tokens=None, unknown=258, fuse_unknown="text")),
    "no unknown": lambda: full(characters(byte_tokens=None)),
    "whole tokens first": lambda: full(characters(ignore_merges=True)),
    "scores": lambda: full(characters(scores=True)),
    "scores, unused": lambda: full(characters(scores=True, unused=[266], unknown=258, fuse_unknown=True)),
    "sentencepiece": lambda: full(
        characters(scores=True),
        normalizer=SentencePiece(symbols=("<tool>",), remove_extra_whitespaces=False),
        decoder=decoding.SentencePiece(unknown="?"),
        added_tokens=[AddedToken("<tool>", 300, special=False, normalized=True)],
        dropout=None,
    ),
    "only characters": lambda: Tokenizer.from_vocabulary("plain", METASPACE, characters()),
    "bytes and steps": lambda: Tokenizer.from_vocabulary(
        "steps",
        splits.Splits(
            (
                splits.Split(Expression(r"\d+"), "Isolated"),
                splits.Split("-", "MergedWithNext", invert=False),
                splits.Punctuation("Contiguous"),
                splits.Digits(individual=True),
                splits.ByteLevel(add_prefix_space=True, use_regex=True),
            )
        ),
        Vocabulary.from_ranks(BYTES, {"<s>": 300}),
    ),
    "bytes and a native step": lambda: Tokenizer.from_vocabulary(
        "prefix", splits.Splits((splits.ByteLevel(),)), Vocabulary.from_ranks(BYTES, {"<s>": 300})
    ),
    "bytes and a template": lambda: Tokenizer.from_vocabulary(
        "t", "cl100k", Vocabulary.from_ranks(BYTES, {"<s>": 300}), template=Template((300, "A"))
    ),
    "dropout of all": lambda: Tokenizer.from_vocabulary(
        "d", "cl100k", Vocabulary.from_ranks(BYTES, {}), dropout=1
    ),
    "an empty chat template": lambda: Tokenizer.from_vocabulary(
        "e", "cl100k", Vocabulary.from_ranks(BYTES, {}), chat_template=""
    ),
}


@pytest.fixture(params=TOKENIZERS)
def tokenizer(request) -> Tokenizer:
    return TOKENIZERS[request.param]()


def written(path: Path, tokenizer: Tokenizer | None = None) -> dict:
    save(tokenizer or full(), path)
    return json.loads(path.read_bytes())


def test_everything_comes_back(tmp_path, tokenizer):
    save(tokenizer, tmp_path / "file")
    back = load(tmp_path / "file")
    assert everything(back) == everything(tokenizer)
    vocabulary = tokenizer.vocabulary
    knows_all = vocabulary.alphabet == "bytes" or vocabulary.byte_tokens is not None
    for text in (TEXT, "", " ", "abc <s>"):
        if text == TEXT and not knows_all and vocabulary.unknown is None:
            continue
        ids = tokenizer.encode_with_template(text, text)
        assert back.encode_with_template(text, text) == ids
        assert back.decode(ids) == tokenizer.decode(ids)
        if text == TEXT and not knows_all:
            continue  # an unknown character has no span
        one, other = (each.encode_with_offsets(text, allowed_special="all") for each in (tokenizer, back))
        assert one.byte_spans.tolist() == other.byte_spans.tolist()
        assert one.char_spans.tolist() == other.char_spans.tolist()


def test_equal_tokenizers_are_equal_bytes(tmp_path, tokenizer):
    save(tokenizer, tmp_path / "file")
    data = (tmp_path / "file").read_bytes()
    for other in (load(tmp_path / "file"), pickle.loads(pickle.dumps(tokenizer)), copy.deepcopy(tokenizer)):
        save(other, tmp_path / "other")
        assert (tmp_path / "other").read_bytes() == data
    assert data.isascii()


def test_a_file_is_of_the_lowest_version_that_holds_it(tmp_path, tokenizer):
    assert written(tmp_path / "file", tokenizer)["version"] == 2
    plain = Tokenizer.from_vocabulary("plain", "cl100k", Vocabulary.from_ranks(BYTES, {"<s>": 300}))
    assert written(tmp_path / "file", plain)["version"] == 1


def test_rows_are_lines(tmp_path):
    save(full(characters(scores=True)), tmp_path / "file")
    lines = (tmp_path / "file").read_text().splitlines()
    assert '[266,"ab",0.0],' in lines
    assert '[265,"\\u6771",-1.5],' in lines
    assert any(line.startswith('{"text":"<tool>","id":300,"special":false,') for line in lines)
    save(full(), tmp_path / "file")
    lines = (tmp_path / "file").read_text().splitlines()
    assert '[264,"\\u00e9"],' in lines
    assert "[266,263,267]," in lines


def test_rows_that_look_like_the_ends_of_rows_are_kept(tmp_path):
    texts = ["],[", '"],\n["', "}", "\u2028", "\\"]
    letters = sorted(set("".join(texts)))
    tokens = dict(enumerate(map(str.encode, [*letters, *texts[:2]])))
    vocabulary = Vocabulary.from_characters(
        tokens, scores=dict.fromkeys(tokens, 0.0), special_tokens={"<u>": 99}, byte_tokens=None, unknown=99
    )
    tokenizer = Tokenizer.from_vocabulary("],[", "whole", vocabulary)
    save(tokenizer, tmp_path / "file")
    assert everything(load(tmp_path / "file")) == everything(tokenizer)


class Mine(normalization.Normalizer):
    def __call__(self, text: str) -> str:
        return text


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"normalizer": Mine()}, "normalizer"),
        ({"dropout": 1.5}, "'dropout' is wrong"),
        ({"dropout": float("nan")}, "dropout is not plain JSON"),
        ({"dropout": "a half"}, "'dropout'"),
        ({"chat_template": b"{{ m }}"}, "chat_template is not plain JSON"),
        ({"chat_template": "\ud83d" + "\ude00"}, "chat_template would not come back equal"),
        (
            {"normalizer": normalization.Prepend("\ud83d" + "\ude00"), "added_tokens": []},
            "normalizer would not come back equal",
        ),
    ],
)
def test_what_would_not_come_back_is_not_written(tmp_path, options, words):
    with pytest.raises(FormatError, match=words):
        save(full(**options), tmp_path / "file")
    assert not list(tmp_path.iterdir())


DAMAGE = [
    ({"version": 1}, ["'added_tokens' is not a part of version 1", "remedy"][:1]),
    ({"version": 99}, ["version 99", "versions 1 and 2", "install the release"]),
    ({"more": 1}, ["'more' is not a part of version 2", "install the release"]),
    ({"splits": {"type": "Digits", "individual_digits": True}}, ["both 'pattern' and 'splits'"]),
    ({"splits": None}, ["'splits'"]),
    ({"splits": {"type": "Strange"}}, ["'splits'", "Strange"]),
    ({"splits": {"type": "Punctuation", "behavior": "Split"}}, ["behavior of Punctuation is 'Split'"]),
    ({"splits": {"type": "CharDelimiterSplit", "delimiter": ""}}, ["one character"]),
    ({"splits": {"type": "Split", "pattern": {"Regex": "("}, "behavior": "Isolated", "invert": False}},
     ["'splits'"]),
    ({"normalizer": None}, ["'normalizer'", "must be a dict"]),
    ({"normalizer": {"type": "Strip"}}, ["'normalizer'", "strip_left"]),
    ({"normalizer": {"type": "NFC", "more": 1}}, ["'normalizer'", "no part 'more'"]),
    ({"normalizer": {"type": "Replace", "pattern": {"Regex": "(?<"}, "content": ""}}, ["'normalizer'"]),
    ({"added_tokens": {}}, ["'added_tokens'", "must be a list"]),
    ({"added_tokens": [5]}, ["'added_tokens'", "is an object"]),
    ({"added_tokens": [{"text": "<s>", "id": 256}]}, ["'special' of an added token"]),
    ({"template": {"single": ["A"]}}, ["'template'"]),
    ({"template": {"single": ["B"], "pair": ["A", "B"], "single_types": [0], "pair_types": [0, 1]}},
     ["'template'", "'B' is no part"]),
    ({"template": {"single": [9999, "A"], "pair": ["A"], "single_types": [0, 0], "pair_types": [0]}},
     ["id 9999"]),
    ({"template": {"single": [[]], "pair": [], "single_types": [0], "pair_types": []}}, ["'template'"]),
    ({"decoder": {"type": "Fuse", "more": 1}}, ["'decoder'"]),
    ({"decoder": {"type": "Steps", "steps": [{"type": "Steps", "steps": [], "plain": False}],
                  "plain": False}}, ["'decoder'", "Steps is a policy"]),
    ({"decoder": {"type": "Strip", "content": " ", "start": -1, "stop": 0}}, ["'decoder'", "Strip"]),
    ({"decoder": {"type": "Replace", "pattern": {"String": ""}, "content": ""}}, ["'decoder'", "empty"]),
    ({"decoder": {"type": "Replace", "pattern": {"Regex": "("}, "content": ""}}, ["'decoder'"]),
    ({"decoder": {"type": "Metaspace", "replacement": "", "prepend_scheme": "always", "split": True}},
     ["'decoder'", "one character"]),
    ({"chat_template": 5}, ["'chat_template'"]),
    ({"dropout": 1}, ["'dropout'", "must be a float"]),
    ({"dropout": -0.5}, ["'dropout'", "from 0 to 1"]),
    ({"semantics": "ranks"}, ["'semantics'", "'scores'"]),
    ({"semantics": "scores"}, ["has no 'merge"]),
    ({"merge_counts": [1, 2, 3, 4, 5, 6]}, ["of characters has no 'merge_counts'"]),
    ({"characters": {}}, ["'characters' has no 'byte_tokens'"]),
    ({"characters": []}, ["'characters'"]),
    ({"tokens": [[260, 5]]}, ["row 0 of 'tokens'"]),
    ({"tokens": [[260, "\ud800"]]}, ["row 0 of 'tokens'"]),
    ({"tokens": [[260, "a"], [261, ""]]}, ["row 1 of 'tokens'"]),
    ({"tokens": [[260, "a"], [260, "b"]]}, ["token 260 is spelled twice"]),
    ({"tokens": [[260, "a", 0.5]]}, ["row 0 of 'tokens'"]),
    ({"merges": [[260, 261]]}, ["row 0 of 'merges'"]),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), DAMAGE)
def test_what_is_wrong_is_named(tmp_path, changes, words):
    path = tmp_path / "file"
    path.write_bytes(signed({**written(path), **changes}))
    refused(path, *words)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"byte_tokens": list(range(255))}, ["255 byte tokens"]),
        ({"byte_tokens": 5}, ["'byte_tokens'"]),
        ({"byte_tokens": [*range(255), True]}, ["'byte_tokens'"]),
        ({"byte_tokens": [*range(255), 1 << 24]}, ["'byte_tokens'"]),
        ({"unknown": "<unk>"}, ["'unknown'"]),
        ({"unknown": 9000}, ["9000"]),
        ({"fuse_unknown": True}, ["'fuse_unknown'"]),
        ({"unused": [267, 266]}, ["'unused'"]),
        ({"unused": [9000]}, ["unused"]),
        ({"more": 5}, ["'more'"]),
    ],
)
@pytest.mark.parametrize("scores", [False, True])
def test_what_is_wrong_with_characters_is_named(tmp_path, scores, changes, words):
    path = tmp_path / "file"
    document = written(path, full(characters(scores=scores)))
    document["characters"] |= changes
    path.write_bytes(signed(document))
    refused(path, *words)


@pytest.mark.parametrize("key", ["tokens", "characters", "semantics", "pattern", "name", "special_tokens"])
@pytest.mark.parametrize("scores", [False, True])
def test_a_missing_part_is_named(tmp_path, scores, key):
    path = tmp_path / "file"
    document = written(path, full(characters(scores=scores)))
    del document[key]
    path.write_bytes(signed(document))
    refused(path)


@pytest.mark.parametrize(
    "row", [[260, "a"], [260, "a", 1], [260, "a", "1"], [260, "a", None], [-1, "a", 0.5]]
)
def test_a_wrong_score_is_named(tmp_path, row):
    path = tmp_path / "file"
    document = written(path, full(characters(scores=True)))
    path.write_bytes(signed({**document, "tokens": [*document["tokens"], row]}))
    refused(path, f"row {len(WORDS)} of 'tokens'")


def test_deep_and_many_parts_are_refused_or_read_in_bounded_time(tmp_path):
    path = tmp_path / "file"
    document = written(path)
    deep: dict = {"type": "NFC"}
    for _ in range(50):
        deep = {"type": "Sequence", "normalizers": [deep]}
    path.write_bytes(signed({**document, "normalizer": deep}))
    refused(path, "'normalizer'", "nested more than 32 deep")
