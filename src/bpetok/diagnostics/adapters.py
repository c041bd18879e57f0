"""Tokenizers of other libraries as `TokenizerLike`, for files of kinds that bpetok does not read.

bpetok reads BPE models of `tokenizers` and SentencePiece itself, and tiktoken's objects need no adapter.
What is left, such as Unigram and WordPiece, is run by its own library and measured like any other.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from bpetok.bytelevel import unspell
from bpetok.errors import FormatError, MissingExtraError, TokenError
from bpetok.protocols import TokenizerLike

__all__ = ["HuggingFaceTokenizer", "SentencePieceTokenizer", "open_other"]

_SPACE = "\u2581"


class _Adapted:
    """What both have in common.

    Attributes:
        name: as reports call it.
        normalizer: what is done to texts first, or None.
        special_tokens_set: texts of special tokens.
        vocabulary: with `byte_tokens`, the ids of bytes to fall back to, and `unknown`, the id of the unknown
            token.
    """

    name: str
    normalizer: str | None
    special_tokens_set: set[str]
    vocabulary: SimpleNamespace
    _ids: dict[str, int]
    _data: dict[int, bytes]

    @property
    def n_vocab(self) -> int:
        """The largest id plus one."""
        return max(self._data) + 1

    def decode_single_token_bytes(self, token: int) -> bytes:
        """The bytes of an id, white space as spaces.

        Raises:
            TokenError: there is no such id (a `KeyError`).
        """
        if token not in self._data:
            raise TokenError(f"{self.name!r} has no token {token}")
        return self._data[token]

    def decode_bytes(self, tokens: Sequence[int]) -> bytes:
        """The bytes that the ids stand for, in order: the text as it was encoded."""
        return b"".join(map(self.decode_single_token_bytes, tokens))

    def encode_single_token(self, text: str) -> int:
        """The id of a token by its name in the vocabulary."""
        return self._ids[text]

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of a text, special tokens in it taken as ordinary text."""
        return self.encode_ordinary_batch([text])[0]

    def encode_ordinary_batch(self, texts: list[str]) -> list[list[int]]:
        """`encode_ordinary` of each text."""
        raise NotImplementedError


class HuggingFaceTokenizer(_Adapted):
    """A `tokenizers.Tokenizer`: Unigram, WordPiece, WordLevel or BPE.

    Args:
        tokenizer: left as it is; a copy is used.
        name: as reports call it.
    """

    def __init__(self, tokenizer: Any, name: str = "tokenizers") -> None:
        described = json.loads(tokenizer.to_str())
        self.name = name
        self._tokenizer = type(tokenizer).from_str(tokenizer.to_str())
        self._tokenizer.encode_special_tokens = True  # their text is ordinary text
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self.normalizer = json.dumps(described["normalizer"]) if described.get("normalizer") else None
        self._ids = tokenizer.get_vocab(with_added_tokens=True)
        added = tokenizer.get_added_tokens_decoder()
        spell = _speller(described.get("decoder"))
        self._data = {
            token: text.encode() if token in added else spell(text) for text, token in self._ids.items()
        }
        model = described["model"]
        unknown = model.get("unk_token")
        if unknown is None and model.get("unk_id") is not None:
            unknown = tokenizer.id_to_token(model["unk_id"])
        special = {token.content for token in added.values() if token.special}
        self.special_tokens_set = special
        names = [f"<0x{byte:02X}>" for byte in range(256)] if model.get("byte_fallback") else []
        self.vocabulary = SimpleNamespace(
            byte_tokens=[self._ids[text] for text in names if text in self._ids],
            unknown=self._ids.get(unknown),
        )

    def encode_ordinary_batch(self, texts: list[str]) -> list[list[int]]:
        """`encode_ordinary` of each text."""
        encodings = self._tokenizer.encode_batch_fast(texts, add_special_tokens=False)
        return [encoding.ids for encoding in encodings]


def _speller(decoder: Any) -> Any:
    """What turns the name of a token into its bytes, as a decoder of `tokenizers` would."""
    steps = [] if decoder is None else decoder["decoders"] if decoder["type"] == "Sequence" else [decoder]
    kinds = {step["type"]: step for step in steps}
    if "ByteLevel" in kinds:
        return lambda text: unspell(text) or text.encode()
    fallback = "ByteFallback" in kinds
    prefix = kinds["WordPiece"]["prefix"] if "WordPiece" in kinds else None
    suffix = kinds["BPEDecoder"]["suffix"] if "BPEDecoder" in kinds else None
    space = kinds["Metaspace"]["replacement"] if "Metaspace" in kinds else _SPACE

    def spell(text: str) -> bytes:
        if fallback and len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            return bytes([int(text[3:5], 16)])
        if prefix is not None:
            text = text.removeprefix(prefix) if text.startswith(prefix) else f" {text}"
        if suffix and text.endswith(suffix):
            text = text.removesuffix(suffix) + " "
        return text.replace(space, " ").encode()

    return spell


class SentencePieceTokenizer(_Adapted):
    """A `sentencepiece.SentencePieceProcessor` of any type.

    Args:
        processor: with a model.
        name: as reports call it.
    """

    normalizer = "SentencePiece"

    def __init__(self, processor: Any, name: str = "sentencepiece") -> None:
        self.name = name
        self._processor = processor
        pieces = [processor.id_to_piece(token) for token in range(processor.get_piece_size())]
        self._ids = {piece: token for token, piece in enumerate(pieces)}
        self._data = {}
        byte_tokens = []
        self.special_tokens_set = set()
        for token, piece in enumerate(pieces):
            if processor.is_byte(token):
                byte_tokens.append(token)
                self._data[token] = bytes([int(piece[3:5], 16)])
            elif processor.is_control(token) or processor.is_unknown(token):
                self.special_tokens_set.add(piece)
                self._data[token] = piece.encode()
            else:
                self._data[token] = piece.replace(_SPACE, " ").encode()
        self.vocabulary = SimpleNamespace(byte_tokens=byte_tokens, unknown=processor.unk_id())

    def encode_ordinary_batch(self, texts: list[str]) -> list[list[int]]:
        """`encode_ordinary` of each text."""
        found: list[list[int]] = self._processor.encode(list(texts))
        return found


def open_other(path: str | os.PathLike[str]) -> TokenizerLike:
    """A tokenizer from a file that bpetok does not read: a `tokenizer.json`, or a SentencePiece model.

    Raises:
        FormatError: the library that it is for does not read it either.
        MissingExtraError: that library is not installed.
    """
    path = Path(path)
    data = path.read_bytes()
    if data.lstrip()[:1] == b"{":
        try:
            import tokenizers
        except ImportError as error:
            raise MissingExtraError(
                f'{path}: only tokenizers runs it: install it with pip install "bpetok[hf]"'
            ) from error
        try:
            return HuggingFaceTokenizer(tokenizers.Tokenizer.from_buffer(data), path.name)
        except Exception as error:  # its errors are of no class of their own
            raise FormatError(f"{path}: tokenizers cannot read it ({error})") from error
    try:
        import sentencepiece
    except ImportError as error:
        raise MissingExtraError(
            f"{path}: only sentencepiece runs it, if it is a model of its: pip install sentencepiece"
        ) from error
    try:
        return SentencePieceTokenizer(sentencepiece.SentencePieceProcessor(model_proto=data), path.name)
    except RuntimeError as error:
        raise FormatError(f"{path}: sentencepiece cannot read it ({error})") from error
