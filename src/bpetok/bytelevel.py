"""GPT-2's byte-level alphabet: a visible character for each byte, so that tokens can be written as text.

A byte that is a visible character in Latin-1 is spelled as it; the others are spelled, in order, by the
characters from U+0100 on. The space becomes `Ġ`, the newline `Ċ`.
"""

_VISIBLE = frozenset((*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)))
_HIDDEN = [byte for byte in range(256) if byte not in _VISIBLE]

CHAR_OF: dict[int, str] = {byte: chr(byte) for byte in _VISIBLE} | {
    byte: chr(256 + at) for at, byte in enumerate(_HIDDEN)
}
"""Byte to the character that spells it."""

BYTE_OF: dict[str, int] = {char: byte for byte, char in CHAR_OF.items()}
"""Character to the byte that it spells."""

# What is not in the alphabet must not be in Latin-1 after it either.
_SPELLED = {code: BYTE_OF.get(chr(code), 0x100) for code in range(0x200)}


def spell(data: bytes) -> str:
    """Bytes in the alphabet.

    >>> spell(b" caf\\xc3\\xa9")
    'ĠcafÃ©'
    """
    return data.decode("latin-1").translate(CHAR_OF)


def unspell(text: str) -> bytes | None:
    """The bytes that a text spells; None if a character of it is not in the alphabet.

    >>> unspell("Ġcaf") == b" caf", unspell("東")
    (True, None)
    """
    try:
        return text.translate(_SPELLED).encode("latin-1")
    except UnicodeEncodeError:
        return None
