"""From a SentencePiece model to a tokenizer that gives the same ids and the same text."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from bpetok.added_tokens import AddedToken
from bpetok.decoding import SentencePiece as Decoder
from bpetok.errors import FormatError
from bpetok.formats.checks import MAX_TOKEN, build, shorten
from bpetok.formats.sentencepiece.model import BPE, MODEL_TYPES, Model, Type, parse
from bpetok.normalization_spm import SPACE, SentencePiece
from bpetok.patterns import NAMED
from bpetok.templates import Template
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["read"]

_NOT_READ = {
    "unigram": "it chooses the likeliest of all ways to cut a text, which is no merging",
    "word": "it has a token for each word, and merges nothing",
    "char": "it has a token for each character, and merges nothing",
}


def read(
    data: bytes, where: str, *, name: str | None = None, add_bos: bool = False, add_eos: bool = False
) -> Tokenizer:
    """The tokenizer of a model of type BPE.

    Args:
        data: the file.
        where: its name.
        name: how to call the tokenizer; the model has no name.
        add_bos: whether the template puts the token for the beginning before a text. A model does not say.
        add_eos: whether it puts the token for the end behind it.

    Raises:
        FormatError: the model is damaged, of another type, or has parts that cannot be reproduced exactly.
    """
    model = parse(data, where)
    trainer, normalizer = model.trainer, model.normalizer
    if trainer.model_type != BPE:
        what = MODEL_TYPES.get(trainer.model_type, str(trainer.model_type))
        why = _NOT_READ.get(what, "this release knows no such type")
        raise FormatError(f"{where} is a SentencePiece model of type {what}: {why}")
    if model.denormalizer.precompiled_charsmap:
        raise FormatError(
            f"{where}: 'denormalizer_spec' maps characters after decoding, which is not done here"
        )
    _check(model, where)
    escape = normalizer.escape_whitespaces

    def spell(text: str) -> str:
        return text.replace(SPACE, " ") if escape else text

    tokens: dict[int, bytes] = {}
    scores: dict[int, float] = {}
    unused: set[int] = set()
    found: dict[str, int] = {}  # by their own text
    byte_tokens: dict[str, int] = {}
    added: list[AddedToken] = []
    symbols: list[str] = []
    unknown = -1
    for token, (text, score, kind) in enumerate(model.pieces):
        if kind in (Type.NORMAL, Type.UNUSED):
            tokens[token] = spell(text).encode()
            scores[token] = score
            if kind == Type.UNUSED:
                unused.add(token)
        elif kind == Type.BYTE:
            byte_tokens[text] = token
        else:
            if found.setdefault(spell(text), token) != token:
                raise FormatError(f"{where}: two special pieces are {shorten(text)} in a normalized text")
            if kind == Type.USER_DEFINED:
                symbols.append(text)
                added.append(AddedToken(spell(text), token, special=False, normalized=True))
            elif kind == Type.UNKNOWN:
                unknown = token
    make = functools.partial(
        Vocabulary.from_characters,
        tokens,
        scores=scores,
        special_tokens=found,
        byte_tokens=[byte_tokens[text] for text in _BYTES] if byte_tokens else None,
        unknown=unknown,
        fuse_unknown="text",
        unused=unused,
    )
    pieces = {
        key: getattr(trainer, key)
        for key in ("unk_piece", "bos_piece", "eos_piece", "pad_piece")
        if any(text == getattr(trainer, key) for text, _, kind in model.pieces if kind in _MARKS)
    }
    return build(
        where,
        name or "sentencepiece",
        NAMED["whole"],
        make,
        provenance={"sentencepiece": pieces},
        normalizer=SentencePiece(
            name=normalizer.name,
            charsmap=normalizer.precompiled_charsmap,
            add_dummy_prefix=normalizer.add_dummy_prefix,
            remove_extra_whitespaces=normalizer.remove_extra_whitespaces,
            escape_whitespaces=escape,
            treat_whitespace_as_suffix=trainer.treat_whitespace_as_suffix,
            symbols=tuple(sorted(symbols)),
        ),
        added_tokens=added,
        template=_template(model, where, add_bos, add_eos),
        decoder=Decoder(
            prefix=normalizer.add_dummy_prefix or normalizer.remove_extra_whitespaces,
            unknown=trainer.unk_surface,
            all_spaces=normalizer.remove_extra_whitespaces,
        ),
    )


_MARKS = (Type.CONTROL, Type.UNKNOWN)


_BYTES = [f"<0x{byte:02X}>" for byte in range(256)]


def _check(model: Model, where: str) -> None:
    """See that the pieces make a model: as SentencePiece does, and that texts reach them as they are."""
    merged: dict[str, int] = {}
    marks: dict[str, int] = {}
    unknown = None
    n_bytes = 0
    known = set(_BYTES)
    escape = model.normalizer.escape_whitespaces
    for token, (text, _, kind) in enumerate(model.pieces):
        same = marks if kind in (Type.CONTROL, Type.UNKNOWN, Type.BYTE) else merged
        if same.setdefault(text, token) != token:
            raise FormatError(f"{where}: pieces {same[text]} and {token} are both {shorten(text)}")
        if kind == Type.UNKNOWN:
            if unknown is not None:
                raise FormatError(f"{where}: pieces {unknown} and {token} are both for the unknown")
            unknown = token
        elif kind == Type.BYTE:
            n_bytes += 1
            if text not in known or not model.trainer.byte_fallback:
                raise FormatError(
                    f"{where}: piece {token}, {shorten(text)}, is no byte"
                    if model.trainer.byte_fallback
                    else f"{where}: piece {token}, {shorten(text)}, is a byte, and 'byte_fallback' is false"
                )
        if kind == Type.UNUSED and len(text) == 1:
            raise FormatError(
                f"{where}: piece {token}, {shorten(text)}, is unused, and a character cannot be taken apart"
            )
        if len(text) > MAX_TOKEN // 4:
            raise FormatError(f"{where}: piece {token} has {len(text)} characters; at most {MAX_TOKEN // 4}")
        if (" " if escape else SPACE) in text and kind in (Type.NORMAL, Type.UNUSED, Type.USER_DEFINED):
            raise FormatError(
                f"{where}: piece {token}, {shorten(text)}, holds "
                + (
                    "a space, which no normalized text has"
                    if escape
                    else "U+2581, and spaces are not escaped"
                )
            )
    if unknown is None:
        raise FormatError(f"{where}: no piece is for the unknown")
    if model.trainer.byte_fallback and n_bytes != 256:
        raise FormatError(f"{where}: {n_bytes} pieces are bytes; with 'byte_fallback' there are 256")
    if escape and n_bytes and SPACE not in merged:
        raise FormatError(
            f"{where}: no piece is {SPACE!r}, so that a space would be spelled by the bytes of U+2581"
        )
    for text in merged.keys() & marks.keys():
        raise FormatError(
            f"{where}: pieces {merged[text]} and {marks[text]} are both {shorten(text)}, of types that "
            "exclude one another"
        )


def _template(model: Model, where: str, add_bos: bool, add_eos: bool) -> Template | None:
    if not (add_bos or add_eos):
        return None
    ids = {text: token for token, (text, _, kind) in enumerate(model.pieces) if kind == Type.CONTROL}
    before: list[int] = []
    behind: list[int] = []
    for wanted, text, part in [
        (add_bos, model.trainer.bos_piece, before),
        (add_eos, model.trainer.eos_piece, behind),
    ]:
        if wanted:
            if text not in ids:
                raise FormatError(f"{where}: the model has no control piece {shorten(text)} to add")
            part.append(ids[text])
    return Template((*before, "A", *behind), (*before, "A", *behind, *before, "B", *behind))
