"""Texts that commands are given, and encoding them as the options ask for."""

import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import click

from bpetok.corpus import Document, read
from bpetok.corpus.document import batches
from bpetok.errors import CorpusError, DisallowedSpecialError, EncodeError, TokenError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from bpetok.tokenizer import Tokenizer

_BATCH = 1 << 22  # characters or bytes of text encoded at a time, by all processors


class TextEncoder:
    """A tokenizer with what `--special`, `--allow-special` and `--replace` ask for.

    Args:
        tokenizer: the tokenizer.
        special: "error" (special tokens not allowed by name are refused), "none" (they are ordinary
            text) or "all" (they are tokens).
        allowed: special tokens that are tokens whatever `special` says.
        replace: read bytes that are not UTF-8 as U+FFFD, not as an error.

    Raises:
        TokenError: a token in `allowed` is not a special token of the tokenizer.
    """

    def __init__(self, tokenizer: "Tokenizer", special: str, allowed: Iterable[str], replace: bool) -> None:
        self.tokenizer = tokenizer
        self.replace = replace
        names = set(allowed)
        for unknown in sorted(names - tokenizer.special_tokens_set):
            known = ", ".join(sorted(tokenizer.special_tokens_set)) or "none"
            raise TokenError(f"{unknown!r} is not a special token of {tokenizer.name} (which has: {known})")
        allow: set[str] | Literal["all"] = "all" if special == "all" else names
        self.options: dict[str, Any] = {
            "allowed_special": allow,
            "disallowed_special": "all" if special == "error" else (),
        }

    def encode(
        self, documents: Iterable[Document]
    ) -> "Iterator[tuple[Document, npt.NDArray[np.uint16 | np.uint32]]]":
        """Each document with its ids, in 16 bits where the vocabulary allows, else in 32.

        Raises:
            DisallowedSpecialError: a text holds a special token that is not allowed.
            EncodeError: a text cannot be encoded with this vocabulary.
            CorpusError: a text is not UTF-8.
        """
        for batch in batches(documents, _BATCH, lambda document: len(document.text)):
            texts = [as_text(document, replace=self.replace) for document in batch]
            try:
                ids, offsets = self.tokenizer.encode_flat(texts, **self.options)
            except EncodeError:
                for document, text in zip(batch, texts, strict=True):
                    self._name_failure(document, text)
                raise
            for at, document in enumerate(batch):
                yield document, ids[offsets[at] : offsets[at + 1]]

    def _name_failure(self, document: Document, text: str) -> None:
        """Raise with the source and the command line's remedy, if this is the text that fails."""
        try:
            self.tokenizer.count(text, **self.options)
        except DisallowedSpecialError as error:
            refused = self.tokenizer.special_tokens_set - self.options["allowed_special"]
            token = min((text.find(token), -len(token), token) for token in refused if token in text)[2]
            raise DisallowedSpecialError(
                f"{document.source}: the text contains the special token {token!r}: choose --special none to "
                f"read it as ordinary text, or --special all or --allow-special {token!r} for the token"
            ) from error
        except EncodeError as error:
            raise EncodeError(f"{document.source}: {error}") from error


def as_text(document: Document, *, replace: bool = False) -> str:
    """The text of a document.

    Raises:
        CorpusError: its bytes are not UTF-8, and `replace` is not set.
    """
    if isinstance(document.text, str):
        return document.text
    try:
        return document.text.decode(errors="replace" if replace else "strict")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{document.source}: not UTF-8 ({error.reason} at byte {error.start}): convert it, for example "
            "with iconv, or add --replace to read such bytes as U+FFFD"
        ) from error


def text_or_file(text: str | None, file: str | None, field: str) -> Iterator[Document]:
    """The text of the command line, or the documents of a file; "-" is standard input for both.

    Raises:
        click.UsageError: both are given, or none is.
        CorpusError: the file cannot be read.
    """
    if (text is None) == (file is None):
        raise click.UsageError("give either TEXT or --file FILE (- is standard input)")
    if text is None or text == "-":
        return read(file or "-", field=field)
    return iter([Document(os.fsencode(text), "TEXT")])  # the very bytes, were they not UTF-8
