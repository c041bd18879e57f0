"""A tokenizer file to one of another format: what is kept, what is lost, and the result read back.

What a format cannot hold is found out, not looked up: the tokenizer is written, read again, and compared part
by part. Ids must stay; other parts may go, and each that does is named.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any, Literal

from bpetok import formats
from bpetok.errors import FormatError
from bpetok.tokenizer import Tokenizer
from bpetok.verification import Verdict, verify

__all__ = ["Conversion", "Part", "convert"]

State = Literal["kept", "rewritten", "lost"]
_EVERY = 16  # of code points and tokens every so many are tried
_STRINGS = 4_000


@dataclass(frozen=True)
class Part:
    """A part of a tokenizer, and what became of it.

    Attributes:
        name: what it is.
        state: "kept" as it was; "rewritten" in another way, which gives the same ids; "lost".
        ids: whether ids depend on it. No such part is ever lost.
        what: a word or two about it: how many tokens, say.
    """

    name: str
    state: State
    ids: bool
    what: str = ""


@dataclass(frozen=True)
class Conversion:
    """What `convert` did.

    Attributes:
        format: the format that was written.
        paths: the files.
        parts: what there was, and what became of it.
        verdict: how it is known that the ids are the same.
    """

    format: str
    paths: tuple[str, ...]
    parts: tuple[Part, ...]
    verdict: Verdict

    @property
    def lost(self) -> tuple[str, ...]:
        """The names of the parts that the format does not hold."""
        return tuple(part.name for part in self.parts if part.state == "lost")


def convert(tokenizer: Tokenizer, path: str | os.PathLike[str], format: str | None = None) -> Conversion:
    """Write a tokenizer to a file, and see that what is read from it gives the same ids.

    The ids are compared before the file takes its place: by structure, else on some hundred thousand texts.
    See `bpetok.verification`.

    Args:
        tokenizer: what to write; `Tokenizer.load` reads one from any format.
        path: where to.
        format: one of `formats.FORMATS`; "native" if there is none given.

    Raises:
        FormatError: ids could not be kept. Nothing is written.
        OSError: the file cannot be written.

    >>> import bpetok, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     made = convert(bpetok.train(["low lower"], vocab_size=258), f"{folder}/low.json", "huggingface")
    >>> made.verdict.proven, made.lost
    (True, ('name', 'provenance', 'merge counts'))
    """
    target = os.fsdecode(path)
    with tempfile.TemporaryDirectory() as folder:
        # Under its own name, from which some formats take that of the tokenizer.
        draft = os.path.join(folder, os.path.basename(os.path.abspath(target)))
        try:
            formats.save(tokenizer, draft, format)
        except FormatError as error:
            raise FormatError(str(error).replace(draft, target)) from error
        result = formats.load(draft)
    verdict = verify(tokenizer, result, n_strings=_STRINGS, every=_EVERY)
    problem = _problem(tokenizer, result, verdict)
    if problem is not None:
        raise FormatError(
            f"cannot write {target}: read again it has other ids: {problem}; nothing was written"
        )
    formats.save(tokenizer, target, format)
    return Conversion(
        format or "native", tuple(formats.paths(target, format)), _compare(tokenizer, result), verdict
    )


def _problem(before: Tokenizer, after: Tokenizer, verdict: Verdict) -> str | None:
    """What is wrong with the ids; None where nothing is."""
    if verdict.difference is not None:
        one, other = (
            "refused" if tokens is None else [token for token, _ in tokens]
            for tokens in (verdict.difference.one, verdict.difference.other)
        )
        return f"{verdict.difference.text!a} is {one}, and then {other}"
    old, new = before.vocabulary, after.vocabulary
    for token in range(max(old.n_vocab, new.n_vocab)):
        one_token, other_token = _token(old, token), _token(new, token)
        if one_token != other_token:
            return f"id {token} is {one_token!r}, and then {other_token!r}"
    if old.special_tokens != new.special_tokens:
        text = min(old.special_tokens.items() ^ new.special_tokens.items())[0]
        ids = [each.special_tokens.get(text) for each in (old, new)]
        return f"special token {text!r} is {ids[0]}, and then {ids[1]}"
    return None


def _token(vocabulary: Any, token: int) -> bytes | None:
    found: bytes | None = vocabulary.token_bytes(token) if token < vocabulary.n_vocab else None
    return found


def _compare(before: Tokenizer, after: Tokenizer) -> tuple[Part, ...]:
    parts = []
    old, new = _described(before), _described(after)
    for name, (ids, value, what) in old.items():
        if value is None:
            continue
        if new[name][1] == value or (name == "provenance" and value.items() <= after.provenance.items()):
            state: State = "kept"
        else:
            state = "rewritten" if ids or (name == "decoder" and _decode_alike(before, after)) else "lost"
        parts.append(Part(name, state, ids, what))
    return tuple(parts)


def _decode_alike(before: Tokenizer, after: Tokenizer) -> bool:
    """Whether ids that are drawn at random, bytes that are no characters among them, become the same text."""
    random = Random(0)
    vocabulary = before.vocabulary
    ids = [token for token in range(vocabulary.n_vocab) if vocabulary.token_bytes(token) is not None]
    drawn = [random.choices(ids, k=8) for _ in range(2000)] + [[token] for token in ids[:2000]]
    return before.decode_batch(drawn) == after.decode_batch(drawn)


def _described(tokenizer: Tokenizer) -> Mapping[str, tuple[bool, Any, str]]:
    """Part to (whether ids depend on it, the part or None, what there is to say of it)."""
    vocabulary = tokenizer.vocabulary
    merges = vocabulary.tables.merges()
    scanner = tokenizer.pattern.scanner
    pattern = tokenizer.splits or (tokenizer.pattern.source if scanner is None else scanner.parameters)
    counts = vocabulary.merge_counts
    return {
        "tokens": (True, vocabulary.tokens(), f"{len(vocabulary):,}"),
        "merges": (True, [row[1:] for row in merges], f"{len(merges):,}, by {vocabulary.semantics}"),
        "special tokens": (True, vocabulary.special_tokens or None, f"{len(vocabulary.special_tokens):,}"),
        "flags of tokens": (True, set(tokenizer.added_tokens) or None, f"{len(tokenizer.added_tokens):,}"),
        "pattern": (True, pattern, tokenizer.pattern.name or ""),
        "normalizer": (True, tokenizer.normalizer and tokenizer.normalizer.spec(), ""),
        "decoder": (False, tokenizer.decoder or "joined", ""),
        "template": (False, tokenizer.template, ""),
        "chat template": (False, tokenizer.chat_template, ""),
        "dropout": (False, tokenizer.dropout, str(tokenizer.dropout)),
        "name": (False, tokenizer.name, tokenizer.name),
        "provenance": (False, dict(tokenizer.provenance) or None, f"{len(tokenizer.provenance)} entries"),
        "merge counts": (False, None if counts is None else counts.tolist(), ""),
    }
