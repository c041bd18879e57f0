"""Which characters of texts a tokenizer has no token for, and what tokens for them would save.

A character *falls apart* where its bytes are in more than one token, or in tokens for bytes. With a vocabulary of
characters, that is what falls back to bytes; with a byte-level one, a character that merging leaves in several
tokens at that place, and which may be whole elsewhere.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bpetok.errors import VocabularyError
from bpetok.tokenizer import Tokenizer
from bpetok.vocabulary import Vocabulary

__all__ = ["Coverage", "add_characters", "coverage"]


@dataclass(frozen=True)
class Coverage:
    """What a tokenizer makes of some texts.

    Attributes:
        n_characters: how many characters the texts have, as the tokenizer normalizes them.
        n_tokens: how many tokens.
        n_apart: how many characters fall apart.
        n_apart_tokens: how many tokens those are in.
        characters: each character that falls apart, with how often it does, the most frequent first.
    """

    n_characters: int = 0
    n_tokens: int = 0
    n_apart: int = 0
    n_apart_tokens: int = 0
    characters: Mapping[str, int] = field(default_factory=dict)


def coverage(tokenizer: Tokenizer, texts: Iterable[str]) -> Coverage:
    """Find the characters of texts that fall apart. Exact: each text is encoded, special tokens as text.

    >>> from bpetok import get_encoding
    >>> coverage(get_encoding("gpt2"), ["caf\\u00e9 \\u1e9e"]).characters
    {'ẞ': 1}
    """
    if tokenizer.vocabulary.unknown is not None and tokenizer.vocabulary.byte_tokens is None:
        raise VocabularyError(
            f"{tokenizer.name!r} has an unknown token and no byte fallback: nothing falls apart"
        )
    byte_tokens = frozenset(tokenizer.vocabulary.byte_tokens or ())
    apart: Counter[str] = Counter()
    n_characters = n_tokens = n_apart_tokens = 0
    for text in texts:
        ids = tokenizer.encode_ordinary(text)
        parts = tokenizer.decode_tokens_bytes(ids)
        at = start = end = 0
        token = counted = -1
        for char in b"".join(parts).decode():
            n_characters += 1
            stop = start + len(char.encode())
            while end <= start:
                token += 1
                end += len(parts[token])
            at = token
            if stop > end or ids[token] in byte_tokens:
                while end < stop:
                    token += 1
                    end += len(parts[token])
                apart[char] += 1
                n_apart_tokens += token - max(at - 1, counted)
                counted = token
            start = stop
        n_tokens += len(ids)
    order = sorted(apart.items(), key=lambda item: (-item[1], item[0]))
    return Coverage(n_characters, n_tokens, apart.total(), n_apart_tokens, dict(order))


def add_characters(tokenizer: Tokenizer, characters: Iterable[str]) -> Tokenizer:
    """The tokenizer with tokens for more characters, from `n_vocab` on. No id moves.

    What they save is exact in `coverage(add_characters(...), texts).n_tokens`.

    Raises:
        VocabularyError: the vocabulary is byte-level, where a character takes merges of its bytes, for which
            there is `Tokenizer.extend`; or something is no single character, or a token already.
    """
    vocabulary = tokenizer.vocabulary
    if vocabulary.alphabet != "characters":
        raise VocabularyError(f"{tokenizer.name!r} is byte-level: add tokens with `extend`")
    byte_tokens = frozenset(vocabulary.byte_tokens or ())
    tokens = {token: data for token, data in vocabulary.tokens().items() if token not in byte_tokens}
    known = set(tokens.values())
    new = {}
    for char in characters:
        data = char.encode()
        if len(char) != 1 or data in known:
            raise VocabularyError(f"{char!r} is no single character, or is a token already")
        known.add(data)
        new[vocabulary.n_vocab + len(new)] = data
    scored = vocabulary.semantics == "scores"
    scores = vocabulary.scores() if scored else {}
    least = min(scores.values(), default=0.0)
    grown = Vocabulary.from_characters(
        tokens | new,
        merges=None if scored else vocabulary.merges(),
        scores=scores | {token: least - 1 - at for at, token in enumerate(new)} if scored else None,
        special_tokens=vocabulary.special_tokens,
        byte_tokens=vocabulary.byte_tokens,
        unknown=vocabulary.unknown,
        fuse_unknown=vocabulary.fuse_unknown or False,
        unused=vocabulary.unused,
        ignore_merges=vocabulary.ignore_merges,
    )
    return Tokenizer.from_vocabulary(
        tokenizer.name,
        tokenizer.pattern.source,
        grown,
        provenance={**tokenizer.provenance, "vocab_size": grown.n_vocab},
        **tokenizer.extras(),
    )
