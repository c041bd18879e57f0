"""A tokenizer as bytes, equal ones as equal bytes: what is pickled, and what hashes are made of.

A pickle of the objects themselves would depend on which of them share a string, and on the order of sets, so
that two processes gave different bytes for one tokenizer. Caches that go by a hash of the pickle, such as
those of `datasets`, would then never find anything.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "dump_vocabulary", "identity", "load", "load_vocabulary"]


def dump_vocabulary(vocabulary: Vocabulary) -> bytes:
    """A vocabulary as bytes."""
    return _as_bytes(_vocabulary(vocabulary))


def load_vocabulary(state: bytes) -> Vocabulary:
    """The vocabulary that was dumped."""
    return _to_vocabulary(json.loads(state))


def dump(tokenizer: Tokenizer) -> bytes:
    """A tokenizer as bytes, but for its provenance, which may be anything."""
    template, decoder = tokenizer.template, tokenizer.decoder
    return _as_bytes(
        {
            **_about_ids(tokenizer),
            "name": tokenizer.name,
            "merge_counts": _list(tokenizer.vocabulary.merge_counts),
            "template": None if template is None else template.spec(),
            "decoder": None if decoder is None else decoder.spec(),
            "chat_template": tokenizer.chat_template,
            "dropout": tokenizer.dropout,
        }
    )


def load(state: bytes, provenance: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer that was dumped.

    >>> from bpetok import Tokenizer
    >>> toy = Tokenizer("toy", pat_str="gpt2", mergeable_ranks={b"a": 0, b"aa": 1}, special_tokens={})
    >>> load(dump(toy), {}).encode("aaa")
    [1, 0]
    """
    from bpetok.added_tokens import added_token_from
    from bpetok.decoding import decoder_from
    from bpetok.normalization import normalizer_from
    from bpetok.splits import splits_from
    from bpetok.templates import template_from
    from bpetok.tokenizer import Tokenizer

    plain = json.loads(state)

    def part(name: str, made_from: Any) -> Any:
        return None if plain[name] is None else made_from(plain[name])

    return Tokenizer.from_vocabulary(
        plain["name"],
        part("splits", splits_from) or plain["pattern"],
        _to_vocabulary({**plain["vocabulary"], "merge_counts": plain["merge_counts"]}),
        provenance=provenance,
        normalizer=part("normalizer", normalizer_from),
        added_tokens=[added_token_from(token) for token in plain["added_tokens"]],
        template=part("template", template_from),
        decoder=part("decoder", decoder_from),
        chat_template=plain["chat_template"],
        dropout=plain["dropout"],
    )


def identity(tokenizer: Tokenizer) -> bytes:
    """All that the ids of a text depend on, as bytes."""
    return _as_bytes(_about_ids(tokenizer))


def _about_ids(tokenizer: Tokenizer) -> dict[str, Any]:
    normalizer, splits = tokenizer.normalizer, tokenizer.splits
    return {
        "pattern": tokenizer.pattern.source,
        "splits": None if splits is None else splits.spec(),
        "normalizer": None if normalizer is None else normalizer.spec(),
        "added_tokens": [token.spec() for token in tokenizer.added_tokens],
        "vocabulary": {**_vocabulary(tokenizer.vocabulary), "merge_counts": None},
    }


def _as_bytes(plain: dict[str, Any]) -> bytes:
    return json.dumps(plain, sort_keys=True, separators=(",", ":")).encode("ascii")


def _list(array: Any) -> list[Any] | None:
    return None if array is None else array.tolist()


def _vocabulary(vocabulary: Vocabulary) -> dict[str, Any]:
    scored = vocabulary.semantics == "scores"
    return {
        "semantics": vocabulary.semantics,
        "alphabet": vocabulary.alphabet,
        "tokens": sorted((token, data.hex()) for token, data in vocabulary.tokens().items()),
        "merges": vocabulary.merges().tolist() if vocabulary.semantics == "merges" else None,
        "merge_counts": _list(vocabulary.merge_counts),
        "scores": sorted(vocabulary.scores().items()) if scored else None,
        # In their order, which files keep, and which tells what an id that two of them share decodes to.
        "special_tokens": [*vocabulary.special_tokens.items()],
        "ignore_merges": vocabulary.ignore_merges,
        "byte_tokens": vocabulary.byte_tokens,
        "unknown": vocabulary.unknown,
        "fuse_unknown": vocabulary.fuse_unknown,
        "unused": sorted(vocabulary.unused),
    }


def _to_vocabulary(plain: dict[str, Any]) -> Vocabulary:
    import numpy as np

    tokens = {token: bytes.fromhex(data) for token, data in plain["tokens"]}
    special_tokens = dict(plain["special_tokens"])
    if plain["alphabet"] == "characters":
        return Vocabulary.from_characters(
            tokens,
            merges=plain["merges"],
            scores=None if plain["scores"] is None else dict(plain["scores"]),
            special_tokens=special_tokens,
            byte_tokens=plain["byte_tokens"],
            unknown=plain["unknown"],
            fuse_unknown=plain["fuse_unknown"] or False,
            unused=plain["unused"],
            ignore_merges=plain["ignore_merges"],
        )
    if plain["semantics"] == "ranks":
        return Vocabulary.from_ranks({data: token for token, data in tokens.items()}, special_tokens)
    counts = plain["merge_counts"]
    return Vocabulary.from_merges(
        tokens,
        plain["merges"],
        special_tokens,
        ignore_merges=plain["ignore_merges"],
        merge_counts=None if counts is None else np.array(counts, np.int64),
    )
