"""The added tokens of a `tokenizer.json`, and the ids that `tokenizers` gives them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bpetok.added_tokens import AddedToken
from bpetok.errors import FormatError
from bpetok.formats.checks import MAX_ID, field, is_id, is_text, shorten

__all__ = ["FLAGS", "check_ids", "dump_added_tokens", "ids_given", "read_added_tokens"]

FLAGS = ("single_word", "lstrip", "rstrip", "normalized", "special")


def read_added_tokens(document: dict[str, Any], path: str) -> list[AddedToken]:
    """The added tokens of a file, in its order.

    Raises:
        FormatError: one is damaged, or a text or an id is given twice.
    """
    tokens: list[AddedToken] = []
    texts, ids = set(), set()
    for at, row in enumerate(field({"added_tokens": [], **document}, "added_tokens", list, path)):
        where = f"{path}: entry {at} of 'added_tokens'"
        if not isinstance(row, dict):
            raise FormatError(f"{where} is {shorten(row)}; it must be an object")
        text, token = field(row, "content", str, where), field(row, "id", int, where)
        if not text or not is_text(text) or not is_id(token) or text in texts or token in ids:
            raise FormatError(
                f"{where} is {shorten(text)} with id {token}: text and id must be given once, the text not "
                f"be empty, the id be from 0 to {MAX_ID}"
            )
        tokens.append(AddedToken(text, token, **{flag: field(row, flag, bool, where) for flag in FLAGS}))
        texts.add(text)
        ids.add(token)
    return tokens


def dump_added_tokens(tokens: Iterable[AddedToken]) -> list[dict[str, Any]]:
    """The added tokens as a file has them."""
    return [
        {"id": token.id, "content": token.text, **{flag: getattr(token, flag) for flag in FLAGS}}
        for token in tokens
    ]


def ids_given(tokens: Sequence[AddedToken], vocab: Mapping[str, int], n_entries: int) -> list[set[int]]:
    """The ids that `tokenizers` gives to added tokens, whatever they claim: that of the entry of the
    vocabulary with the same text; else the next one from the *number* of entries on. Releases before 0.23
    also go past the highest id of the added tokens so far, so that there can be two answers.

    Args:
        tokens: the tokens, in the order of the file.
        vocab: text to id, of those entries at least that are added tokens.
        n_entries: how many entries there are.
    """
    given: list[set[int]] = []
    following, highest = n_entries, -1
    for token in tokens:
        if token.text in vocab:
            ids = {vocab[token.text]}
        else:
            ids = {following, max(highest + 1, n_entries)}
            following += 1
        highest = max(highest, *ids)
        given.append(ids)
    return given


def check_ids(tokens: Sequence[AddedToken], vocab: Mapping[str, int], path: str) -> None:
    """See that added tokens have the ids that they claim, and that no other token has them.

    Raises:
        FormatError: they have not.
    """
    texts = {token: text for text, token in vocab.items()}
    for token, ids in zip(tokens, ids_given(tokens, vocab, len(vocab)), strict=True):
        if ids != {token.id}:
            raise FormatError(
                f"{path}: 'added_tokens' says that {shorten(token.text)} has id {token.id}, and `tokenizers` "
                "gives it "
                f"{' or '.join(map(str, sorted(ids)))}, from 'vocab' and the order of 'added_tokens': "
                "correct one"
            )
        if texts.get(token.id, token.text) != token.text:
            raise FormatError(
                f"{path}: id {token.id} belongs to added token {shorten(token.text)} and to "
                f"{shorten(texts[token.id])}"
            )
