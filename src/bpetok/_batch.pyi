"""Many texts at once: handed out to threads in chunks, and the ids put together in order."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

from bpetok._encode import Encoder

class Batch:
    """Texts on their way to ids: `begin`, `run` in each thread, `end`, and then one of the results."""

    n_chunks: int
    length: int
    def __init__(self, encoder: Encoder, texts: list[str]) -> None: ...
    def __iter__(self) -> Iterator[str]:
        """The texts."""

    def begin(
        self, mask: bytes | None, reject: bool, form: Literal["lists", "flat", "counts"], n_threads: int
    ) -> None:
        """Say which special tokens are allowed and whether others are rejected, what is wanted, as the
        methods are named, and for how many threads."""

    def run(self, which: int) -> None:
        """Encode chunks until none is left, as the thread of this number."""

    def end(self) -> None:
        """Give back what `begin` took. Every thread has returned."""

    def lists(self) -> list[list[int]]:
        """A list of ids for each text."""

    def counts(self) -> list[int]:
        """How many ids each text has."""

    def flat(
        self, narrow_ids: Callable[[int], Any] | None, empty_offsets: Callable[[int], Any]
    ) -> tuple[Any, Any]:
        """(ids, offsets): ids in a buffer of 32-bit integers or, where the first function is not None, in the
        array that it makes for a length; offsets in the array that the other makes."""
