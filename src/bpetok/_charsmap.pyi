"""SentencePiece's normalization: a map of characters, and what becomes of spaces."""

class CharsMap:
    """A normalization as SentencePiece does it; spaces come out as spaces, not as U+2581. Immutable."""

    def __init__(
        self,
        blob: bytes,
        symbols: dict[str, int],
        *,
        dummy_prefix: bool,
        suffix: bool,
        collapse: bool,
        escape: bool,
    ) -> None:
        """Check a precompiled map.

        Args:
            blob: the size in bytes of the double array as 32 bits, the array, and the replacements, each
                ended by a zero byte. Integers are little-endian. Empty: no character is replaced.
            symbols: what is kept from the map, as the keys of a dict.
            dummy_prefix: whether a space is put before the text.
            suffix: whether it is put behind instead.
            collapse: whether spaces at both ends go, and of several only the first is kept.
            escape: whether U+2581 in the text is a space from then on.

        Raises:
            FormatError: units or replacements are cut off, or lie outside of the map, or a key ends within a
                character. Time and memory are linear in the size of the map.
        """

    def normalize(self, text: str | bytes) -> str:
        """A text as the model sees it; a byte that is in no character of UTF-8 becomes U+FFFD.

        Linear in the text and in what it becomes.
        """
