"""Tokens for a terminal: every character visible, every token told from the next."""

import re
import unicodedata
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

# Of the sixteen colours that every terminal has, in the shades that the user's theme gives them.
_STYLES = tuple(
    f"black on {colour}"
    for colour in ("bright_cyan", "bright_yellow", "bright_green", "bright_magenta", "white")
)
_SHOWN = re.compile("[\udc80-\udcff]+|.", re.DOTALL)  # bytes that are no characters, or a character
_NAMED = {" ": "·", "\n": "⏎", "\t": "→", "\r": "␍"}


def visible(data: bytes) -> str:
    r"""Bytes as text that can be seen: white space as signs, incomplete characters as their bytes.

    >>> visible(b" caf\xc3\xa9\n")
    '·café⏎'
    >>> visible("\u200b🙂".encode()[:-1])
    '<U+200B><F0 9F 99>'
    """
    text = _SHOWN.sub(_show, data.decode(errors="surrogateescape"))
    # A mark needs something to stand on, or it would sit on the token before.
    return "◌" + text if text and unicodedata.category(text[0]).startswith("M") else text


def _show(found: re.Match[str]) -> str:
    text = found.group()
    if text in _NAMED:
        return _NAMED[text]
    if "\udc80" <= text[0] <= "\udcff":
        return f"<{text.encode(errors='surrogateescape').hex(' ').upper()}>"
    return text if text.isprintable() else f"<U+{ord(text):04X}>"


def style(position: int) -> str:
    """The colours of the token at a position."""
    return _STYLES[position % len(_STYLES)]


def coloured(tokens: Sequence[bytes], console: Console, *, break_lines: bool = True) -> Text:
    """A text in which each token has its own background; bars part them where there is no colour.

    Args:
        tokens: the bytes of each token.
        console: where it will be shown; tells whether there are colours.
        break_lines: lines of the text are lines on the screen.
    """
    plain = console.no_color or console.color_system is None
    text = Text()
    for position, token in enumerate(tokens):
        if plain and text and not text.plain.endswith("\n"):
            text.append("│")
        before, line_end, after = visible(token).rpartition("⏎")
        text.append(before + line_end, style(position))
        if line_end and break_lines:
            text.append("\n")
        text.append(after, style(position))
    text.rstrip()
    return text
