"""What a corpus is made of."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """One text of a corpus.

    Attributes:
        text: the text; bytes where the file holds text as it is, str where a format decodes it.
        source: where it came from: the path as it was given, or "-" for standard input.
    """

    text: str | bytes
    source: str
