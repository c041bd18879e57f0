"""The parts of a SentencePiece model, `ModelProto` of `sentencepiece_model.proto`: from bytes and to bytes.

Only what decides about ids and text is kept; how the model was trained is passed over. A field that is not
known is refused where it could decide about ids (in the model, its pieces and its normalization).
"""

from __future__ import annotations

import contextlib
import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from enum import IntEnum
from typing import Any

from bpetok.errors import FormatError
from bpetok.formats.checks import shorten
from bpetok.formats.sentencepiece import wire

__all__ = ["BPE", "Model", "Normalizer", "Piece", "Trainer", "Type", "looks_like", "parse", "serialize"]

BPE = 2
MODEL_TYPES = {1: "unigram", 2: "BPE", 3: "word", 4: "char"}
_EXTENSION = 200  # numbers from here on are free for other programs' own fields
_PARTS = {1: "pieces", 2: "trainer_spec", 3: "normalizer_spec", 4: "self_test_data", 5: "denormalizer_spec"}
_PIECE = {1: ("piece", str), 2: ("score", float), 3: ("type", int)}


class Type(IntEnum):
    """What a piece is for."""

    NORMAL = 1
    UNKNOWN = 2
    CONTROL = 3
    USER_DEFINED = 4
    UNUSED = 5
    BYTE = 6


Piece = tuple[str, float, int]
"""Text, score and type."""


def _at(number: int, default: Any) -> Any:
    return field(default=default, metadata={"number": number})


@dataclass(frozen=True)
class Trainer:
    """What `TrainerSpec` says about the use of the model; defaults are those of the format."""

    model_type: int = _at(3, 1)
    vocab_size: int = _at(4, 8000)
    treat_whitespace_as_suffix: bool = _at(24, False)
    byte_fallback: bool = _at(35, False)
    unk_id: int = _at(40, 0)
    bos_id: int = _at(41, 1)
    eos_id: int = _at(42, 2)
    pad_id: int = _at(43, -1)
    unk_surface: str = _at(44, " ⁇ ")
    unk_piece: str = _at(45, "<unk>")
    bos_piece: str = _at(46, "<s>")
    eos_piece: str = _at(47, "</s>")
    pad_piece: str = _at(48, "<pad>")


@dataclass(frozen=True)
class Normalizer:
    """`NormalizerSpec`: what is done to a text first."""

    name: str = _at(1, "")
    precompiled_charsmap: bytes = _at(2, b"")
    add_dummy_prefix: bool = _at(3, True)
    remove_extra_whitespaces: bool = _at(4, True)
    escape_whitespaces: bool = _at(5, True)
    normalization_rule_tsv: str = _at(6, "")


@dataclass(frozen=True)
class Model:
    """A whole model; a piece's id is its place."""

    pieces: list[Piece]
    trainer: Trainer
    normalizer: Normalizer
    denormalizer: Normalizer = Normalizer()


def looks_like(data: bytes) -> bool:
    r"""Whether a file begins as a model does: with a piece that has a text, and then a score or a type.

    >>> looks_like(bytes([10, 7, 10, 5]) + b"<unk>"), looks_like(b"\n{}")
    (True, False)
    """
    try:
        if data[:1] != b"\n":
            return False
        size, text = wire.integer(data, 1, len(data), "")
        if data[text : text + 1] != b"\n":
            return False
        length, begin = wire.integer(data, text + 1, len(data), "")
    except FormatError:
        return False
    left = text + size - (begin + length)
    return left == 0 or (left > 0 and data[begin + length : begin + length + 1] in (b"\x15", b"\x18"))


def parse(data: bytes, where: str) -> Model:
    """The model in a file.

    Raises:
        FormatError: the file is damaged, or holds what is not known.
    """
    pieces, at = _short_pieces(data)
    specs: dict[int, slice] = {}
    for number, _, value in wire.fields(data, at, len(data), where):
        if number >= _EXTENSION:
            continue
        if number not in _PARTS or not isinstance(value, slice):
            raise FormatError(f"{where} is damaged or of a later version: field {number} is not known")
        if number == 1:
            pieces.append(_piece(data, value, f"{where}: piece {len(pieces)}"))
        elif number in specs:
            raise FormatError(f"{where} is damaged: it has two parts {_PARTS[number]!r}")
        else:
            specs[number] = value
    return Model(
        pieces,
        Trainer(**_spec(Trainer, data, specs.get(2), f"{where}: 'trainer_spec'", strict=False)),
        Normalizer(**_spec(Normalizer, data, specs.get(3), f"{where}: 'normalizer_spec'")),
        Normalizer(**_spec(Normalizer, data, specs.get(5), f"{where}: 'denormalizer_spec'")),
    )


def _short_pieces(data: bytes) -> tuple[list[Piece], int]:
    """The first pieces, as far as they are laid out as almost all are, and where they end.

    Each has a text of less than 120 bytes, a score, and perhaps a type, in this order. Reading them field by
    field takes five times as long. Whatever is wrong with one is left for that to tell.
    """
    texts, scores, kinds = [], bytearray(), bytearray()
    at, stop = 0, len(data) - 8
    while at < stop and data[at] == 10 and data[at + 2] == 10:
        score = at + 4 + data[at + 3]
        end = at + 2 + data[at + 1]
        if score > stop or data[score] != 0x15 or data[at + 1] > 0x7F:
            break
        if end == score + 5:
            kinds.append(1)
        elif end == score + 7 and data[score + 5] == 0x18:
            kinds.append(data[score + 6])
        else:
            break
        texts.append(data[at + 4 : score])
        scores += data[score + 1 : score + 5]
        at = end
    numbers = struct.unpack(f"<{len(texts)}f", scores)
    if all(texts) and all(map(math.isfinite, numbers)) and set(kinds) <= set(Type):
        with contextlib.suppress(UnicodeDecodeError):
            return list(zip([text.decode() for text in texts], numbers, kinds, strict=True)), at
    return [], 0


def _piece(data: bytes, where: slice, what: str) -> Piece:
    """A piece, whose fields can stand in any order."""
    parts = {"score": 0.0, "type": 1, **_fields(_PIECE, data, where, what)}
    text, score, kind = parts.get("piece", ""), parts["score"], parts["type"]
    if not text:
        raise FormatError(f"{what} has no text")
    if not math.isfinite(score):
        raise FormatError(f"{what}, {shorten(text)}, has the score {score}; it must be a finite number")
    if kind not in set(Type):
        raise FormatError(f"{what}, {shorten(text)}, is of type {kind}, which is not known")
    return text, score, kind


def _spec(
    kind: type[Trainer] | type[Normalizer], data: bytes, where: slice | None, what: str, strict: bool = True
) -> dict[str, Any]:
    known = {each.metadata["number"]: (each.name, type(each.default)) for each in fields(kind)}
    return {} if where is None else _fields(known, data, where, what, strict)


def _fields(
    known: Mapping[int, tuple[str, type]], data: bytes, where: slice, what: str, strict: bool = True
) -> dict[str, Any]:
    """The known fields of a message by name, each of its type.

    Raises:
        FormatError: a field is given twice, is of another layout, or holds what is no UTF-8; or one is not
            known, and reading is strict.
    """
    found: dict[str, Any] = {}
    for number, _, value in wire.fields(data, where.start, where.stop, what):
        if number not in known:
            if strict and number < _EXTENSION:
                raise FormatError(f"{what} is damaged or of a later version: field {number} is not known")
            continue
        name, kind = known[number]
        if name in found:
            raise FormatError(f"{what} is damaged: it has {name!r} twice")
        if kind in (str, bytes) and isinstance(value, slice):
            found[name] = data[value] if kind is bytes else _text(data[value], f"{what}: {name!r}")
        elif kind is float and isinstance(value, float):
            found[name] = value
        elif kind in (int, bool) and isinstance(value, int):
            found[name] = bool(value) if kind is bool else value - (value >> 63 << 64)
        else:
            raise FormatError(f"{what} is damaged: {name!r} is no {kind.__name__}")
    return found


def _text(data: bytes, what: str) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"{what} is no UTF-8 at byte {error.start}") from None


def serialize(model: Model) -> bytes:
    """The bytes of a model, with every part but those that say what the format takes for granted.

    >>> parse(serialize(Model([("a", -1.0, 1)], Trainer(), Normalizer())), "").pieces
    [('a', -1.0, 1)]
    """
    out = []
    for text, score, kind in model.pieces:
        piece = wire.field(1, text) + wire.field(2, float(score))
        out.append(wire.field(1, piece if kind == Type.NORMAL else piece + wire.field(3, int(kind))))
    specs: list[tuple[int, Trainer | Normalizer]] = [
        (2, model.trainer),
        (3, model.normalizer),
        (5, model.denormalizer),
    ]
    for number, spec in specs:
        body = b"".join(
            wire.field(each.metadata["number"], getattr(spec, each.name))
            for each in fields(type(spec))
            if number == 2 or getattr(spec, each.name) != each.default
        )
        if body or number != 5:
            out.append(wire.field(number, body))
    return b"".join(out)
