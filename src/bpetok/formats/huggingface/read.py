"""From the JSON of a `tokenizer.json` to a tokenizer."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok import decoding, splits
from bpetok.added_tokens import AddedToken
from bpetok.errors import FormatError
from bpetok.formats.checks import build, shorten
from bpetok.formats.file import File
from bpetok.formats.huggingface.added_tokens import check_ids, read_added_tokens
from bpetok.formats.huggingface.model import read_model
from bpetok.formats.huggingface.parts import read_decoder, read_normalizer, read_pre_tokenizer, read_template
from bpetok.formats.huggingface.spaces import Steps, plain
from bpetok.formats.huggingface.vocabulary import read_bytes, read_characters
from bpetok.normalization import Normalizer, Sequence
from bpetok.oniguruma import Expression
from bpetok.patterns import GPT2, METASPACE, WHOLE, recognise
from bpetok.pretokenize import split
from bpetok.splits import Splits, Step

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["can_be_piece", "looks_like", "read"]

_KEYS = {
    "version", "truncation", "padding", "added_tokens", "normalizer", "pre_tokenizer",
    "post_processor", "decoder",
    "model",
}  # fmt: skip
_PLAIN_BYTES = splits.ByteLevel(add_prefix_space=False, use_regex=False)


def looks_like(file: File) -> bool:
    """Whether a file is a JSON object that has a model; in a vocab.json, "model" is a token."""
    return not isinstance(file.document.get("model", 0), int)


def read(
    file: File,
    *,
    name: str | None = None,
    provenance: dict[str, Any] | None = None,
    chat_template: str | None = None,
) -> Tokenizer:
    """The tokenizer in a `tokenizer.json`.

    Args:
        file: the file.
        name: how to call the tokenizer; as the file, if not given.
        provenance: where it comes from.
        chat_template: what was found beside the file.

    Raises:
        FormatError: a part is damaged, or would give other ids than bpetok's.
    """
    document, path = file.document, file.path
    if unknown := document.keys() - _KEYS:
        raise FormatError(f"{path} has {shorten(min(unknown))}, which is no part of a tokenizer.json")
    if document.get("version", "1.0") != "1.0":
        raise FormatError(f"{path} is of version {shorten(document['version'])}; version 1.0 can be read")
    for key in ("truncation", "padding"):
        if document.get(key) is not None:
            raise FormatError(
                f"{path}: {key!r} is set, which changes the ids of some texts; load a file without it"
            )
    model = read_model(document, path)
    added = read_added_tokens(document, path)
    check_ids(added, model.vocab, path)
    steps = Steps(
        read_normalizer(document.get("normalizer"), path),
        read_pre_tokenizer(document.get("pre_tokenizer"), path),
    )
    decoder = read_decoder(document.get("decoder"), path)
    policy: decoding.Decoder | None
    if any(isinstance(step, splits.ByteLevel) for step in steps.splits):
        pattern = _pattern(steps.splits)
        make = read_bytes(model, added, lambda data: can_be_piece(data, pattern), path)
        if decoder not in ((), (decoding.ByteLevel(),)):
            raise FormatError(
                f"{path}: 'decoder' is {shorten(decoder)}; with a byte-level pre-tokenizer it must be "
                "ByteLevel"
            )
        policy = None  # joining bytes is what ByteLevel does
    else:
        spaced = plain(steps, added, model.vocab)
        steps = spaced or steps
        pattern = _pattern(steps.splits)
        make = read_characters(model, added, spaced is not None, path)
        policy = decoding.Steps(decoder, plain=spaced is not None) if decoder else None
    return build(
        path,
        Path(path).stem if name is None else name,
        pattern,
        make,
        normalizer=_one(steps.normalizer),
        added_tokens=[token for token in added if token != AddedToken(token.text, token.id)],
        template=read_template(document.get("post_processor"), path),
        decoder=policy,
        chat_template=chat_template,
        dropout=model.dropout,
        provenance=provenance,
    )


def _one(steps: tuple[Normalizer, ...]) -> Normalizer | None:
    return Sequence(steps) if len(steps) > 1 else steps[0] if steps else None


def _pattern(steps: tuple[Step, ...]) -> str | Splits:
    """The split pattern that says what some steps do, where one of the natively served does; else the
    steps."""
    if steps in ((), (_PLAIN_BYTES,)):
        return WHOLE
    if steps == (splits.ByteLevel(add_prefix_space=False, use_regex=True),):
        return GPT2
    if steps == (splits.Split(" ", "MergedWithNext"),):
        return METASPACE
    first, *rest = steps
    if (
        isinstance(first, splits.Split)
        and isinstance(first.pattern, Expression)
        and rest in ([], [_PLAIN_BYTES])
    ):
        # Such patterns match every character, so that both ways to keep the matches do the same.
        source = first.pattern.source
        keeps_all = (first.behavior, first.invert) in (("Isolated", False), ("Removed", True))
        if (
            keeps_all
            and "$" not in source
            and not re.search(r"\{[\d,]*\}\+", source)
            and recognise(_ours(source))
        ):
            return _ours(source)
    return Splits(steps)


def _ours(source: str) -> str:
    r"""A pattern of theirs in our spelling: the end of the text is `$` with us."""
    return re.sub(r"\|(\\s\+\+?)(?:\\z|\(\?!\[\\s\\S\]\))\|", r"|\1$|", source)


def can_be_piece(data: bytes, pattern: str | Splits) -> bool:
    """Whether some text may have a piece of these bytes. With a pattern, such a piece is one when it is
    taken alone
    too: the patterns look at what is in front of nothing, and behind only for white space."""
    try:
        return not isinstance(pattern, str) or split(data.decode(), pattern) == [data.decode()]
    except UnicodeDecodeError:
        return False
