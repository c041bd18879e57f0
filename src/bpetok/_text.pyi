"""Text as the engine sees it: a str or bytes in place, and a str as UTF-8."""

def as_utf8(text: str | bytes) -> bytes:
    """UTF-8 of a str, with surrogates treated as tiktoken does; bytes pass through unchanged."""
