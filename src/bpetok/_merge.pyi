"""Merging: the bytes of a piece to ids, exactly and without the GIL."""

from collections.abc import Iterable

from bpetok._vocab import VocabTables

def link_ranks(tables: VocabTables) -> None:
    """Find, for every token of a vocabulary of ranks, the pair that it is merged from."""

def link_merges(tables: VocabTables, merges: Iterable[tuple[int, int]], ignore_merges: bool) -> None:
    """Enter a merge list: the pair at index k has rank k and gives the token of its joined bytes.

    Raises:
        VocabularyError: a merge names an id that is not a token, its result is no token, or a pair
            occurs twice.
    """

def link_scores(tables: VocabTables, order: list[list[int]]) -> None:
    """Find, for every token of several characters, the pair that it is merged from, in a vocabulary of
    characters; `order` has these tokens from the best score to the worst, in lists of equal ones."""
