"""A tokenizer from another: with more merges, or with fewer tokens.

`Tokenizer.extend` and `Tokenizer.prune` are the public face. Both give an `Edited`: the new tokenizer, and a
map from old ids to new ones, by which the rows of an embedding matrix can be carried over.
`docs/training.md` states the rules.
"""

import heapq
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bpetok._learn import MergeLearner
from bpetok.counting import CountOptions, CountTable, ProgressCallback, Sources, check_options, counts_of
from bpetok.errors import CorpusError, TrainingError, VocabularyError
from bpetok.tokenizer import Tokenizer
from bpetok.training import MAX_VOCAB_SIZE, Merges, advance
from bpetok.vocabulary import Vocabulary

__all__ = ["Edited", "extend", "prune"]


class Edited(NamedTuple):
    """A new tokenizer and where the ids of the old one went.

    Attributes:
        tokenizer: the new one; the old one is as it was.
        id_map: int64, shape (old `n_vocab`,): the new id of each old one, or -1 if it is gone (or never was).
    """

    tokenizer: Tokenizer
    id_map: npt.NDArray[np.int64]


# ---- more merges -----------------------------------------------------------------------------------------


def extend(
    tokenizer: Tokenizer,
    sources: Sources | CountTable,
    n: int,
    limits: tuple[int, int | None],
    progress: ProgressCallback | None,
    name: str | None,
    options: CountOptions,
) -> Edited:
    """See `Tokenizer.extend`; its `min_frequency` and `max_token_length` are the limits."""
    min_frequency, max_token_length = limits
    vocabulary = tokenizer.vocabulary
    _check_editable(tokenizer, "extend")
    ids = {data: token for token, data in vocabulary.tokens().items()}
    missing = sum(bytes([byte]) not in ids for byte in range(256))
    if missing:
        raise VocabularyError(
            f"{tokenizer.name!r} has no token for {missing} of the 256 bytes, and text that holds them "
            "cannot be learned from: only a byte-level vocabulary can be extended"
        )
    if n < 0 or vocabulary.n_vocab + n > MAX_VOCAB_SIZE:
        raise TrainingError(
            f"n is {n}: it must be from 0 to {MAX_VOCAB_SIZE - vocabulary.n_vocab}, so that at most "
            f"{MAX_VOCAB_SIZE} ids are used"
        )
    if min_frequency < 0 or (max_token_length is not None and max_token_length < 1):
        raise TrainingError(
            f"min_frequency is {min_frequency} and max_token_length {max_token_length}: the first must not "
            "be negative, the second at least 1, or None"
        )
    counts = _counts(tokenizer, sources, progress, options)
    learner = MergeLearner(
        counts.table,
        byte_ids=[ids[bytes([byte])] for byte in range(256)],
        next_id=vocabulary.n_vocab,
        new_tokens=n,
        reserved={},
        ties_by_bytes=True,
        min_frequency=min_frequency,
        max_token_length=max_token_length or 0,
    )
    learner.begin_with(ids, tokenizer._encode_single_piece)
    advance(learner, progress)
    made = learner.tokens_made()
    if vocabulary.semantics == "ranks":
        grown = Vocabulary.from_ranks(
            ids | {data: token for token, data in enumerate(made, vocabulary.n_vocab)},
            vocabulary.special_tokens,
        )
    else:
        merges = Merges(*learner.results())
        known = vocabulary.merge_counts
        grown = Vocabulary.from_merges(
            vocabulary.tokens() | dict(enumerate(made, vocabulary.n_vocab)),
            vocabulary.merges().tolist() + merges.pair_list(),
            vocabulary.special_tokens,
            ignore_merges=vocabulary.ignore_merges,
            merge_counts=None if known is None else np.append(known, np.frombuffer(merges.counts, np.int64)),
        )
    note = {
        "n_merges": len(made),
        "n_merges_requested": n,
        "min_frequency": min_frequency,
        "max_token_length": max_token_length,
        "corpus": {"n_texts": counts.n_texts, "n_bytes": counts.n_bytes, "n_pieces": counts.n_pieces},
    }
    return Edited(
        _edited(tokenizer, grown, name, "extended", note), np.arange(vocabulary.n_vocab, dtype=np.int64)
    )


# ---- fewer tokens ----------------------------------------------------------------------------------------


def prune(
    tokenizer: Tokenizer,
    sources: Sources | CountTable | None,
    ids: Iterable[int] | None,
    vocab_size: int | None,
    progress: ProgressCallback | None,
    name: str | None,
    options: CountOptions,
) -> Edited:
    """See `Tokenizer.prune`."""
    check_options(options)
    _check_editable(tokenizer, "prune")
    if (sources is None) == (ids is None):
        raise VocabularyError("give either a corpus, to see which tokens it needs, or the ids to remove")
    if ids is not None:
        if vocab_size is not None:
            raise VocabularyError("vocab_size is for pruning by a corpus: leave it out when ids are given")
        gone = _with_dependants(tokenizer.vocabulary, _removable(tokenizer, ids))
    else:
        assert sources is not None
        counts = _counts(tokenizer, sources, progress, options)
        gone = _least_used(tokenizer, _usage(tokenizer, counts), vocab_size)
    vocabulary, id_map = _without(tokenizer.vocabulary, gone)
    note = {"removed": len(gone)}
    return Edited(_edited(tokenizer, vocabulary, name, "pruned", note), id_map)


def _removable(tokenizer: Tokenizer, ids: Iterable[int]) -> set[int]:
    tokens, specials = tokenizer.vocabulary.tokens(), set(tokenizer.vocabulary.special_tokens.values())
    chosen = set(ids)
    for token in chosen:
        if token in specials:
            raise VocabularyError(f"id {token} is a special token, which pruning keeps")
        if token not in tokens:
            raise VocabularyError(f"id {token} is no token of {tokenizer.name!r}")
        if len(tokens[token]) == 1:
            raise VocabularyError(
                f"id {token} is the single byte {tokens[token]!r}, which pruning keeps so that any text can "
                "be encoded"
            )
    return chosen


def _with_dependants(vocabulary: Vocabulary, gone: set[int]) -> set[int]:
    """These tokens, and those that no merge makes any more when they are gone."""
    tokens, specials = vocabulary.tokens(), set(vocabulary.special_tokens.values())
    makes: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for _, left, right, made in vocabulary.tables.merges():
        makes[made].append((left, right))
    # A token is longer than its parts, so these are settled before it.
    for token in sorted(makes, key=lambda token: len(tokens[token])):
        if all(gone.intersection(pair) for pair in makes[token]):
            if token in specials and token not in gone:
                raise VocabularyError(
                    f"id {token} is a special token and would not be made any more: keep the tokens that "
                    f"{tokens[token]!r} is merged from"
                )
            gone.add(token)
    return gone


def _usage(tokenizer: Tokenizer, counts: CountTable) -> list[int]:
    """How often each id stands in the encoded corpus."""
    usage = [0] * tokenizer.n_vocab
    for piece, times in counts.items():
        for token in tokenizer._encode_single_piece(piece):
            usage[token] += times
    return usage


def _least_used(tokenizer: Tokenizer, usage: list[int], vocab_size: int | None) -> set[int]:
    """Tokens to remove: one after the other the least used that no other is made of, the last id first among
    equals, until few enough are left or, without a size, until each that could go is used."""
    vocabulary = tokenizer.vocabulary
    tokens, specials = vocabulary.tokens(), set(vocabulary.special_tokens.values())
    n_ids = len(specials.union(tokens))
    least = n_ids - sum(len(data) > 1 and token not in specials for token, data in tokens.items())
    if vocab_size is not None and not least <= vocab_size <= n_ids:
        raise VocabularyError(
            f"vocab_size is {vocab_size}: it must be from {least} (single bytes and special tokens, which "
            f"stay) to {n_ids}, the ids that are in use"
        )
    parts: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    needed = [0] * vocabulary.n_vocab  # by how many merges of tokens that are left
    for _, left, right, made in vocabulary.tables.merges():
        parts[made].append((left, right))
        needed[left] += 1
        needed[right] += 1

    def may_go(token: int) -> bool:
        return not needed[token] and len(tokens[token]) > 1 and token not in specials

    gone: set[int] = set()
    queue = [(usage[token], -token) for token in tokens if may_go(token)]
    heapq.heapify(queue)
    while queue and (vocab_size is None or n_ids - len(gone) > vocab_size):
        times, token = heapq.heappop(queue)
        token = -token
        if vocab_size is None and times:
            break
        gone.add(token)
        for pair in parts[token]:
            for part in pair:
                needed[part] -= 1
        if parts[token]:  # what was this token is now the two that its first merge joined
            for part in parts[token][0]:
                usage[part] += times
        for part in {part for pair in parts[token] for part in pair}:
            if may_go(part):
                heapq.heappush(queue, (usage[part], -part))
    if vocab_size is not None and n_ids - len(gone) > vocab_size:
        raise VocabularyError(
            f"vocab_size is {vocab_size}, and {n_ids - len(gone)} tokens are needed: the special tokens are "
            "made of some of them"
        )
    return gone


def _without(vocabulary: Vocabulary, gone: set[int]) -> tuple[Vocabulary, npt.NDArray[np.int64]]:
    """The vocabulary without some tokens, its ids closed up in their order, and the map of ids."""
    tokens = {token: data for token, data in vocabulary.tokens().items() if token not in gone}
    kept = sorted(set(tokens).union(vocabulary.special_tokens.values()))
    id_map = np.full(vocabulary.n_vocab, -1, np.int64)
    id_map[kept] = np.arange(len(kept))
    new = id_map.tolist()
    specials = {text: new[token] for text, token in vocabulary.special_tokens.items()}
    if vocabulary.semantics == "ranks":
        return Vocabulary.from_ranks({data: new[token] for token, data in tokens.items()}, specials), id_map
    merges = vocabulary.tables.merges()
    stays = np.array([not gone.intersection(merge[1:]) for merge in merges], bool)
    known = vocabulary.merge_counts
    pruned = Vocabulary.from_merges(
        {new[token]: data for token, data in tokens.items()},
        [(new[left], new[right]) for (_, left, right, _), stay in zip(merges, stays, strict=True) if stay],
        specials,
        ignore_merges=vocabulary.ignore_merges,
        merge_counts=None if known is None else known[stays],
    )
    return pruned, id_map


def _check_editable(tokenizer: Tokenizer, what: str) -> None:
    """See that a tokenizer is one that can be edited.

    Raises:
        VocabularyError: its vocabulary is not.
        PreparationError: it prepares its texts, or cuts them in steps.
    """
    if tokenizer.vocabulary.alphabet != "bytes":
        raise VocabularyError(
            f"{tokenizer.name!r} merges characters, and only byte-level vocabularies can be extended and "
            "pruned: its texts are prepared, its bytes are no parts of tokens, and neither is provided for "
            "here; train again with another vocab_size"
        )
    tokenizer._need_plain(what)


# ---- both ------------------------------------------------------------------------------------------------


def _counts(
    tokenizer: Tokenizer,
    sources: Sources | CountTable,
    progress: ProgressCallback | None,
    options: CountOptions,
) -> CountTable:
    """The counts of a corpus, cut as the tokenizer cuts."""
    source = tokenizer.pattern.source
    counts = counts_of(sources, pattern=source, progress=progress, options=options)
    if counts.pattern != source:
        raise CorpusError(
            f"the counts were made with the pattern {counts.pattern!r}, and {tokenizer.name!r} has "
            f"{source!r}: count the corpus with the tokenizer's own"
        )
    if not counts:
        raise CorpusError(
            "the corpus holds no text that the split pattern matches: there is nothing to learn"
        )
    return counts


def _edited(
    tokenizer: Tokenizer, vocabulary: Vocabulary, name: str | None, what: str, note: dict[str, Any]
) -> Tokenizer:
    """A tokenizer that says what was done to the one it comes from."""
    from bpetok import __version__

    edits = [*tokenizer.provenance.get("edits", ()), {"what": what, "by": f"bpetok {__version__}", **note}]
    return Tokenizer.from_vocabulary(
        name if name is not None else f"{tokenizer.name}-{what}",
        tokenizer.pattern.source,
        vocabulary,
        provenance={**tokenizer.provenance, "vocab_size": vocabulary.n_vocab, "edits": edits},
    )
