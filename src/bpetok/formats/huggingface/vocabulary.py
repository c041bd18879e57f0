"""Between the model of a `tokenizer.json`, whose tokens are texts, and a vocabulary, whose tokens are
bytes."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate, pairwise

import numpy as np

from bpetok.added_tokens import AddedToken
from bpetok.bytelevel import BYTE_OF, unspell
from bpetok.errors import FormatError
from bpetok.formats.checks import MAX_TOKEN, shorten
from bpetok.formats.huggingface.model import Model
from bpetok.splits import UNDERLINE
from bpetok.vocabulary import Vocabulary

__all__ = ["BYTE_TOKENS", "NEVER", "missing_bytes", "read_bytes", "read_characters"]

BYTE_TOKENS = tuple(f"<0x{byte:02X}>" for byte in range(256))
# Per code point the byte that it spells, or a larger number.
_BYTES = np.array([BYTE_OF.get(chr(code), 0x100) for code in range(0x200)], np.uint16)
# Bytes that are in no UTF-8: a vocabulary can do without them.
NEVER = frozenset((0xC0, 0xC1, *range(0xF5, 0x100)))
# Control characters but tabs and line ends, and what begins characters of planes that have none: published
# vocabularies lack some. A text that needs one is refused, where `tokenizers` leaves it out.
RARE = frozenset((*range(0x09), 0x0B, 0x0C, *range(0x0E, 0x20), 0x7F, 0xF1, 0xF2))


def read_bytes(
    model: Model, added: Sequence[AddedToken], can_be_piece: Callable[[bytes], bool], path: str
) -> Callable[[], Vocabulary]:
    """What makes the vocabulary of a byte-level model.

    Args:
        model: the model.
        added: the added tokens.
        can_be_piece: whether bytes can be a piece of a text.
        path: the file.

    Raises:
        FormatError: a token is not spelled in the byte-level alphabet, or a byte of usual texts has no token.
    """

    def is_found(text: str) -> bool:
        data = unspell(text)
        return text in BYTE_OF or (model.ignore_merges and data is not None and can_be_piece(data))

    left_out = _left_out(model, added, is_found)
    texts = [text for text, token in model.vocab.items() if token not in left_out]
    data = _unspell_all(texts)
    if data is None or not all(data) or max(map(len, data), default=0) > MAX_TOKEN:
        wrong = next(text for text in texts if not 0 < len(unspell(text) or b"") <= MAX_TOKEN)
        raise FormatError(
            f"{path}: 'vocab' has {shorten(wrong)}, which spells no token of 1 to {MAX_TOKEN} bytes in the "
            "byte-level alphabet, and the pre-tokenizer is a byte-level one"
        )
    tokens = dict(zip(map(model.vocab.__getitem__, texts), data, strict=True))
    if missing := missing_bytes(tokens.values()):
        raise FormatError(
            f"{path}: the vocabulary has no token for byte {missing[0]:#04x} and {len(missing) - 1} others, "
            "so "
            "some texts lose bytes in `tokenizers`, and here they would have no ids"
        )
    return functools.partial(
        Vocabulary.from_merges,
        tokens,
        model.merges,
        {token.text: token.id for token in added},
        ignore_merges=model.ignore_merges,
    )


def _unspell_all(texts: Sequence[str]) -> list[bytes] | None:
    """The bytes that each text spells; None if one does not. As `unspell`, for many at once."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), np.uint32)
    spelled = _BYTES[np.minimum(codes, len(_BYTES) - 1)]
    if (spelled > 0xFF).any():
        return None
    data = spelled.astype(np.uint8).tobytes()
    return [data[start:end] for start, end in pairwise([0, *accumulate(map(len, texts))])]


def missing_bytes(tokens: Iterable[bytes]) -> list[int]:
    """The bytes of usual texts that have no token of their own."""
    return sorted(set(range(256)) - NEVER - RARE - {data[0] for data in tokens if len(data) == 1})


def read_characters(
    model: Model, added: Sequence[AddedToken], spaces: bool, path: str
) -> Callable[[], Vocabulary]:
    """What makes the vocabulary of a model that merges characters.

    Args:
        model: the model.
        added: the added tokens.
        spaces: whether to hold U+2581 as a space.
        path: the file.

    Raises:
        FormatError: characters that are in no token would be left out, or unknown and byte tokens are merged.
    """
    byte_tokens = _byte_tokens(model, path)
    unknown = None if model.unk_token is None else model.vocab.get(model.unk_token)
    if byte_tokens is None and model.unk_token is None:
        raise FormatError(
            f"{path}: there is neither 'unk_token' nor 'byte_fallback': characters that are in no token are "
            "left out, "
            "and what is beside them merges; name an 'unk_token'"
        )
    inner = (model.unk_token or "", *(BYTE_TOKENS if byte_tokens else ()))
    if model.merged([text for text in inner if text in model.vocab]):
        raise FormatError(
            f"{path}: 'merges' join or make the unknown token or a byte token, which cannot be reproduced"
        )
    bytes_only = set(byte_tokens or ()) - {model.vocab.get(chr(byte)) for byte in range(128)}
    left_out = _left_out(model, added, lambda text: len(text) == 1 or model.ignore_merges) | bytes_only
    tokens: dict[int, bytes] = {}
    for text, token in model.vocab.items():
        if token in left_out:
            continue
        try:
            data = (text.replace(UNDERLINE, " ") if spaces else text).encode()
        except UnicodeEncodeError:
            data = b""
        if not data or len(data) > MAX_TOKEN:
            raise FormatError(
                f"{path}: 'vocab' has {shorten(text)}, which is no text of 1 to {MAX_TOKEN} bytes in UTF-8"
            )
        tokens[token] = data
    return functools.partial(
        Vocabulary.from_characters,
        tokens,
        merges=model.merges,
        special_tokens={token.text: token.id for token in added},
        byte_tokens=byte_tokens,
        unknown=unknown,
        fuse_unknown="piece" if model.fuse_unk else False,
        ignore_merges=model.ignore_merges,
    )


def _left_out(model: Model, added: Sequence[AddedToken], is_found: Callable[[str], bool]) -> set[int]:
    """The ids of added tokens that are entries of the model too, and that no text reaches there."""
    both = {model.vocab[token.text]: token.text for token in added if token.text in model.vocab}
    merged = model.merged(both.values()) if both else set()
    return {token for token, text in both.items() if text not in merged and not is_found(text)}


def _byte_tokens(model: Model, path: str) -> list[int] | None:
    """The ids of the tokens for bytes; None where characters have no such fallback."""
    found = [model.vocab.get(text) for text in BYTE_TOKENS]
    if not model.byte_fallback or found == [None] * 256:
        return None
    # A byte of ASCII is a character: where that is a token, its byte token is never wanted.
    ids = [
        model.vocab.get(chr(byte)) if token is None and byte < 128 else token
        for byte, token in enumerate(found)
    ]
    if None in ids:
        raise FormatError(
            f"{path}: 'byte_fallback' is true, and there is no {BYTE_TOKENS[ids.index(None)]}: some "
            "characters would "
            "have bytes, and others none"
        )
    return ids  # type: ignore[return-value]
