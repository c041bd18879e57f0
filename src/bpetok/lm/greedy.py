"""How a pretrained model goes on with texts: the likeliest token each time, up to the end of the line.

Texts that begin alike are begun once: the keys and values of the tokens that all share are computed for one
and used for all. Texts of one length in tokens go side by side, so none has padding, and what a model writes
does not depend on the length of others.
"""

from __future__ import annotations

import copy
import inspect
import itertools
from collections.abc import Container, Iterator, Sequence
from typing import Any

import torch
import transformers

from bpetok.lm.pretrained import Pretrained

__all__ = ["continuations"]


def continuations(
    pretrained: Pretrained,
    texts: Sequence[str],
    *,
    longest: int,
    known: Container[int] = (),
    at_once: int = 8_192,
) -> Iterator[dict[int, str]]:
    """What the model writes behind each text, up to the end of the line, without white space around it.

    Args:
        pretrained: the model.
        texts: each with a token or more.
        longest: tokens that are written, at most.
        known: numbers of texts that need not be gone on with. Batches are the same whatever is known, so that
            what is left out now and made later is the same; one is left out if all of it is known.
        at_once: tokens in a batch, those that are shared counted for each text.

    Yields:
        A batch: the number of a text to what was written.
    """
    rows = [pretrained.encode(text) for text in texts]
    shared = min((_common(rows[0], row) for row in rows), default=0)
    # One token at least is left of each, to begin with.
    shared = min([shared, *(len(row) - 1 for row in rows)])
    begun: Any = None
    numbers = sorted(range(len(rows)), key=lambda number: len(rows[number]))
    for length, group in itertools.groupby(numbers, key=lambda number: len(rows[number])):
        alike, most = list(group), max(1, at_once // (length + longest))
        for first in range(0, len(alike), most):
            batch = alike[first : first + most]
            if all(number in known for number in batch):
                continue
            if begun is None:
                begun = _begin(pretrained.model, rows[0][:shared])
            left = [rows[number][shared:] for number in batch]
            written = _write(pretrained, copy.deepcopy(begun), left, longest)
            yield dict(zip(batch, written, strict=True))


def _common(one: Sequence[int], other: Sequence[int]) -> int:
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False))
    return sum(1 for _ in alike)


def _forward(model: Any, fed: torch.Tensor, cache: Any) -> torch.Tensor:
    """The logits behind each row; keys and values are added to the cache."""
    # What transformers 5 calls `cache` was `past_key_values` before.
    name = "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"
    logits: torch.Tensor = model(input_ids=fed, use_cache=True, logits_to_keep=1, **{name: cache}).logits
    return logits[:, -1]


@torch.inference_mode()
def _begin(model: Any, tokens: Sequence[int]) -> Any:
    """Keys and values of tokens."""
    cache = transformers.DynamicCache(config=model.config)
    if tokens:
        _forward(model, torch.tensor([tokens], device=model.device), cache)
    return cache


@torch.inference_mode()
def _write(pretrained: Pretrained, cache: Any, rows: Sequence[Sequence[int]], longest: int) -> list[str]:
    """Go on with rows of one length behind what the cache holds. The cache is used up."""
    model = pretrained.model
    cache.batch_repeat_interleave(len(rows))
    written: list[list[int]] = [[] for _ in rows]
    texts = [""] * len(rows)
    open_ = list(range(len(rows)))  # the rows that have not ended
    fed = torch.tensor(rows, device=model.device)
    for _ in range(longest):
        following = _forward(model, fed, cache).argmax(dim=-1).tolist()
        goes_on = []
        for place, (row, token) in enumerate(zip(open_, following, strict=True)):
            if token not in pretrained.ends:
                written[row].append(token)
                texts[row] = pretrained.decode(written[row])
                if "\n" not in texts[row]:
                    goes_on.append(place)
        if not goes_on:
            break
        if len(goes_on) < len(open_):
            cache.batch_select_indices(torch.tensor(goes_on, device=model.device))
            open_ = [open_[place] for place in goes_on]
        fed = torch.tensor([written[row][-1:] for row in open_], device=model.device)
    return [text.partition("\n")[0].strip() for text in texts]
