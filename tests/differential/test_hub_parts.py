"""Each part of a `tokenizer.json` by itself: the ids, the texts and the refusals of `tokenizers`."""

import copy
import json

import pytest

import hub
from bpetok import Tokenizer, Vocabulary
from bpetok.errors import FormatError
from bpetok.formats import load

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
from tokenizers import decoders, models, pre_tokenizers, trainers  # noqa: E402

CORPUS = [
    "the cat sat on the mat, the cats can't sit 12345 naïve 東京 no   spaces\n\n<s> x▁y low lower lowest new "
    "newer",
    "Straße ночь ﬁne ①②③ é e\u0301 __init__(self): return 1_000.5",
] * 9
TEXTS = [
    *hub.strings(400, 3, ["<s>", "<a>", " <a>", "<a> ", "cat", "the", "CAT"]),
    *CORPUS[:2],
    "",
    " ",
    "a",
    "<a>",
]


def document(alphabet: str) -> dict:
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token=None if alphabet == "bytes" else "<unk>"))
    special = ["<unk>", "<s>"]
    if alphabet == "bytes":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        initial = pre_tokenizers.ByteLevel.alphabet()
    else:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Metaspace()
        initial = []
        special += [f"<0x{byte:02X}>" for byte in range(256)] if alphabet == "fallback" else []
    trainer = trainers.BpeTrainer(
        vocab_size=len(special) + len(initial) + 110,
        special_tokens=special,
        initial_alphabet=initial,
        show_progress=False,
    )
    tokenizer.train_from_iterator(CORPUS, trainer)
    made = json.loads(tokenizer.to_str())
    made["added_tokens"] = made["added_tokens"][:2]
    made["model"]["byte_fallback"] = alphabet == "fallback"
    return made


DOCUMENTS = {alphabet: document(alphabet) for alphabet in ("bytes", "unknown", "fallback")}
LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
GPT2 = LEVEL | {"use_regex": True}


def sequence(kind, *parts):
    return {"type": "Sequence", kind: list(parts)}


def cut(pattern, behavior="Isolated", invert=False):
    form = "Regex" if pattern.startswith("(?:") else "String"
    return {"type": "Split", "pattern": {form: pattern}, "behavior": behavior, "invert": invert}


def metaspace(scheme="always", split=True):
    return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": split}


def replace(old, new):
    return {"type": "Replace", "pattern": {"String": old}, "content": new}


def token(text, **flags):
    plain = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized", "special"), False)
    return {"content": text, **plain, **flags}


BEHAVIORS = ("Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous")
STEPS = {
    "nothing": None,
    "empty": sequence("pretokenizers"),
    "digits": {"type": "Digits", "individual_digits": False},
    "single digits": {"type": "Digits", "individual_digits": True},
    "punctuation": {"type": "Punctuation", "behavior": "Contiguous"},
    "punctuation by default": {"type": "Punctuation"},
    "words": {"type": "Whitespace"},
    "white space": {"type": "WhitespaceSplit"},
    "delimiter": {"type": "CharDelimiterSplit", "delimiter": "t"},
    **{f"at spaces {each}": cut(" ", each) for each in BEHAVIORS},
    **{f"at words {each}": cut(r"(?:[a-z]+|\p{N}{1,2}|\s+)", each, True) for each in BEHAVIORS},
    "steps": sequence(
        "pretokenizers",
        cut(r"(?:\s+(?!\S)|\n)"),
        sequence("pretokenizers", {"type": "Digits", "individual_digits": True}),
    ),
}
SPACES = {
    **{
        f"metaspace {scheme} {split}": metaspace(scheme, split)
        for scheme in ("always", "first", "never")
        for split in (0 == 0, 0 == 1)
    },
    "at marks": cut("▁", "MergedWithNext"),
    "metaspace and words": sequence("pretokenizers", {"type": "WhitespaceSplit"}, metaspace()),
    "metaspace and digits": sequence(
        "pretokenizers", metaspace(), {"type": "Digits", "individual_digits": True}
    ),
}
NORMALIZERS = {
    "nothing": None,
    "empty": sequence("normalizers"),
    **{name: {"type": name} for name in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Nmt")},
    "strip": {"type": "Strip", "strip_left": True, "strip_right": True},
    "prepend": {"type": "Prepend", "prepend": "x"},
    "replace": replace("t", "th"),
    "several": sequence(
        "normalizers", {"type": "NFKC"}, sequence("normalizers", {"type": "Lowercase"}), replace("  ", " ")
    ),
    "marks": replace(" ", "▁"),
    "llama": sequence("normalizers", {"type": "Prepend", "prepend": "▁"}, replace(" ", "▁")),
    "marks in the middle": sequence("normalizers", replace(" ", "▁"), {"type": "Lowercase"}),
}
ADDED = {
    "plain": [token("<a>")],
    "special": [token("<a>", special=True)],
    "lstrip": [token("<a>", lstrip=True)],
    "rstrip": [token("<a>", rstrip=True), token("cat", special=True)],
    "both": [token("<a>", lstrip=True, rstrip=True, special=True)],
    "single_word": [token("cat", single_word=True), token("the", single_word=True, lstrip=True)],
    "normalized": [token("CAT", normalized=True), token("x y", normalized=True)],
    "normalized with white space": [token("cat", normalized=True, lstrip=True, rstrip=True), token("<a>")],
    "overlapping": [token("ca"), token("cat"), token("at", normalized=True), token("the cat")],
    "in the vocabulary": [token("a"), token("th")],
}
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
TEMPLATES = {
    "bert": {"type": "BertProcessing", "sep": ["<s>", 1], "cls": ["<unk>", 0]},
    "roberta": {
        "type": "RobertaProcessing", "sep": ["<s>", 1], "cls": ["<unk>", 0], "trim_offsets": True,
        "add_prefix_space": False,
    },
    "template": {
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "two", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 1}}],
        "pair": [
            {"Sequence": {"id": "B", "type_id": 0}},
            {"SpecialToken": {"id": "<s>", "type_id": 0}},
            {"Sequence": {"id": "A", "type_id": 1}},
        ],
        "special_tokens": {
            "two": {"id": "two", "ids": [0, 1], "tokens": ["<unk>", "<s>"]},
            "<s>": {"id": "<s>", "ids": [1], "tokens": ["<s>"]},
        },
    },
}  # fmt: skip


def same(path, made: dict, texts=TEXTS, decode=False) -> Tokenizer:
    """See that both libraries read a file alike, and what bpetok writes of it."""
    path.write_text(json.dumps(made), "utf-8")
    ours = load(path)
    ours.save(path.with_name("again"), "huggingface")
    for ours, theirs in (
        (load(file), tokenizers.Tokenizer.from_file(str(file))) for file in (path, path.with_name("again"))
    ):
        plain = [each.ids for each in theirs.encode_batch(texts, add_special_tokens=False)]
        whole = [each.ids for each in theirs.encode_batch(texts)]
        theirs.encode_special_tokens = True
        blind = [each.ids for each in theirs.encode_batch(texts, add_special_tokens=False)]
        for text, *expected in zip(texts, plain, whole, blind, strict=True):
            assert ours.encode(text, allowed_special="all") == expected[0], text
            assert ours.encode_with_template(text) == expected[1], text
            assert ours.encode_ordinary(text) == expected[2], text
            if decode:
                assert ours.decode(expected[0]) == theirs.decode(expected[0], skip_special_tokens=False), text
    return ours


def numbered(made: dict, rows: list[dict]) -> None:
    """Add tokens with the ids that they get."""
    vocab = made["model"]["vocab"]
    following = len(vocab)
    for row in rows:
        made["added_tokens"].append({"id": vocab.get(row["content"], following), **row})
        following += row["content"] not in vocab


@pytest.mark.parametrize("name", STEPS)
def test_steps_before_bytes(tmp_path, name):
    made = copy.deepcopy(DOCUMENTS["bytes"])
    parts = [] if STEPS[name] is None else [STEPS[name]]
    made["pre_tokenizer"] = sequence("pretokenizers", *parts, LEVEL)
    same(tmp_path / "file", made, decode=True)
    made["pre_tokenizer"] = sequence("pretokenizers", *parts, GPT2 | {"add_prefix_space": True})
    same(tmp_path / "file", made)


@pytest.mark.parametrize("alphabet", ["unknown", "fallback"])
@pytest.mark.parametrize("fuse", [False, True])
@pytest.mark.parametrize("name", STEPS | SPACES)
def test_steps_before_characters(tmp_path, alphabet, fuse, name):
    made = copy.deepcopy(DOCUMENTS[alphabet])
    made["pre_tokenizer"] = (STEPS | SPACES)[name]
    made["model"]["fuse_unk"] = fuse
    same(tmp_path / "file", made)


@pytest.mark.parametrize("alphabet", DOCUMENTS)
@pytest.mark.parametrize("name", NORMALIZERS)
def test_normalizers(tmp_path, alphabet, name):
    made = copy.deepcopy(DOCUMENTS[alphabet])
    made["normalizer"] = NORMALIZERS[name]
    same(tmp_path / "file", made)
    if alphabet != "bytes":
        for part in (None, cut(" ", "MergedWithPrevious"), cut("▁", "MergedWithNext"), metaspace("never")):
            made["pre_tokenizer"] = part
            same(tmp_path / "file", made, TEXTS[::4])


@pytest.mark.parametrize("alphabet", DOCUMENTS)
@pytest.mark.parametrize("name", ADDED)
@pytest.mark.parametrize("normalizer", ["nothing", "NFC", "several", "llama"])
def test_added_tokens(tmp_path, alphabet, name, normalizer):
    made = copy.deepcopy(DOCUMENTS[alphabet])
    made["normalizer"] = NORMALIZERS[normalizer]
    if normalizer == "llama" and alphabet != "bytes":
        made["pre_tokenizer"] = None
    numbered(made, ADDED[name])
    same(tmp_path / "file", made)


@pytest.mark.parametrize("alphabet", DOCUMENTS)
@pytest.mark.parametrize("name", TEMPLATES)
def test_templates(tmp_path, alphabet, name):
    made = copy.deepcopy(DOCUMENTS[alphabet])
    made["post_processor"] = sequence("processors", LEVEL, TEMPLATES[name])
    ours = same(tmp_path / "file", made, TEXTS[:100])
    theirs = tokenizers.Tokenizer.from_str(json.dumps(made))
    for text, other in zip(TEXTS[:50], TEXTS[50:100], strict=True):
        assert ours.encode_with_template(text, other) == theirs.encode(text, other).ids


@pytest.mark.parametrize(
    "parts",
    [
        [metaspace()],
        [metaspace("never")],
        [replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}],
        [replace("▁", " "), {"type": "ByteFallback"}, {"type": "Fuse"}, STRIP],
        [{"type": "ByteFallback"}, metaspace("first")],
        [{"type": "Fuse"}],
    ],
)  # fmt: skip
def test_decoders(tmp_path, parts):
    for alphabet in ("unknown", "fallback"):
        made = copy.deepcopy(DOCUMENTS[alphabet])
        made["decoder"] = sequence("decoders", *parts) if len(parts) > 1 else parts[0]
        numbered(made, [token("<a>"), token("▁▁", special=True)])
        same(tmp_path / "file", made, [*TEXTS, "é\x00\x80ÿ", "a▁▁b"], decode=True)


@pytest.mark.parametrize("alphabet", ["bytes", "unknown"])
def test_whole_pieces_come_first_where_merges_are_ignored(tmp_path, alphabet):
    made = copy.deepcopy(DOCUMENTS[alphabet])
    made["model"]["ignore_merges"] = True
    del made["model"]["merges"][20:40]
    vocab = made["model"]["vocab"]
    texts = [text.replace("Ġ", " ").replace("▁", " ") for text in vocab]
    same(tmp_path / "file", made, [*texts, *TEXTS])


def test_of_a_merge_that_is_given_twice_the_later_counts(tmp_path):
    made = copy.deepcopy(DOCUMENTS["bytes"])
    rows = made["model"]["merges"]
    rows += rows[5:9]
    same(tmp_path / "file", made)
    made["model"]["merges"] = ["#version: 0.2", *map(" ".join, rows)]
    same(tmp_path / "file", made)


def test_all_merges_left_out_are_characters(tmp_path):
    made = copy.deepcopy(DOCUMENTS["fallback"])
    made["model"]["dropout"] = 1.0
    (tmp_path / "file").write_text(json.dumps(made), "utf-8")
    ours, theirs = load(tmp_path / "file"), tokenizers.Tokenizer.from_str(json.dumps(made))
    assert ours.dropout == 1.0
    for text in TEXTS:
        assert ours.encode_dropout(text, 1.0, 1, allowed_special="all") == theirs.encode(text).ids
    ours.save(tmp_path / "again", "huggingface")
    assert load(tmp_path / "again").dropout == 1.0


# ---- what we write -------------------------------------------------------------------------------------


def test_scores_become_merges(tmp_path):
    """SentencePiece's way. Runs of spaces have equal scores here: all but the shortest are left out."""
    pieces = hub.sentencepiece_pieces("tokenizer.model.v1")
    pieces = [(text, score, 0 if text.startswith("▁▁▁") else kind) for text, score, kind in pieces]
    vocabulary = Vocabulary.from_characters(
        {token: text.replace("▁", " ").encode() for token, (text, _, kind) in enumerate(pieces) if kind == 1},
        scores={token: score for token, (_, score, kind) in enumerate(pieces) if kind == 1},
        special_tokens={text: token for token, (text, _, kind) in enumerate(pieces) if kind in (2, 3)},
        byte_tokens=[token for token, (_, _, kind) in enumerate(pieces) if kind == 6],
        unknown=0,
    )
    ours = Tokenizer.from_vocabulary("scores", "whole", vocabulary)
    ours.save(tmp_path / "file", "huggingface")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "file"))
    again = load(tmp_path / "file")
    for text in [*TEXTS, *hub.declarations().values()]:
        text = text.replace("▁", " ")
        ids = ours.encode(text, allowed_special="all")
        assert theirs.encode(text).ids == ids == again.encode(text, allowed_special="all")


def test_what_scores_cannot_say_as_merges_is_refused(tmp_path):
    tokens = {256: b"a", 257: b"b", 258: b"ab", 259: b"ba"}
    byte_tokens = range(256)
    scores = {256: -9.0, 257: -8.0, 258: -1.0, 259: -1.0}
    vocabulary = Vocabulary.from_characters(tokens, scores=scores, special_tokens={}, byte_tokens=byte_tokens)
    with pytest.raises(FormatError, match="equal scores"):
        Tokenizer.from_vocabulary("s", "whole", vocabulary).save(tmp_path / "file", "huggingface")
    del tokens[257], scores[257]
    scores[259] = -2.0
    vocabulary = Vocabulary.from_characters(tokens, scores=scores, special_tokens={}, byte_tokens=byte_tokens)
    with pytest.raises(FormatError, match="a character that is no token"):
        Tokenizer.from_vocabulary("s", "whole", vocabulary).save(tmp_path / "file", "huggingface")


# ---- what the other library refuses --------------------------------------------------------------------


def without(where):
    def change(made):
        *folders, last = where.split("/")
        for name in folders:
            made = made[int(name) if isinstance(made, list) else name]
        del made[last]

    return change


def put(where, value):
    def change(made):
        *folders, last = where.split("/")
        for name in folders:
            made = made[int(name) if isinstance(made, list) else name]
        made[last] = value

    return change


@pytest.mark.parametrize(
    "change",
    [
        without("model/vocab"),
        without("model/merges"),
        without("added_tokens/0/lstrip"),
        without("added_tokens/0/id"),
        without("pre_tokenizer/trim_offsets"),
        put("version", "2.0"),
        put("more", 1),
        put("model/vocab/x", -1),
        put("model/vocab/x", 1.5),
        put("model/vocab/x", "5"),
        put("model/dropout", 2),
        put("model/dropout", "x"),
        put("model/fuse_unk", "x"),
        put("model/merges", ["a b", ["a", "t"]]),
        put("model/merges", ["a b c"]),
        put("model/merges", [["z", "z"]]),
        put("model/merges", [["a", 5]]),
        put("normalizer", {"type": "Other"}),
        put("normalizer", {"type": "Strip", "strip_left": True}),
        put("pre_tokenizer", cut("a", "Other")),
        put("pre_tokenizer", {"type": "Digits"}),
        put("pre_tokenizer", metaspace("always") | {"add_prefix_space": False}),
        put("pre_tokenizer", {"type": "Split", "pattern": {"String": "a"}, "behavior": "Isolated"}),
        put("post_processor", {"type": "TemplateProcessing", "single": [], "special_tokens": {}}),
        put("decoder", "ByteLevel"),
        put("decoder", {"type": "Other"}),
    ],
)
def test_what_they_refuse_is_refused(tmp_path, change):
    made = copy.deepcopy(DOCUMENTS["bytes"])
    change(made)
    with pytest.raises(Exception):  # noqa: B017
        tokenizers.Tokenizer.from_str(json.dumps(made))
    (tmp_path / "file").write_text(json.dumps(made), "utf-8")
    with pytest.raises(FormatError):
        load(tmp_path / "file")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
def test_a_truncated_file_is_refused(tmp_path, share):
    text = json.dumps(DOCUMENTS["bytes"])
    (tmp_path / "file").write_text(text[: int(len(text) * share)], "utf-8")
    with pytest.raises(FormatError, match="truncated"):
        load(tmp_path / "file")
