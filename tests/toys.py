"""Small tokenizers whose ids can be told by hand."""

from bpetok import Tokenizer


def toy(*tokens: str | bytes, name: str = "toy", pattern: str = "gpt2", specials=()) -> Tokenizer:
    """All bytes, and then tokens in the order of their ranks, from 256 on; then special tokens."""
    ranks = {bytes([byte]): byte for byte in range(256)}
    for token in tokens:
        ranks[token.encode() if isinstance(token, str) else token] = len(ranks)
    special_tokens = {text: len(ranks) + at for at, text in enumerate(specials)}
    return Tokenizer(name, pat_str=pattern, mergeable_ranks=ranks, special_tokens=special_tokens)


class Plain:
    """What `TokenizerLike` asks for and nothing else, around another tokenizer."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer = tokenizer

    @property
    def n_vocab(self) -> int:
        return self._tokenizer.n_vocab

    def encode_ordinary(self, text: str) -> list[int]:
        return self._tokenizer.encode_ordinary(text)

    def decode_bytes(self, tokens) -> bytes:
        return self._tokenizer.decode_bytes(tokens)

    def decode_single_token_bytes(self, token: int) -> bytes:
        return self._tokenizer.decode_single_token_bytes(token)
