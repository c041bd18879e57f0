"""What other parts of the package ask of a tokenizer, whoever made it."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable


@runtime_checkable
class TokenizerLike(Protocol):
    """The least a tokenizer must offer to be measured.

    bpetok's `Tokenizer` satisfies it; tiktoken and Hugging Face tokenizers do with a thin adapter.
    """

    @property
    def n_vocab(self) -> int:
        """Number of ids, counting gaps: the largest id plus one."""
        ...

    def encode_ordinary(self, text: str) -> list[int]:
        """Ids of `text`, with the text of special tokens treated as ordinary text."""
        ...

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """The bytes that the ids stand for, in order."""
        ...

    def decode_single_token_bytes(self, token: int) -> bytes:
        """The bytes of one id."""
        ...
