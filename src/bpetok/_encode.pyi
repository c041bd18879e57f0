"""The border between Python and the merge engine: str to ids, ids to bytes, batches."""

from collections.abc import Callable, Iterable
from typing import Any, SupportsIndex

from bpetok._scan import Scanner
from bpetok._vocab import VocabTables

class Encoder:
    """Native half of `bpetok.Tokenizer`: encoding and decoding, without policy."""

    tables: VocabTables
    scanner: Scanner | None
    def _attach(
        self,
        tables: VocabTables,
        scanner: Scanner | None,
        matcher: Callable[[str], Iterable[tuple[int, int]]] | None,
        special_tokens: dict[str, int],
    ) -> None: ...
    def _encode(self, text: str, mask: bytes | None, reject: bool = False) -> list[int]: ...
    def _encode_array(
        self, text: str, mask: bytes | None, reject: bool, empty: Callable[[int], Any]
    ) -> Any: ...
    def _count(self, text: str, mask: bytes | None, reject: bool) -> int: ...
    def _encode_piece(self, piece: bytes) -> list[int]: ...
    def _special_at(self, text: bytes, pos: int, mask: bytes | None) -> tuple[int, int, int] | None: ...
    def _batch(self, texts: list[str], mask: bytes | None, reject: bool) -> Batch: ...
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

class Batch:
    """Texts on their way to ids. Each thread calls `run`, which returns when no chunk is left."""

    n_chunks: int
    length: int
    def run(self, keep: bool = True) -> None:
        """Encode chunks until none is left. With `keep` False only the numbers of ids are kept."""

    def lists(self) -> list[list[int]]:
        """A list of ids for each text."""

    def counts(self) -> list[int]:
        """How many ids each text has."""

    def flat(self, empty_ids: Callable[[int], Any], empty_offsets: Callable[[int], Any]) -> tuple[Any, Any]:
        """(ids, offsets) in arrays that the two functions make for a length."""
