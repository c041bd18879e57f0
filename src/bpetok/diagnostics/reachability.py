"""Which entries some text becomes, with the text: a witness.

That an entry's own text is encoded as it is a witness. But an entry may come in longer text only: `AV` before
a small letter, say, or the first two bytes of a character. So texts around it are tried, too. Where none is
found, the entry may still be reached by a text that was not tried; a report says what was.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.subject import SPECIAL, UNUSED, Subject, inside_text

__all__ = ["ReachabilityReport", "Witness", "find_witnesses"]

# What is put before and behind an entry's text: letters in both cases, with and without a case, a mark,
# digits, punctuation, spaces, line ends.
_BEFORE = ("", " ", "a", "A", "é", "中", "1", ".", "(", "\n", "  ", "'", "_", "\u0301")
_BEHIND = (
    "", "m", "s", "a", "A", "é", "中", "の", "ا", "1", "12", ".", ",", ")", " ", "  ", " a", "\n", "\n\n",
    "\t", "'", "'s", "_", "/", "\u0301", "-", " .",
)  # fmt: skip
_COMPLETIONS = 4096  # of the bytes of a partial entry, on each side
_BATCH = 1 << 15


@dataclass(frozen=True)
class Witness:
    """An entry, and a text that becomes it; None where none was found."""

    id: int
    data: str  # in hexadecimal
    text: str | None


@dataclass(frozen=True)
class ReachabilityReport:
    """Which entries come of some text.

    Attributes:
        n_entries: all but special ones.
        n_own: those that their own text, or the corpus, becomes.
        witnesses: of the others those that a longer text becomes, with the text.
        none_found: the rest.
        bounds: what was tried for these, in words.
    """

    n_entries: int
    n_own: int
    witnesses: tuple[Witness, ...]
    none_found: tuple[Witness, ...]
    bounds: str


def find_witnesses(subject: Subject, uses: npt.NDArray[np.int64]) -> ReachabilityReport:
    """Look for a text that becomes each entry that neither its own text nor a corpus becomes.

    Args:
        subject: the tokenizer.
        uses: how often the corpus has each id.
    """
    entries, kinds = subject.entries, subject.kinds
    asked = np.flatnonzero((kinds != SPECIAL) & (kinds != UNUSED) & (subject.lengths > 0))
    reached = uses > 0
    texts = [text for token, text in subject.texts.items() if not reached[token]]
    reached[subject.encode(texts).ids] = True  # a text's other tokens are witnessed by it, too
    own = int(reached[asked].sum())
    found: dict[int, str] = {}
    missing = []
    for token in asked[~reached[asked]].tolist():
        data = entries[token] or b""
        text = _search(subject, token, _around(data)) if inside_text(data) else None
        if text is None:
            missing.append(Witness(token, data.hex(), None))
        else:
            found[token] = text
    witnesses = tuple(Witness(token, (entries[token] or b"").hex(), text) for token, text in found.items())
    return ReachabilityReport(len(asked), own, witnesses, tuple(missing), _bounds())


def _bounds() -> str:
    return (
        f"The entry's text, between {len(_BEFORE)} texts before it and {len(_BEHIND)} behind it; where it is "
        f"not whole characters, up to {_COMPLETIONS} ways to make it so, alone and with a space or a letter "
        "around it. Bytes that no text has were not tried."
    )


def _search(subject: Subject, token: int, texts: Iterable[str]) -> str | None:
    """The first of some texts that becomes a token, or None."""
    texts = iter(texts)
    size = 8  # most are found soon
    while batch := [*islice(texts, size)]:
        ids, bounds = subject.encode(batch)
        at = np.flatnonzero(ids == token)
        if len(at):
            return batch[int(np.searchsorted(bounds, at[0], "right")) - 1]
        size = min(_BATCH, 8 * size)
    return None


def _around(data: bytes) -> Iterator[str]:
    """Texts that have some bytes in them, the shortest first."""
    head = next((at for at, byte in enumerate(data) if byte & 0xC0 != 0x80), len(data))
    whole = data[head:]
    tail = _unfinished(whole)
    if not head and not tail:
        text = data.decode()
        yield from (before + text + behind for behind, before in product(_BEHIND, _BEFORE))
        return
    begins = _beginnings(head, whole[:1])
    ends = _endings(whole[len(whole) - tail :])
    for before, behind in (("", ""), (" ", ""), ("a", ""), ("", "a"), (" ", "a")):
        # Along the diagonal first, so that neither side is tried only with the other's first.
        for begin, end in islice(_pairs(begins, ends), _COMPLETIONS):
            try:
                yield before + (begin + data + end).decode() + behind
            except UnicodeDecodeError:
                continue


def _pairs(begins: Sequence[bytes], ends: Sequence[bytes]) -> Iterator[tuple[bytes, bytes]]:
    for total in range(len(begins) + len(ends) - 1):
        for at in range(max(0, total - len(ends) + 1), min(total + 1, len(begins))):
            yield begins[at], ends[total - at]


def _unfinished(data: bytes) -> int:
    """How many bytes at the end begin a character that they do not end."""
    for size in range(1, min(3, len(data)) + 1):
        byte = data[-size]
        if byte & 0xC0 != 0x80:
            wanted = 1 if byte < 0x80 else 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return size if wanted > size else 0
    return 0


@functools.lru_cache(maxsize=1024)
def _beginnings(n: int, lead: bytes) -> tuple[bytes, ...]:
    """Bytes that `n` continuation bytes may end a character of, the shortest first.

    Before these stand the ones that begin as the next character does, which is likely of the same script.
    """
    leads = {
        0: [b""],
        1: [
            *(bytes([byte]) for byte in range(0xC2, 0xE0)),
            *(bytes([lead, byte]) for byte in range(0x80, 0xC0) for lead in range(0xE0, 0xF0)),
            *(bytes([0xF0, second, third]) for second in range(0x90, 0xB0) for third in range(0x80, 0xC0)),
        ],
        2: [
            *(bytes([byte]) for byte in range(0xE0, 0xF0)),
            *(bytes([lead, byte]) for lead in range(0xF0, 0xF5) for byte in range(0x80, 0xC0)),
        ],
        3: [bytes([byte]) for byte in range(0xF0, 0xF5)],
    }
    return tuple(sorted(leads[n], key=lambda begin: begin[:1] != lead))


@functools.lru_cache(maxsize=1024)
def _endings(begun: bytes) -> tuple[bytes, ...]:
    """Bytes that end a character that some bytes begin, up to `_COMPLETIONS` of them."""
    if not begun:
        return (b"",)
    wanted = 2 if begun[0] < 0xE0 else 3 if begun[0] < 0xF0 else 4
    middle = sorted(range(0x80, 0xC0), key=lambda byte: abs(byte - 0x95))  # there the letters of a block are
    ways = (bytes(rest) for rest in product(middle, repeat=wanted - len(begun)))
    return tuple(islice((end for end in ways if inside_text(begun + end)), _COMPLETIONS))
