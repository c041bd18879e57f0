"""SentencePiece models: the wire format, damaged files, and what is refused. Ids are compared elsewhere."""

from dataclasses import replace
from random import Random

import pytest

import bpetok
from bpetok import Tokenizer, Vocabulary, decoding
from bpetok.errors import FormatError
from bpetok.formats import load
from bpetok.formats.sentencepiece import wire
from bpetok.formats.sentencepiece.model import (
    Model,
    Normalizer,
    Trainer,
    Type,
    looks_like,
    parse,
    serialize,
)
from bpetok.formats.sentencepiece.reading import read
from bpetok.normalization import NFKC, Prepend, Replace, Sequence
from bpetok.normalization_spm import SentencePiece

NORMAL, UNKNOWN, CONTROL, USER_DEFINED, UNUSED, BYTE = map(int, Type)
BYTES = [(f"<0x{byte:02X}>", 0.0, BYTE) for byte in range(256)]
PIECES = [
    ("<unk>", 0.0, UNKNOWN),
    ("<s>", 0.0, CONTROL),
    ("</s>", 0.0, CONTROL),
    ("ab", -1.0, NORMAL),
    ("▁ab", -2.0, NORMAL),
    ("▁", -3.0, NORMAL),
    ("a", -4.0, NORMAL),
    ("b", -5.0, NORMAL),
]
MODEL = Model(PIECES, Trainer(model_type=2, vocab_size=8), Normalizer("identity"))
DATA = serialize(MODEL)


# ---- the wire format ---------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, (1 << 32) - 1, (1 << 64) - 1])
def test_integers(value):
    data = wire.varint(value)
    assert wire.integer(data, 0, len(data), "") == (value, len(data))
    for cut in range(len(data)):
        with pytest.raises(FormatError, match="no integer of 64 bits is at byte 0"):
            wire.integer(data, 0, cut, "x")


def test_negative_integers_are_of_64_bits():
    data = wire.field(43, -1)
    assert list(wire.fields(data, 0, len(data), "")) == [(43, wire.VARINT, (1 << 64) - 1)]
    assert parse(serialize(replace(MODEL, trainer=Trainer(pad_id=-1))), "").trainer.pad_id == -1


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (b"\x80" * 11 + b"\0", "no integer of 64 bits"),
        (b"\xff" * 9 + b"\x7f", "no integer of 64 bits"),
        (b"\x02\0", "0 is no number of a field"),
        (b"\x0b", "layout 3 of field 1"),
        (b"\x0e\0", "layout 6 of field 1"),
        (b"\x0a\xff\xff\xff\xff\x0f", "takes 4294967295 bytes, and 0 are left"),
        (b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", "bytes, and 0 are left"),
        (b"\x15\0\0\0", "takes 4 bytes, and 3 are left"),
        (b"\x11\0\0\0\0", "takes 8 bytes, and 4 are left"),
        (b"\x0a\x02\xff", "takes 2 bytes, and 1 are left"),
    ],
)
def test_damaged_fields(data, what):
    with pytest.raises(FormatError, match=what):
        list(wire.fields(data, 0, len(data), "file"))


# ---- the model ---------------------------------------------------------------------------------------


def test_a_model_comes_back():
    charsmap = bytes(range(256))
    model = Model(
        [*PIECES, ("x" * 200, 1.5, UNUSED), ("é", -6.0, USER_DEFINED), *BYTES],
        Trainer(2, 266, True, True, 1, 2, 3, 4, "", "<u>", "<b>", "<e>", "<p>"),
        Normalizer("x", charsmap, False, False, False, "rules"),
        Normalizer("y", b"z"),
    )
    assert parse(serialize(model), "") == model
    assert parse(DATA, "") == MODEL


def test_fields_can_stand_in_any_order_and_those_of_others_are_passed_over():
    text, score, kind = wire.field(1, "ab"), wire.field(2, -1.5), wire.field(3, UNUSED)
    extension = wire.field(200, b"more") + wire.field(201, 7) + wire.field(202, 0.5)
    for body in (text + score + kind, kind + score + text, score + extension + kind + text):
        data = wire.field(1, body)
        assert looks_like(data) == body.startswith(text)
        assert parse(data + extension, "").pieces == [("ab", -1.5, UNUSED)]
    assert parse(wire.field(1, text), "").pieces == [("ab", 0.0, NORMAL)]
    trainer = wire.field(2, wire.field(1, "corpus.txt") + wire.field(99, b"?") + wire.field(3, 2))
    assert parse(wire.field(4, b"tests") + trainer, "").trainer.model_type == 2


PIECE = wire.field(1, "a")


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (wire.field(6, b""), "field 6 is not known"),
        (wire.field(1, 5), "field 1 is not known"),
        (wire.field(1, b""), "piece 0 has no text"),
        (wire.field(1, wire.field(2, 1.0)), "piece 0 has no text"),
        (wire.field(1, wire.field(1, "")), "piece 0 has no text"),
        (
            wire.field(1, wire.field(1, b"\xff") + wire.field(2, 0.0)),
            "piece 0: 'piece' is no UTF-8 at byte 0",
        ),
        (wire.field(1, PIECE + PIECE), "it has 'piece' twice"),
        (wire.field(1, PIECE + wire.field(2, 3)), "'score' is no float"),
        (wire.field(1, PIECE + wire.field(3, 1.0)), "'type' is no int"),
        (wire.field(1, wire.field(1, 3)), "'piece' is no str"),
        (wire.field(1, PIECE + wire.field(3, 7)), "'a', is of type 7, which is not known"),
        (wire.field(1, PIECE + wire.field(2, float("nan"))), "'a', has the score nan"),
        (wire.field(1, PIECE + wire.field(2, float("inf")) + wire.field(3, 1)), "'a', has the score inf"),
        (wire.field(1, PIECE + wire.field(4, 1)), "field 4 is not known"),
        (wire.field(1, PIECE)[:-1], "takes 3 bytes, and 2 are left"),
        (wire.field(1, PIECE + b"\x12\x05a"), "takes 5 bytes, and 1 are left"),
        (wire.field(2, b"") * 2, "it has two parts 'trainer_spec'"),
        (wire.field(3, wire.field(2, b"") * 2), "'precompiled_charsmap' twice"),
        (wire.field(3, wire.field(7, 1)), "'normalizer_spec' is damaged or of a later version: field 7"),
        (wire.field(2, wire.field(44, b"\x80")), "'unk_surface' is no UTF-8"),
        (wire.field(2, wire.field(3, b"x")), "'model_type' is no int"),
    ],
)
def test_damaged_models(data, what):
    with pytest.raises(FormatError, match=what):
        parse(data, "file")


def test_a_file_cut_anywhere_is_refused_or_lacks_its_end():
    data = serialize(replace(MODEL, pieces=[*PIECES, ("long" * 40, 0.0, NORMAL)]))
    for cut in range(len(data)):
        try:
            model = parse(data[:cut], "file")
        except FormatError as error:
            assert "file" in str(error)  # noqa: PT017
        else:
            assert model.pieces == parse(data, "").pieces[: len(model.pieces)]


def test_damage_anywhere_gives_a_model_or_an_error():
    random = Random(1)
    for _ in range(3000):
        data = bytearray(DATA)
        for _ in range(random.randrange(1, 4)):
            data[random.randrange(len(data))] = random.randrange(256)
        try:
            parse(bytes(data), "file")
        except FormatError as error:
            assert str(error).startswith("file")  # noqa: PT017


def test_what_looks_like_a_model():
    assert looks_like(DATA)
    assert looks_like(serialize(Model([("x" * 300, 0.0, NORMAL)], Trainer(), Normalizer())))
    for data in (
        b"",
        b"\n",
        b"\n\n",
        b"\n{}",
        b'\n{\n "format": 1}',
        b"\n\x80",
        b"IQ== 0\n",
        b"\n\x05\n\xff",
        b"{",
    ):
        assert not looks_like(data)


# ---- what is refused ---------------------------------------------------------------------------------


def refused(what, pieces=PIECES, trainer=MODEL.trainer, normalizer=MODEL.normalizer, **more):
    data = serialize(Model(list(pieces), trainer, normalizer, **more))
    with pytest.raises(FormatError, match=what):
        read(data, "file")


def test_other_types_of_models():
    for number, what in [
        (1, "unigram: it chooses"),
        (3, "word: it has"),
        (4, "char: it has"),
        (9, "9: this"),
    ]:
        refused(f"of type {what}", trainer=Trainer(model_type=number))


def test_contradictions():
    refused("pieces 3 and 8 are both 'ab'", [*PIECES, ("ab", 0.0, USER_DEFINED)])
    refused("pieces 1 and 8 are both '<s>'", [*PIECES, ("<s>", 0.0, CONTROL)])
    refused("pieces 8 and 1 are both '<s>', of types", [*PIECES, ("<s>", 0.0, NORMAL)])
    refused("pieces 0 and 8 are both for the unknown", [*PIECES, ("<u>", 0.0, UNKNOWN)])
    refused("no piece is for the unknown", PIECES[1:])
    refused("'<0x00>', is a byte, and 'byte_fallback' is false", [*PIECES, *BYTES])
    bytes_too = replace(MODEL.trainer, byte_fallback=True)
    refused("255 pieces are bytes; with 'byte_fallback' there are 256", [*PIECES, *BYTES[1:]], bytes_too)
    refused("'<0x1>', is no byte", [*PIECES, ("<0x1>", 0.0, BYTE)], bytes_too)
    refused("8, 'a c', holds a space, which no normalized", [*PIECES, ("a c", 0.0, NORMAL)])
    escaped = replace(MODEL.normalizer, escape_whitespaces=False)
    refused("'▁ab', holds U\\+2581, and spaces are not escaped", normalizer=escaped)
    refused("'é', is unused, and a character", [*PIECES, ("é", 0.0, UNUSED)])
    refused("two special pieces are 'x y'", [*PIECES, ("x▁y", 0.0, USER_DEFINED), ("x y", 0.0, CONTROL)])


def test_maps_of_characters():
    broken = replace(MODEL.normalizer, precompiled_charsmap=b"\xff" * 100)
    refused("the map of characters is damaged", normalizer=broken)
    refused("'denormalizer_spec' maps characters", denormalizer=Normalizer(precompiled_charsmap=b"x"))


def test_pieces_of_enormous_length():
    refused("piece 8 has 300000 characters", [*PIECES, ("a" * 300_000, 0.0, NORMAL)])


def test_what_a_model_does_not_need(tmp_path):
    path = tmp_path / "some.model"
    path.write_bytes(DATA)
    with pytest.raises(FormatError, match="needs no pattern"):
        load(path, pattern="gpt2")
    other = tmp_path / "other"
    other.write_bytes(b"IQ== 0\n")
    with pytest.raises(FormatError, match="file, which needs no add_bos: load it without"):
        load(other, add_bos=True)
    path.write_bytes(DATA[:-3])
    with pytest.raises(FormatError, match="truncated or damaged"):
        load(path)
    path.write_bytes(serialize(replace(MODEL, trainer=replace(MODEL.trainer, bos_piece="<bos>"))))
    with pytest.raises(FormatError, match="no control piece '<bos>'"):
        load(path, add_bos=True)


# ---- writing -----------------------------------------------------------------------------------------

TOKENS = {1: b" ", 2: b"a", 3: b"b", 4: b"c", 5: b"ab", 6: b" a", 7: b"abc"}
MERGES = [(2, 3), (1, 2), (5, 4)]


def merged(merges, name="whole", special_tokens=None, decoder=None, normalizer=None, **more):
    vocabulary = Vocabulary.from_characters(
        TOKENS,
        merges=merges,
        special_tokens={"<unk>": 0} if special_tokens is None else special_tokens,
        **{"byte_tokens": None, "unknown": 0, "fuse_unknown": "text", **more},
    )
    return Tokenizer.from_vocabulary("toy", name, vocabulary, decoder=decoder, normalizer=normalizer)


def written(tokenizer, folder):
    path = folder / "some.model"
    tokenizer.save(path, "sentencepiece")
    return Tokenizer.load(path)


def test_a_merge_list_that_scores_can_say(tmp_path):
    for merges in (MERGES, MERGES[::-1], [MERGES[1], MERGES[0], MERGES[2]]):
        tokenizer = merged(
            merges, normalizer=SentencePiece(), decoder=decoding.SentencePiece(all_spaces=True)
        )
        loaded = written(tokenizer, tmp_path)
        for text in ("abc", "a abc abcab", "xyz  b", "ca", "▁ab"):
            assert loaded.encode(text) == tokenizer.encode(text)
            assert loaded.decode(loaded.encode(text)) == tokenizer.decode(tokenizer.encode(text))


def test_steps_that_say_the_same_as_a_normalizer_spec(tmp_path):
    steps = Sequence((Prepend(" "), Replace("▁", " ")))
    loaded = written(merged(MERGES, normalizer=steps, decoder=decoding.SentencePiece()), tmp_path)
    assert loaded.normalizer == SentencePiece(remove_extra_whitespaces=False)
    assert written(merged(MERGES), tmp_path).encode("a ▁abc") == merged(MERGES).encode("a ▁abc")


@pytest.mark.parametrize(
    ("make", "what"),
    [
        (lambda: bpetok.get_encoding("gpt2"), "merging starts from bytes"),
        (lambda: merged([(2, 3)], normalizer=NFKC()), "has no normalizer NFKC"),
        (lambda: merged([(2, 3)], name="gpt2"), "SentencePiece cuts no text"),
        (lambda: merged([(2, 3), (1, 2)], normalizer=Prepend(" ")), "takes a space off"),
        (lambda: merged([(2, 3)], fuse_unknown=False), "are one id in SentencePiece"),
        (lambda: merged(MERGES, special_tokens={"<unk>": 0, "<gap>": 9}), "such as 8 have none"),
        (lambda: merged([(2, 3)], ignore_merges=True), "without merging"),
        (lambda: merged([(2, 3)]), "built of other parts"),
    ],
)
def test_what_cannot_be_written(make, what, tmp_path):
    with pytest.raises(FormatError, match=what):
        make().save(tmp_path / "some.model", "sentencepiece")
    assert not list(tmp_path.iterdir())
