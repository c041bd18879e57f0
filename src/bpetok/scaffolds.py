"""Training without scaffolds: tokens that are made almost only on the way to whole pieces are left out.

That such tokens waste ids is the idea of Scaffold-BPE (Lian et al. 2024) and PickyBPE (Chizhov et al.
2024). What is done here is neither: their encoders need more than a vocabulary, and this needs no more.
`docs/training.md` has the rules and the difference; `bpetok.reference.scaffolds` is the specification.
"""

import dataclasses

from bpetok.counting import CountTable, ProgressCallback, Totals
from bpetok.tokenizer import Tokenizer
from bpetok.training import MAX_VOCAB_SIZE, Learned, Settings, learn, tokenizer_of
from bpetok.vocabulary import Vocabulary

__all__ = ["scaffolds", "train_without"]


def train_without(
    counts: CountTable,
    share: float,
    settings: Settings,
    progress: ProgressCallback | None = None,
    name: str | None = None,
) -> Tokenizer:
    """Train, and give the ids of scaffolds to the merges that come next.

    Args:
        counts: the pieces.
        share: see `scaffolds`.
        settings: what to make of the pieces, with the tie break "bytes"; checked.
        progress: as in `training.learn`.
        name: what to call the tokenizer.

    Returns:
        A tokenizer with *ranks* semantics. `provenance["scaffolds"]` says how many tokens were left out, and
        how many tokens the corpus has, beside those that a classical vocabulary of this size gives it.

    Raises:
        TrainingError: the counts are too large together.
        CorpusError: there are no counts.
    """
    least = settings.least_vocab_size()
    wanted = settings.vocab_size - least
    longest = learn(counts, settings, progress)

    def learned(n: int) -> Learned:
        """What the first n merges make: all, if there are no more."""
        nonlocal longest
        if n > len(longest.ids) and longest.ended_early is None:
            size = min(least + n, MAX_VOCAB_SIZE)
            longest = learn(counts, dataclasses.replace(settings, vocab_size=size), progress)
        tokens = {token: longest.tokens[token] for token in range(256 + min(n, len(longest.ids)))}
        return dataclasses.replace(longest, merges=longest.merges.first(n), tokens=tokens)

    # One merge more adds a token and mostly makes scaffolds of others: as many merges as tokens are missing
    # are never too many. But now and then a merge makes a scaffold needed again. When there are too many
    # tokens for that reason, fewer merges are tried, and for the last ones missing the first scaffolds stay.
    best = learned(wanted)
    dropped, classical = scaffolds(counts, best, share)
    step = len(dropped)
    while step:
        more = learned(len(best.ids) + step)
        again, _ = scaffolds(counts, more, share)
        if len(more.ids) - len(again) > wanted:
            step //= 2
        elif len(more.ids) == len(best.ids):
            break
        else:
            best, dropped = more, again
            step = wanted - (len(best.ids) - len(dropped))
    exhausted = longest.ended_early if len(best.ids) == len(longest.ids) else None
    if exhausted is None:
        for token in sorted(dropped)[: wanted - (len(best.ids) - len(dropped))]:
            del dropped[token]
    kept = [data for token, data in best.tokens.items() if token not in dropped]
    vocabulary = Vocabulary.from_ranks(
        {data: rank for rank, data in enumerate(kept)},
        {text: at for at, text in enumerate(settings.special_tokens, len(kept))},
    )
    encode = Tokenizer.from_vocabulary("", counts.pattern, vocabulary)._encode_single_piece
    return tokenizer_of(
        dataclasses.replace(
            best, ended_early=exhausted if vocabulary.n_vocab < settings.vocab_size else None
        ),
        Totals.of(counts),
        settings,
        name,
        vocabulary=vocabulary,
        n_merges=len(vocabulary.merges()),
        scaffolds={
            "share": share,
            "dropped": len(dropped),
            "corpus_tokens": sum(n * len(encode(piece)) for piece, n in counts.items()),
            "corpus_tokens_classical": classical,
        },
    )


def scaffolds(counts: CountTable, learned: Learned, share: float) -> tuple[dict[int, float], int]:
    """The tokens that are made almost only on the way to whole pieces, and the tokens of the corpus.

    A token is *passed* where it is joined to others and the piece ends as one token: with *ranks*
    semantics, such a piece is found whole. A token is a scaffold when it is passed in at least `share` of the
    places where it is made, and all others are fewer than those of the last merge, which are about what its
    id is worth. But none is a scaffold from which a token that stays has to be merged: one that is nowhere a
    whole piece, or from which such a token has to be merged.

    Args:
        counts: the pieces.
        learned: the merges, with ids in their order.
        share: above 0 and at most 1.

    Returns:
        Scaffolds by id, with the share of their places where they are passed; and how many tokens the pieces
        have together with all merges.
    """
    vocabulary = Vocabulary.from_merges(learned.tokens, learned.pairs, {})
    encode = Tokenizer.from_vocabulary("", counts.pattern, vocabulary)._encode_single_piece
    made = [0] * len(learned.tokens)  # places, by id
    inside = [0] * len(learned.tokens)  # those of them that are in a piece that ends as one token
    whole = [0] * len(learned.tokens)  # those of them that are such a piece
    n_tokens = 0
    for piece, n in counts.items():
        ids = encode(piece)
        n_tokens += n * len(ids)
        for token in ids:
            made[token] += n
        if len(ids) == 1:
            inside[ids[0]] += n
            whole[ids[0]] += n
    worth = int(learned.counts[-1]) if len(learned.counts) else 0
    found: dict[int, float] = {}
    needed = [False] * len(learned.tokens)
    for (left, right), token in zip(learned.pairs[::-1].tolist(), learned.ids[::-1].tolist(), strict=True):
        for part in (left, right):
            made[part] += made[token]
            inside[part] += inside[token]
        passed = inside[token] - whole[token]
        if not needed[token] and passed >= share * made[token] and made[token] - passed < worth:
            found[token] = passed / made[token]
        elif needed[token] or not whole[token]:
            needed[left] = needed[right] = True
    return found, n_tokens
