"""SentencePiece models in both directions against `sentencepiece`: the same ids, the same text."""

import functools
import gzip
import importlib.metadata
import io
import json
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from bpetok import Tokenizer
from bpetok.formats import load
from bpetok.formats.sentencepiece.model import Type, parse, serialize

sentencepiece = pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")

UDHR = Path(__file__).parents[2].parent / "shared" / "data" / "udhr.jsonl.gz"
SCRIPTS = 24

SETTINGS = {
    "byte fallback": {"byte_fallback": True},
    "unknowns": {"character_coverage": 0.98},
    "identity": {"normalization_rule_name": "identity", "byte_fallback": True},
    "nfkc": {"normalization_rule_name": "nfkc"},
    "nfkc_cf": {"normalization_rule_name": "nfkc_cf", "byte_fallback": True},
    "user-defined symbols": {
        "user_defined_symbols": ["<sep>", "<s", "▁▁", "\t", "ﬁ", "e", "ten▁"],
        "control_symbols": ["<c>", "@"],
        "byte_fallback": True,
        "remove_extra_whitespaces": False,
    },
    "user-defined symbols, spaces removed": {
        "user_defined_symbols": ["<sep>", "▁", "ａ"],
        "character_coverage": 0.99,
        "pad_id": 3,
        "unk_surface": "<?>",
    },
    "digits": {"split_digits": True, "split_by_unicode_script": False, "byte_fallback": True},
    "suffix": {"treat_whitespace_as_suffix": True, "byte_fallback": True},
    "suffix and unknowns": {"treat_whitespace_as_suffix": True, "character_coverage": 0.98},
    "all spaces": {
        "remove_extra_whitespaces": False,
        "allow_whitespace_only_pieces": True,
        "byte_fallback": True,
        "normalization_rule_name": "identity",
    },
    "no prefix": {"add_dummy_prefix": False, "byte_fallback": True},
    "no prefix, all spaces": {"add_dummy_prefix": False, "remove_extra_whitespaces": False},
    "pieces across words": {"split_by_whitespace": False, "split_by_number": False, "byte_fallback": True},
    "soft limit": {"hard_vocab_limit": False, "vocab_size": 7000, "unk_id": 2, "bos_id": 0, "eos_id": 1},
    "own rules": {"user_defined_symbols": ["B"], "byte_fallback": True, "normalization_rule_tsv": "own"},
}
OWN_RULES = "61\t20 62\n62 63\t\n64\t20 20\nE9\t65 301\n2581\t2581 2581\n20 65\t65\n"


def languages():
    """Texts of many scripts; those of the machine's corpus where there is one."""
    if not UDHR.exists():
        return [
            "All human beings are born free and equal in dignity and rights. " * 3,
            "Все люди рождаются свободными и равными в своем достоинстве и правах. " * 3,
            "人人生而自由,在尊严和权利上一律平等。他们赋有理性和良心。",
            "すべての人間は、生まれながらにして自由であり、かつ、尊厳と権利とについて平等である。",
            "모든 인간은 태어날 때부터 자유로우며 그 존엄과 권리에 있어 동등하다. " * 2,
            "يولد جميع الناس أحراراً متساوين في الكرامة والحقوق. ",
            "सभी मनुष्यों को गौरव और अधिकारों के मामले में जन्मजात स्वतन्त्रता और समानता प्राप्त है। ",
        ]
    by_script = {}
    with gzip.open(UDHR) as file:
        for line in file:
            text = json.loads(line)
            by_script.setdefault(text["script"], []).append("\n".join(map(str, text["segments"].values())))
    return [text[:6000] for texts in by_script.values() for text in texts[:2]]


def code():
    folder = Path(__file__).parent
    return [path.read_text("utf-8")[:4000] for path in sorted(folder.glob("*.py"))]


def generated(n, seed):
    """Strings of what normalization and merging may stumble over, and of random characters."""
    random = Random(seed)
    parts = (
        " ", "  ", "   ", "▁", "▁▁", "\t", "\n", "\r\n", "\u00a0", "\u3000", "\u200b", "\u200d", "\ufeff",
        "the", " the", "ing", "e", "a", "bc", "d", "E", "é", "e\u0301", "\u0301", "ﬁ", "Ａ", "ａ", "㌀",
        "日本", "한국", "\u1100\u1161", "😀", "👨\u200d👩", "ß", "İ", "ſ", "1", "2024", "½", "<sep>", "<s>",
        "<s", "</s>", "<unk>", "<0x41>", "@", "ten ", "ten▁", "B", "\ufffd", "⁇", "_", "...", "…", "\u0344",
        "ก็", "ำ", "\0", "\ufdfa",
    )  # fmt: skip
    for at in range(n):
        if at % 4:
            yield "".join(random.choices(parts, k=random.randrange(12)))
        else:
            codes = [int(random.paretovariate(0.25) + 30) % 0x10F800 for _ in range(random.randrange(20))]
            yield "".join(chr(code + 0x800 if code >= 0xD800 else code) for code in codes)


WHITE_SPACE = [
    "", " ", "  ", "\n", "\t\t", "▁", " ▁ ", "a ", " a", "  a  b  ", "a\u00a0b", "\u3000a", "a \n b",
    "▁a▁▁b▁",
    *(" " * n for n in (3, 5, 7, 8, 15, 16, 17, 31, 33, 100, 1001)),
    *("a" + " " * n + "b" for n in range(2, 40)),
    "x" * 5000, "the " * 3000, "▁" * 3000, "\u0301" * 300, "e\u0301" * 3000, "日本語" * 2000, "\ufdfa" * 100,
]  # fmt: skip


@functools.cache
def trained(name):
    """A model as bytes."""
    out = io.BytesIO()
    texts = [line for text in (*languages(), *code()) for line in text.split("\n")]
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(texts),
        model_writer=out,
        model_type="bpe",
        max_sentence_length=100_000,
        num_threads=1,
        minloglevel=2,
        **{"vocab_size": 6000, **SETTINGS[name]},
    )
    return out.getvalue()


def pair(data, folder):
    """(ours, theirs), both from the same file."""
    path = folder / "some.model"
    path.write_bytes(data)
    return Tokenizer.load(path), sentencepiece.SentencePieceProcessor(model_proto=data)


def same(ours, theirs, texts):
    wanted = theirs.encode(texts)
    for text, ids in zip(texts, wanted, strict=True):
        assert ours.encode_ordinary(text) == ids, text
        assert ours.decode(ids) == theirs.decode(ids), text
    assert ours.encode_ordinary_batch(texts) == wanted


def same_on_all(ours, theirs, n=1500):
    same(ours, theirs, [*languages(), *code(), *WHITE_SPACE, *generated(n, 1)])
    random = Random(2)
    for _ in range(n):
        ids = random.choices(range(theirs.get_piece_size()), k=random.randrange(8))
        ids += random.choices(range(min(600, theirs.get_piece_size())), k=random.randrange(8))
        assert ours.decode(ids) == theirs.decode(ids), ids
    for token in range(theirs.get_piece_size()):
        assert ours.decode([token]) == theirs.decode([token]), token


@pytest.fixture(params=SETTINGS)
def model(request, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own").write_text(OWN_RULES, "utf-8")
    return trained(request.param)


def test_trained_models(model, tmp_path):
    same_on_all(*pair(model, tmp_path))


def test_written_models(model, tmp_path):
    """What is written gives the same in sentencepiece, on characters that were never seen too."""
    ours, theirs = pair(model, tmp_path)
    again = written(ours, tmp_path)
    texts = [*WHITE_SPACE, *generated(1500, 3), *code()]
    assert again.encode(texts) == theirs.encode(texts)
    same(ours, again, texts)
    pieces = range(theirs.get_piece_size())
    for what in ("id_to_piece", "is_control", "is_unknown", "is_unused", "is_byte", "get_score"):
        assert [getattr(again, what)(at) for at in pieces] == [getattr(theirs, what)(at) for at in pieces]
    for what in ("unk_id", "bos_id", "eos_id", "pad_id"):
        assert getattr(again, what)() == getattr(theirs, what)()


def written(ours, folder):
    """sentencepiece with the model that is written for a tokenizer; and the same is written again."""
    paths = [folder / "first", folder / "second"]
    ours.save(paths[0], "sentencepiece")
    load(paths[0]).save(paths[1], "sentencepiece")
    assert paths[0].read_bytes() == paths[1].read_bytes()
    return sentencepiece.SentencePieceProcessor(model_file=str(paths[0]))


def published():
    """The models that mistral-common brings along, found without importing it."""
    try:
        files = importlib.metadata.files("mistral-common") or []
    except importlib.metadata.PackageNotFoundError:
        return []
    return [Path(file.locate()) for file in files if ".model.v" in file.name]


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v7", "v7m1"])
def test_published_models(version, tmp_path):
    paths = [path for path in published() if path.name.endswith(f".model.{version}")]
    if not paths:
        pytest.skip("mistral-common is not installed, which brings the model")
    (path,) = paths
    ours, theirs = pair(path.read_bytes(), tmp_path)
    same_on_all(ours, theirs, 20_000 if version in ("v1", "v3") else 2000)
    again = written(ours, tmp_path)
    texts = [*languages(), *code(), *WHITE_SPACE, *generated(2000, 5)]
    assert again.encode(texts) == theirs.encode(texts)


def test_templates(tmp_path):
    path = tmp_path / "some.model"
    path.write_bytes(trained("byte fallback"))
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(path))
    for add_bos in (False, True):
        for add_eos in (False, True):
            ours = Tokenizer.load(path, add_bos=add_bos, add_eos=add_eos)
            wanted = theirs.encode("the text", add_bos=add_bos, add_eos=add_eos)
            assert ours.encode_with_template("the text") == wanted


@pytest.mark.parametrize("name", ["byte fallback", "unknowns", "pieces across words"])
def test_unused_pieces_are_taken_apart(name, tmp_path):
    model = parse(trained(name), "")
    random = Random(4)
    pieces = [
        (
            text,
            score,
            Type.UNUSED if kind == Type.NORMAL and len(text) > 1 and random.random() < 0.5 else kind,
        )
        for text, score, kind in model.pieces
    ]
    ours, theirs = pair(serialize(replace(model, pieces=pieces)), tmp_path)
    assert len(ours.vocabulary.unused) > 500
    same_on_all(ours, theirs)
    again = written(ours, tmp_path)
    texts = [*languages(), *generated(1000, 6)]
    assert again.encode(texts) == theirs.encode(texts)


def test_scores_in_any_order(tmp_path):
    """Pieces of which many are never reached, and merges that change places."""
    model = parse(trained("byte fallback"), "")
    for seed in range(4):
        random = Random(seed)
        pieces = [
            (
                text,
                float(random.randrange(-(10**6), 10**6)) if seed % 2 else score + random.gauss(0, 300),
                kind,
            )
            for text, score, kind in model.pieces
        ]
        ours, theirs = pair(serialize(replace(model, pieces=pieces)), tmp_path)
        texts = [*languages(), *code(), *WHITE_SPACE, *generated(1000, seed)]
        same(ours, theirs, texts)
        assert written(ours, tmp_path).encode(texts) == theirs.encode(texts)
