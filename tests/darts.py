"""A precompiled map of characters as SentencePiece has it, from a dict: for tests of what reads it."""

import struct
from collections.abc import Mapping


def charsmap(rules: Mapping[str, str]) -> bytes:
    """The double array of the keys, each state in a block of its own, and the replacements."""
    texts = sorted(set(rules.values()))
    joined = b"".join(text.encode() + b"\0" for text in texts)
    starts = {text: joined.index(text.encode() + b"\0") for text in texts}
    units = [0] * 256

    def place(at: int, keys: dict[bytes, str]) -> None:
        base = len(units)
        units.extend([0] * 256)
        units[at] |= (at ^ base) << 10
        for byte in sorted({key[0] for key in keys if key}):
            units[base ^ byte] = byte
            place(base ^ byte, {key[1:]: text for key, text in keys.items() if key[:1] == bytes([byte])})
        if b"" in keys:
            units[at] |= 1 << 8
            units[base] = starts[keys[b""]] | 1 << 31

    place(0, {key.encode(): text for key, text in rules.items()})
    return struct.pack(f"<I{len(units)}I", 4 * len(units), *units) + (joined or b"\0")
