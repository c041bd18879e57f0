"""Superwords: tokens that span white space, learned after the ordinary ones.

Liu et al. 2025, "SuperBPE: space travel for language models". The result is one split pattern, that of the
superwords, and one list of merges; the first of them are those that are learned on the pattern's words alone.
`docs/training.md` states the rules.
"""

import dataclasses

from bpetok._count import PieceCounts
from bpetok.counting import CountTable, ProgressCallback
from bpetok.errors import TrainingError
from bpetok.patterns import recognise, words_of
from bpetok.training import Learned, Merges, Settings, advance, finish, make_learner

__all__ = ["learn_superwords", "word_counts"]


def learn_superwords(
    counts: CountTable, superword_from: int, settings: Settings, progress: ProgressCallback | None = None
) -> Learned:
    """Learn merges on words first, then on superwords.

    Args:
        counts: pieces of a pattern made by `patterns.superwords`.
        superword_from: the size of the vocabulary, special tokens included, at which superwords begin.
            Checked, too.
        settings: what to make of the pieces; checked.
        progress: as in `training.learn`.

    Raises:
        TrainingError: the pieces are those of another pattern, or what `training.learn` raises.
        CorpusError: there are no counts.
    """
    words = make_learner(word_counts(counts), dataclasses.replace(settings, vocab_size=superword_from))
    advance(words, progress)
    superwords = make_learner(counts, settings, shared=True)
    merges = Merges(*words.results())
    for (left, right), token in zip(merges.pair_list(), merges.id_list(), strict=True):
        superwords.apply(left, right, token)
    superwords.own()
    return finish(superwords, settings, progress)


def word_counts(counts: CountTable) -> CountTable:
    """The counts of the words that superwords consist of, and of what lies between them.

    Raises:
        TrainingError: the pieces are not those of a pattern made by `patterns.superwords`.

    >>> from bpetok.patterns import superwords
    >>> dict(word_counts(CountTable.from_mapping({b"by the way": 2, b" the": 1}, superwords("gpt2", 4))))
    {b' the': 3, b' way': 2, b'by': 2}
    """
    source, _ = words_of(counts.pattern) or ("", 0)
    scanner = recognise(source)
    if scanner is None:
        raise TrainingError(
            "superwords are learned from pieces that hold several words: count with "
            "pattern=bpetok.patterns.superwords(...)"
        )
    table = PieceCounts()
    once = []
    for piece, n in counts.table.items():
        if n == 1:
            once.append(piece)  # most of them
        else:
            for word in scanner.split(piece):
                table.add(word, n)
    table.count_texts(scanner, once)
    return CountTable(table, source, n_texts=counts.n_texts, n_bytes=counts.n_bytes)
