"""Merging: the bytes of a piece to ids, exactly and without the GIL."""

from array import array

import numpy as np
import numpy.typing as npt

from bpetok._vocab import VocabTables

def link_ranks(tables: VocabTables) -> None:
    """Find, for every token of a vocabulary of ranks, the pair that it is merged from."""

def link_merges(tables: VocabTables, merges: array[int] | npt.NDArray[np.int64], ignore_merges: bool) -> None:
    """Enter a merge list, int64, left and right ids in turns: the pair at index k has rank k and gives the
    token of its joined bytes.

    Raises:
        VocabularyError: a merge names an id that is not a token, its result is no token, or a pair
            occurs twice.
    """

def link_scores(tables: VocabTables, scores: dict[int, float]) -> None:
    """Find, for every token of several characters, the pair that it is merged from, in a vocabulary of
    characters; `scores` has the score of each token, a finite number."""
