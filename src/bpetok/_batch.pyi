"""Many texts at once: handed out to threads in chunks, and the ids put together in order."""

from collections.abc import Callable
from typing import Any

from bpetok._encode import Encoder

class Batch:
    """Texts on their way to ids. Each thread calls `run`, which returns when no chunk is left."""

    n_chunks: int
    length: int
    def __init__(self, encoder: Encoder, texts: list[str], mask: bytes | None, reject: bool) -> None: ...
    def run(self, keep: bool = True) -> None:
        """Encode chunks until none is left. With `keep` False only the numbers of ids are kept."""

    def lists(self) -> list[list[int]]:
        """A list of ids for each text."""

    def counts(self) -> list[int]:
        """How many ids each text has."""

    def flat(self, empty_ids: Callable[[int], Any], empty_offsets: Callable[[int], Any]) -> tuple[Any, Any]:
        """(ids, offsets) in arrays that the two functions make for a length."""
