"""Measures of tokenizers across languages: who pays, why, and what a new vocabulary could change.

`diagnose` measures any `TokenizerLike` on a parallel corpus and gives a `Report`. docs/diagnostics.md has the
definitions and the form of the data.
"""

from bpetok.diagnostics.corpora import Language, ParallelCorpus, load_corpus
from bpetok.diagnostics.diagnose import diagnose
from bpetok.diagnostics.figures import Figure
from bpetok.diagnostics.gate import Condition, Verdict, gate
from bpetok.diagnostics.measures import MEASURES, Measure
from bpetok.diagnostics.morphology import load_morphology
from bpetok.diagnostics.report import Report

__all__ = [
    "MEASURES",
    "Condition",
    "Figure",
    "Language",
    "Measure",
    "ParallelCorpus",
    "Report",
    "Verdict",
    "diagnose",
    "gate",
    "load_corpus",
    "load_morphology",
]
