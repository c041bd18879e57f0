"""The special tokens of a tokenizer, and where they stand in a text."""

class Specials:
    """A dict from text to id, for searching; a special is known by its place in it. Immutable."""

    def __init__(self, special_tokens: dict[str, int]) -> None: ...
    def next(self, text: bytes, pos: int, allowed: bytes) -> tuple[int, int, int] | None:
        """(start, end, place) of the first special token at or after `pos`, or None; `allowed` has a byte
        for each, nonzero where it counts."""
