"""Whether tokens end where the parts of words do, by a list of words that the user gives."""

from __future__ import annotations

import csv
import io
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bpetok.diagnostics.bootstrap import Resampling
from bpetok.diagnostics.figures import Figure
from bpetok.diagnostics.languages import read
from bpetok.diagnostics.subject import Subject
from bpetok.errors import CorpusError

__all__ = ["MorphologyReport", "Segmented", "load_morphology", "morphology"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Segmented:
    """A word with its parts.

    Attributes:
        language: a code, or "" where the list has none.
        parts: of the word, in order; joined they are the word.
    """

    language: str
    parts: tuple[str, ...]


@dataclass(frozen=True)
class MorphologyReport:
    """The measures of one language's words.

    Attributes:
        n_words: of the list.
        figures: `boundary_precision`, `boundary_recall`, `boundary_f1`, `morph_score`.
    """

    n_words: int
    figures: Mapping[str, Figure]


def load_morphology(path: str | os.PathLike[str]) -> list[Segmented]:
    """Words from a TSV with the columns `word` and `parts`, and perhaps `language`.

    Parts are separated by spaces or by "|".

    Raises:
        CorpusError: a column is missing, or the parts of a word do not join to it.
    """
    try:
        text = Path(path).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: not UTF-8 ({error.reason}): convert the file to UTF-8") from error
    reader = csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
    if not {"word", "parts"} <= {*(reader.fieldnames or ())}:
        raise CorpusError(f"{path}: needs a first line with the columns word and parts, and perhaps language")
    words = []
    for number, row in enumerate(reader, 2):
        parts = tuple((row["parts"] or "").replace("|", " ").split())
        if not parts or "".join(parts) != row["word"]:
            raise CorpusError(f"{path}:{number}: the parts {row['parts']!r} do not join to {row['word']!r}")
        words.append(Segmented(row.get("language") or "", parts))
    if not words:
        raise CorpusError(f"{path}: no word in the list")
    return words


def morphology(
    subject: Subject, words: Iterable[Segmented], draws: int, seed: int
) -> dict[str, MorphologyReport]:
    """The measures of each language's words, with intervals over words.

    Each word is encoded with a space before it, as in running text, and borders inside it are compared with
    those of its parts. Precision is the share of the tokens' borders that are borders of parts, recall the
    share of the borders of parts that are borders of tokens, F1 their harmonic mean; each over all borders of
    the list. MorphScore (Arnett & Bergen 2024, arXiv:2411.14198) is the mean over the words that are more
    than one token and have more than one part of the share of the borders of parts that are met.

    Args:
        subject: the tokenizer.
        words: of any languages.
        draws, seed: of the bootstrap.
    """
    words = [*words]
    encoded = subject.encode([" " + "".join(word.parts) for word in words])
    ends = np.concatenate(([0], np.cumsum(subject.lengths[encoded.ids]))).tolist()
    bounds = encoded.bounds.tolist()
    counted: dict[str, list[tuple[int, int, int]]] = {}
    for number, word in enumerate(words):
        sizes = [len(part.encode()) for part in word.parts]
        size = sum(sizes)
        first, last = bounds[number], bounds[number + 1]
        start = ends[last] - size  # whatever a tokenizer puts before the word
        own = {end - start for end in ends[first + 1 : last] if start < end}
        gold = {*np.cumsum(sizes[:-1]).tolist()}
        counted.setdefault(word.language, []).append((len(own & gold), len(own), len(gold)))
    return {
        language: _measured(np.array(counts, np.float64).T, Resampling(len(counts), draws, seed))
        for language, counts in sorted(counted.items())
    }


def _measured(counts: Floats, resampling: Resampling) -> MorphologyReport:
    """The measures of words by their (met, own, gold) borders, shape (3, words)."""
    met, own, gold = counts
    several = (own > 0) & (gold > 0)
    shares = np.where(several, met / np.maximum(gold, 1), 0)
    met, own, gold, share, n = resampling.sums(np.stack((met, own, gold, shares, several)))
    with np.errstate(divide="ignore", invalid="ignore"):
        estimates = {
            "boundary_precision": met / own,
            "boundary_recall": met / gold,
            "boundary_f1": 2 * met / (own + gold),
            "morph_score": share / n,
        }
    found = read({name: values[np.newaxis] for name, values in estimates.items()}, resampling)
    figures = {name: figure for name, (figure,) in found.items() if figure is not None}
    return MorphologyReport(counts.shape[1], figures)
