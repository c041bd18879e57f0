"""Encoding and decoding of text that arrives bit by bit."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import TYPE_CHECKING

from bpetok._text import as_utf8

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["StreamDecoder", "StreamEncoder"]

# A native scanner decides a piece by its own characters and by what directly follows: the rest of a run
# of characters of the same class, which is cut into at most three pieces, and at most three bytes of a
# contraction. So a piece with this many whole pieces and bytes behind it is final.
_PIECES_BEHIND = 4
_BYTES_BEHIND = 8


class StreamDecoder:
    """Ids in, text out: each call gives the text that is complete, never a broken character.

    >>> from bpetok import get_encoding
    >>> cl100k = get_encoding("cl100k_base")
    >>> decoder = cl100k.stream_decoder()
    >>> [decoder.push([token]) for token in cl100k.encode("日本語")] + [decoder.finish()]
    ['日', '本', '', '語', '']
    """

    def __init__(self, tokenizer: Tokenizer, errors: str = "replace") -> None:
        self._tokenizer = tokenizer
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors)

    def push(self, tokens: Iterable[int]) -> str:
        """The text that these ids complete.

        Raises:
            TokenError: an id is not in the vocabulary; the decoder's state is then unchanged.
        """
        return self._decoder.decode(self._tokenizer.decode_bytes(list(tokens)))

    def finish(self) -> str:
        """What is left, an unfinished character treated by the `errors` policy; the decoder is new after."""
        rest = self._decoder.decode(b"", final=True)
        self._decoder.reset()
        return rest


class StreamEncoder:
    """Text in, ids out: each call gives the ids that no text to come can change.

    All calls' ids together equal those of the whole text. With one of the native patterns a few pieces
    are held back at a time; a custom pattern can look arbitrarily far ahead, so all of its text is held
    back until `finish`.

    >>> from bpetok import get_encoding
    >>> gpt2 = get_encoding("gpt2")
    >>> encoder = gpt2.stream_encoder()
    >>> text = "It never gives a different id, however the text is cut."
    >>> ids = [token for char in text for token in encoder.push(char)] + encoder.finish()
    >>> ids == gpt2.encode(text)
    True
    """

    def __init__(self, tokenizer: Tokenizer, mask: bytes | None = None) -> None:
        self._tokenizer = tokenizer
        self._mask = mask
        specials = tokenizer.vocabulary.special_tokens
        allowed = [text for text, mark in zip(specials, mask or b"", strict=False) if mark]
        self._longest_special = max((len(as_utf8(text)) for text in allowed), default=0)
        self._surrogate = ""
        self._held = b""
        self._try_at = 0

    def push(self, text: str) -> list[int]:
        """The ids that have become final with this text."""
        text = self._surrogate + text
        # A high surrogate at the end may be the first half of a character.
        self._surrogate = text[-1:] if "\ud800" <= text[-1:] <= "\udbff" else ""
        self._held += as_utf8(text[: len(text) - len(self._surrogate)])
        # Trying again only once as much again has come keeps a piece without end linear.
        if len(self._held) < self._try_at:
            return []
        ids, start = self._take_specials()
        scanner = self._tokenizer.pattern.scanner
        # Where unknown characters fuse across pieces, nothing is final before the end.
        if scanner is not None and self._tokenizer.vocabulary.fuse_unknown != "text":
            # A special token may have begun in the last bytes; what is before surely holds none.
            limit = max(start, len(self._held) - max(self._longest_special - 1, 0))
            while limit < len(self._held) and self._held[limit] & 0xC0 == 0x80:
                limit -= 1
            pieces = scanner.split(self._held[start:limit])
            sure = max(0, len(pieces) - _PIECES_BEHIND)
            end = start + sum(map(len, pieces[:sure]))
            while sure and limit - end < _BYTES_BEHIND:
                sure -= 1
                end -= len(pieces[sure])
            for piece in pieces[:sure]:
                ids += self._tokenizer._encode_piece(piece)
            start = end
        self._held = self._held[start:]
        self._try_at = 0 if start else 2 * len(self._held)
        return ids

    def finish(self) -> list[int]:
        """The ids of what is left; the encoder is new afterwards."""
        self._held += as_utf8(self._surrogate)
        self._surrogate = ""
        ids = self._tokenizer._encode(self._held.decode(), self._mask)
        self._held = b""
        self._try_at = 0
        return ids

    def _take_specials(self) -> tuple[list[int], int]:
        """Ids up to behind the last whole special token that is held, and where that is.

        A special token close to the end waits: a longer one may start at the same place.
        """
        ids: list[int] = []
        start = 0
        while self._mask is not None:
            found = self._tokenizer._special_at(self._held, start, self._mask)
            if found is None or len(self._held) - found[0] < self._longest_special:
                break
            ids += self._tokenizer._encode(self._held[start : found[0]].decode(), None)
            ids.append(found[2])
            start = found[1]
        return ids, start
