"""Where a vocabulary spells a space as U+2581, and where it can be held with plain spaces.

Tokenizers in the way of SentencePiece make each space of a text a U+2581, and have that in their tokens.
bpetok holds such a vocabulary with spaces, and a text keeps its own, wherever the two cannot be told
apart: all spaces become U+2581 before anything else looks at them, so each step sees the same text, with
the one character in the place of the other.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from bpetok.added_tokens import AddedToken
from bpetok.normalization import Normalizer, Prepend, Replace
from bpetok.splits import UNDERLINE, Metaspace, Split, Step

__all__ = ["Steps", "marked", "plain"]


class Steps(NamedTuple):
    """What is done to a text before merging."""

    normalizer: tuple[Normalizer, ...]
    splits: tuple[Step, ...]


_TO_UNDERLINE = Replace(" ", UNDERLINE)
_TO_SPACE = Replace(UNDERLINE, " ")
_AT_SPACES = Split(" ", "MergedWithNext")


def plain(steps: Steps, added: Collection[AddedToken], vocab: Mapping[str, int]) -> Steps | None:
    """The steps for a vocabulary with spaces in the place of U+2581, which do the same; None where there
    are none, or where the vocabulary tells the two apart."""
    texts = {token.text for token in added}
    if UNDERLINE not in vocab or any(" " in text and text not in texts for text in vocab):
        return None
    *before, last = steps.normalizer or (None,)
    if last != _TO_UNDERLINE:
        # Then the pre-tokenizer must make them.
        if (
            len(steps.splits) == 1
            and isinstance(first := steps.splits[0], Metaspace)
            and first.replacement == UNDERLINE
        ):
            return Steps(
                steps.normalizer, (Metaspace(UNDERLINE, first.prepend_scheme, first.split, plain=True),)
            )
        return None
    if _look_beside(added):
        return None
    if before and before[-1] == Prepend(UNDERLINE):
        before[-1] = Prepend(" ")
    # A Split at spaces finds none.
    splits = [
        step
        for step in steps.splits
        if not (isinstance(step, Split) and step.pattern == " " and not step.invert)
    ]
    for at, step in enumerate(splits):
        if step == Split(UNDERLINE, "MergedWithNext"):
            splits[at] = _AT_SPACES
        elif isinstance(step, Metaspace) and step.replacement == UNDERLINE and not at:
            splits[at] = Metaspace(UNDERLINE, step.prepend_scheme, step.split, plain=True)
        else:
            return None
    return Steps((*before, _TO_SPACE), tuple(splits))


def marked(steps: Steps, added: Collection[AddedToken], tokens: Collection[bytes]) -> Steps | None:
    """The other way round: the steps for a vocabulary with U+2581 in the place of spaces, which do the
    same; None where a vocabulary must be left as it is."""
    if b" " not in tokens or any(UNDERLINE.encode() in data for data in tokens):
        return None
    *before, last = steps.normalizer or (None,)
    if last != _TO_SPACE:
        if len(steps.splits) == 1 and isinstance(first := steps.splits[0], Metaspace) and first.plain:
            return Steps(
                steps.normalizer,
                (Metaspace(first.replacement, first.prepend_scheme, first.split, plain=False),),
            )
        return None
    if _look_beside(added):
        return None
    if before and before[-1] == Prepend(" "):
        before[-1] = Prepend(UNDERLINE)
    splits: list[Step] = []
    for step in steps.splits:
        if step == _AT_SPACES:
            splits.append(Split(UNDERLINE, "MergedWithNext"))
        elif isinstance(step, Metaspace) and step.plain and not splits:
            splits.append(Metaspace(step.replacement, step.prepend_scheme, step.split, plain=False))
        else:
            return None
    return Steps((*before, _TO_UNDERLINE), tuple(splits))


def _look_beside(added: Iterable[AddedToken]) -> bool:
    """Whether an added token looks at what stands beside it in the normalized text: a space is white
    space there, and U+2581 is not."""
    return any(token.normalized and (token.lstrip or token.rstrip or token.single_word) for token in added)
