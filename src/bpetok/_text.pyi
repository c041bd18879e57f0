"""Text as the engine sees it: a str or bytes in place, and a str as UTF-8; and UTF-8 as a str."""

def as_utf8(text: str | bytes) -> bytes:
    """UTF-8 of a str, with surrogates treated as tiktoken does; bytes pass through unchanged."""

def repaired(text: str) -> str:
    """A str with its surrogates treated as `as_utf8` does; itself where it has none. That of a subclass
    becomes a plain one.

    Raises:
        TypeError: it is no str.
    """

def has_any(text: str, ranges: tuple[tuple[int, int], ...]) -> bool:
    """Whether a str has a character of any (first, last) of some ranges, all beyond the basic plane; as
    `as_utf8` sees it, so that a pair of surrogates is one.

    Raises:
        TypeError: it is no str.
    """

def _as_utf8_on(text: str, name: str) -> bytes:
    """As `as_utf8` for a str that is not ASCII, with the instructions of a named tier of this machine."""

def _as_str(data: bytes) -> str:
    """A str of UTF-8; what is not valid becomes U+FFFD."""
