"""Where a normal form may change a text."""

class FormCheck:
    """The check of one normal form.

    Args:
        classes: a byte for each of the 0x110000 code points: 0 for one that begins anew, 0x80 for one that a
            later one may join, 0x40 (or 0xC0) for one that may join, 0xFF for one that the form changes, or
            the rank of its combining class, 1 to 62, with 0x40 if it may join.

    Raises:
        ValueError: there are not so many.
    """

    def __init__(self, classes: bytes | bytearray) -> None: ...
    def spans(self, text: str) -> list[tuple[int, int]]:
        """The stretches of a text, as (start, end), outside of which the form surely changes nothing; each
        can be normalized by itself. Linear.

        Raises:
            TypeError: it is no str.
        """

def spliced(text: str, spans: list[tuple[int, int]], parts: list[str]) -> str:
    """A str with stretches of it replaced: each (start, end), which follow one another, by its part.

    Raises:
        TypeError: the text is no str, or a part.
        ValueError: a stretch is not behind the one before it, or not in the text; or has no part.
    """
