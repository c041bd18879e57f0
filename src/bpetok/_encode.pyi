"""The border between Python and the merge engine: str to ids."""

from collections.abc import Callable, Collection, Iterable, Set
from typing import Literal, SupportsIndex

from bpetok._ids import IdBuffer
from bpetok._scan import Scanner
from bpetok._vocab import VocabTables

def _set_window(units: int) -> int:
    """Set the code units of a window, for tests; returns what it was."""

class Encoder:
    """Native half of `bpetok.Tokenizer`: encoding and decoding, without policy."""

    tables: VocabTables
    scanner: Scanner | None
    always: bytes | None
    def _attach(
        self,
        tables: VocabTables,
        scanner: Scanner | None,
        matcher: Callable[[str], Iterable[tuple[int, int]]] | None,
        findall: Callable[[str], list[str]] | None,
        special_tokens: dict[str, int],
        *,
        always: bytes | None = None,
        preparation: Callable[[str, bytes | None], list[tuple[int, str | list[str]]] | None] | None = None,
        decoder: Callable[[Iterable[SupportsIndex], str], str] | None = None,
    ) -> None: ...
    def _encode(self, text: str, mask: bytes | None, reject: bool = False) -> list[int]: ...
    def _encode_buffer(
        self,
        text: str,
        allowed_special: Literal["all"] | Set[str],
        disallowed_special: Literal["all"] | Collection[str],
    ) -> IdBuffer: ...
    def _encode_piece(self, piece: bytes) -> list[int]: ...
    def _special_at(self, text: bytes, pos: int, mask: bytes | None) -> tuple[int, int, int] | None: ...
    def encode(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | Set[str] = ...,
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> list[int]:
        """Encode a text, with a policy for text that looks like a special token.

        Args:
            text: a str; surrogates are treated as by `encode_ordinary`.
            allowed_special: special tokens that become ids of their own, or "all" of them.
            disallowed_special: texts that must not occur, or "all" special tokens that are not allowed.
                Pass () to have the text of special tokens encoded as ordinary text.

        Raises:
            DisallowedSpecialError: a disallowed special token is in the text (a `ValueError`).
            EncodeError: a byte of the text is not in the vocabulary.
            TypeError: an argument is of another type.
        """

    def encode_ordinary(self, text: str) -> list[int]:
        """Encode a text, taking the text of special tokens as ordinary text.

        Args:
            text: a str. Surrogates are treated as tiktoken does: a pair becomes its character, a lone
                one U+FFFD.

        Returns:
            A list of ids. Time is O(n log n) in the length of the longest piece, linear otherwise.

        Raises:
            TypeError: `text` is not a str.
            EncodeError: a byte of the text is not in the vocabulary.
        """

    def count(
        self,
        text: str,
        *,
        allowed_special: Literal["all"] | Set[str] = ...,
        disallowed_special: Literal["all"] | Collection[str] = "all",
    ) -> int:
        """Number of tokens that `encode` would give; none is kept."""

    def decode(self, tokens: Iterable[SupportsIndex], errors: str = "replace") -> str:
        """The text that ids stand for.

        Args:
            tokens: a sequence of ids.
            errors: what to do where the bytes are not valid UTF-8, as for `bytes.decode`. The default
                loses such bytes; "strict" raises `UnicodeDecodeError`.

        Raises:
            TokenError: an id is not in the vocabulary (a `KeyError`).
        """

    def decode_bytes(self, tokens: Iterable[SupportsIndex]) -> bytes:
        """The bytes that ids stand for, joined.

        Args:
            tokens: a sequence of ids, special ones included: a list, a numpy array, anything iterable.

        Raises:
            TokenError: an id is not in the vocabulary (a `KeyError`).
            TokenRangeError: an id is negative or does not fit 32 bits (an `OverflowError` too).
            TypeError: not a sequence of integers.
        """

    def decode_single_token_bytes(self, token: SupportsIndex) -> bytes:
        """The bytes of one id, special ones included.

        Raises:
            TokenError: the id is not in the vocabulary (a `KeyError`).
            TokenRangeError: it is negative or does not fit 32 bits (an `OverflowError` too).
        """
