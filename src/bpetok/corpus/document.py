"""What a corpus is made of."""

import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Document:
    """One text of a corpus.

    Attributes:
        text: the text; bytes where the file holds text as it is, str where a format decodes it.
        source: where it came from: the path as it was given, or "-" for standard input.
    """

    text: str | bytes
    source: str


def batches(
    items: Iterable[T], size: int, length: Callable[[T], int], *, most: int = sys.maxsize
) -> Iterator[list[T]]:
    """Texts, or documents, in lists that are not empty.

    Args:
        items: any number of them.
        size: how long they are together from which a list ends.
        length: how long one is.
        most: how many there are in a list at most.
    """
    batch: list[T] = []
    total = 0
    for item in items:
        batch.append(item)
        total += length(item)
        if total >= size or len(batch) == most:
            yield batch
            batch, total = [], 0
    if batch:
        yield batch
