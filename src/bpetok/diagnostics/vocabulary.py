"""The entries of a vocabulary: what they are, which a corpus uses, which are idle or stand twice."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.scripts import COMMON, SCRIPTS, scripts_of
from bpetok.diagnostics.subject import BYTE, KINDS, SPECIAL, UNUSED, Subject

__all__ = [
    "RARE",
    "RENYI_ORDER",
    "Duplicates",
    "Entry",
    "EntryList",
    "VocabularyReport",
    "describe_vocabulary",
    "entry_scripts",
    "renyi_efficiency",
    "utilisation",
]

Counts = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

RENYI_ORDER = 2.5
RARE = 5
_SHOWN = 50


@dataclass(frozen=True)
class Entry:
    """An entry of a vocabulary.

    Attributes:
        id: of the token.
        data: its bytes, in hexadecimal.
        text: these as text, with U+FFFD for what is none.
        uses: how often the corpus has it.
    """

    id: int
    data: str
    text: str
    uses: int


@dataclass(frozen=True)
class EntryList:
    """Entries with something in common: how many, and the first of them."""

    n: int
    shown: tuple[Entry, ...]


@dataclass(frozen=True)
class Duplicates:
    """Entries that differ in one thing only: how many are one of several, and the first groups."""

    n: int
    groups: tuple[tuple[Entry, ...], ...]


@dataclass(frozen=True)
class VocabularyReport:
    """What the entries are, and what the corpus makes of them.

    Attributes:
        kinds: how many entries are "well-formed" (whole characters), "partial" (bytes that some text has, but
            not whole characters), "ill-formed" (bytes that no text has), "byte" (one byte that is no
            character, or a byte to fall back to), "special", or ids that are "unused".
        scripts: how many entries but special ones and bytes have most of their characters in which script;
            "Common" where they have none in particular.
        absent: entries, but special ones and bytes, that the corpus does not have.
        rare: those that it has, but less than `RARE` times.
        unmerged: entries of two bytes and more (of two characters and more where merging starts from these)
            that no merge builds, so that they come only of a piece that is looked up whole, if at all; None
            where the tokenizer does not tell its merges.
        scaffolds: entries that the corpus does not have, but has others that are built from them; None as
            before.
        duplicates: entries that are the same up to "case", a leading "space", or "normalisation" (NFKC).
    """

    kinds: Mapping[str, int]
    scripts: Mapping[str, int]
    absent: EntryList
    rare: EntryList
    unmerged: EntryList | None
    scaffolds: EntryList | None
    duplicates: Mapping[str, Duplicates]


def utilisation(uses: Counts, kinds: npt.NDArray[np.uint8]) -> float:
    """The share of the entries, but special ones, that a corpus has."""
    ordinary = (kinds != SPECIAL) & (kinds != UNUSED)
    return float((uses[ordinary] > 0).mean()) if ordinary.any() else float("nan")


def renyi_efficiency(uses: npt.NDArray[Any], n_entries: int, order: float = RENYI_ORDER) -> Floats:
    """The Renyi entropy of the tokens of a corpus, divided by the greatest that the vocabulary allows.

    Zouhar et al. 2023, arXiv:2306.16842: H(p) = log(sum p**order) / (1 - order), divided by log(n_entries).

    Args:
        uses: how often the corpus has each entry, shape (n,), or for several of them (n, corpora).
        n_entries: of the vocabulary.
        order: of the entropy; 1 for Shannon's.

    Returns:
        For each corpus; NaN where there is no token, or no choice.

    >>> renyi_efficiency(np.array([5, 5, 5, 5]), 4)
    array([1.])
    """
    uses = uses.reshape(len(uses), -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = uses / uses.sum(0)
        if order == 1:
            entropy = -np.where(p > 0, p * np.log(p), 0).sum(0)
        else:
            entropy = np.log((p**order).sum(0)) / (1 - order)
        return np.asarray(np.where(uses.sum(0) > 0, entropy / np.log(n_entries), np.nan))


def entry_scripts(subject: Subject) -> npt.NDArray[np.int64]:
    """For each id the number in `SCRIPTS` of most of its characters, -1 for none in particular."""
    return scripts_of([(data or b"").decode(errors="ignore") for data in subject.entries])


def describe_vocabulary(subject: Subject, uses: Counts, scripts: npt.NDArray[np.int64]) -> VocabularyReport:
    """All about the entries.

    Args:
        subject: the tokenizer.
        uses: how often the corpus has each id.
        scripts: from `entry_scripts`.
    """
    kinds = subject.kinds
    ordinary = (kinds != SPECIAL) & (kinds != UNUSED) & (kinds != BYTE)
    counted = np.bincount(scripts[ordinary] + 1, minlength=len(SCRIPTS) + 1)
    by_script = {name: int(n) for name, n in zip((COMMON, *SCRIPTS), counted, strict=True) if n}
    merges = subject.merges

    def listed(chosen: Mask) -> EntryList:
        ids = np.flatnonzero(chosen)
        return EntryList(len(ids), tuple(_entry(subject, uses, token) for token in ids[:_SHOWN].tolist()))

    return VocabularyReport(
        kinds={kind: int((kinds == number).sum()) for number, kind in enumerate(KINDS)},
        scripts=dict(sorted(by_script.items(), key=lambda item: -item[1])),
        absent=listed(ordinary & (uses == 0)),
        rare=listed(ordinary & (uses > 0) & (uses < RARE)),
        unmerged=None if merges is None else listed(_unmerged(subject, merges) & ordinary),
        scaffolds=None if merges is None else listed(_scaffolds(uses, merges) & ordinary),
        duplicates={
            "case": _duplicates(subject, uses, str.casefold),
            "space": _duplicates(subject, uses, _without_space),
            "normalisation": _duplicates(subject, uses, _compatible),
        },
    )


def _entry(subject: Subject, uses: Counts, token: int) -> Entry:
    data = subject.entries[token] or b""
    return Entry(token, data.hex(), data.decode(errors="replace"), int(uses[token]))


def _unmerged(subject: Subject, merges: Counts) -> Mask:
    built = np.zeros(subject.n_vocab, np.bool_)
    built[merges[:, 2]] = True
    if getattr(subject.vocabulary, "alphabet", "bytes") == "characters":
        sizes = np.array([len((data or b"").decode(errors="ignore")) for data in subject.entries])
    else:
        sizes = subject.lengths
    unmerged: Mask = ~built & (sizes > 1)
    return unmerged


def _scaffolds(uses: Counts, merges: Counts) -> Mask:
    left, right, result = merges.T
    inside = np.zeros(len(uses), np.bool_)  # of an entry that is used
    n_before = -1
    while (n := int(inside.sum())) != n_before:  # as often as the longest chain of merges
        n_before = n
        used = (uses[result] > 0) | inside[result]
        inside[left[used]] = True
        inside[right[used]] = True
    idle: Mask = inside & (uses == 0)
    return idle


def _duplicates(subject: Subject, uses: Counts, key: Callable[[str], str]) -> Duplicates:
    groups: dict[str, list[int]] = {}
    for token, text in subject.texts.items():
        if (to := key(text)) != text:
            groups.setdefault(to, []).append(token)
    for text, ids in groups.items():  # and what they become, where that is an entry
        if (own := subject.id_of.get(text.encode())) is not None:
            ids.insert(0, own)
    often = uses.tolist()
    # What the corpus uses most of all comes first: that is where doubles cost.
    several = [ids for ids in groups.values() if len(ids) > 1]
    several.sort(key=lambda ids: -sum(map(often.__getitem__, ids)))
    shown = tuple(tuple(_entry(subject, uses, token) for token in ids) for ids in several[:_SHOWN])
    return Duplicates(len({token for ids in several for token in ids}), shown)


def _without_space(text: str) -> str:
    return text.removeprefix(" ")


def _compatible(text: str) -> str:
    return text if text.isascii() else unicodedata.normalize("NFKC", text)
