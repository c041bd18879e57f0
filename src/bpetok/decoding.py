"""From ids back to a text, where that is more than joining bytes.

A policy is a sequence of steps as the decoders of `tokenizers` are, or the way of SentencePiece. A tokenizer
without one joins the bytes of its tokens and shows what is no UTF-8 as U+FFFD, as tiktoken does.

Each token has a text and, if it stands for one byte, that byte. Where a vocabulary has spaces in the place of
U+2581, the character is put back before the steps, which may tell it from a space.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bpetok.bytelevel import unspell
from bpetok.errors import PreparationError
from bpetok.oniguruma import Expression, check_match, translate
from bpetok.specs import Plain, from_spec
from bpetok.splits import UNDERLINE

__all__ = [
    "ByteFallback",
    "ByteLevel",
    "Decoder",
    "Fuse",
    "Metaspace",
    "Replace",
    "SentencePiece",
    "Steps",
    "Strip",
    "Token",
    "decoder_from",
]


class Token(NamedTuple):
    """A token on its way to text.

    Attributes:
        text: its spelling; of a byte token, `<0x..>`.
        byte: the byte that it stands for, or None.
        kind: "" for an ordinary token, "control" for a special one, "unknown".
    """

    text: str
    byte: int | None = None
    kind: str = ""


class Decoder(Plain, ABC):
    """A policy: tokens to text. Subclasses are frozen dataclasses."""

    @abstractmethod
    def decode(self, tokens: Sequence[Token]) -> str:
        """The text of some tokens."""

    def decode_valid(self, text: str, head: str) -> str | None:
        """The same from the joined bytes of the tokens, which are UTF-8; None where that does not tell.

        Args:
            text: the joined bytes as text.
            head: of the first token.
        """
        return None


class Step(Plain, ABC):
    """A step of `Steps`."""

    @abstractmethod
    def __call__(self, tokens: list[Token]) -> list[Token]:
        """The tokens after the step."""


@dataclass(frozen=True)
class Steps(Decoder):
    """Steps one after the other, and what is left joined.

    Args:
        steps: the steps.
        plain: whether the vocabulary has spaces in the place of U+2581.
    """

    steps: tuple[Step, ...]
    plain: bool = False

    def __post_init__(self) -> None:
        for step in self.steps:
            if not isinstance(step, Step):
                raise PreparationError(f"the decoder {type(step).__name__} is a policy, and no step of one")

    def decode(self, tokens: Sequence[Token]) -> str:
        made = list(tokens)
        if self.plain:
            made = [
                token if token.kind else token._replace(text=token.text.replace(" ", UNDERLINE))
                for token in made
            ]
        for step in self.steps:
            made = step(made)
        return "".join(token.text for token in made)


@dataclass(frozen=True)
class Replace(Step):
    """Every match of a string, or of an expression, in each token replaced."""

    pattern: str | Expression
    content: str

    def __post_init__(self) -> None:
        check_match(self.pattern)

    def __call__(self, tokens: list[Token]) -> list[Token]:
        if isinstance(self.pattern, Expression):
            find = translate(self.pattern.source)
            return [token._replace(text=find.sub(lambda _: self.content, token.text)) for token in tokens]
        return [token._replace(text=token.text.replace(self.pattern, self.content)) for token in tokens]


_BYTE = re.compile(r"<0x(\+?[0-9A-Fa-f]+)>")


@dataclass(frozen=True)
class ByteFallback(Step):
    """A run of byte tokens becomes its text, or U+FFFD for each of them where it is no UTF-8."""

    def __call__(self, tokens: list[Token]) -> list[Token]:
        made: list[Token] = []
        run = bytearray()
        for token in (*tokens, None):
            match = _BYTE.fullmatch(token.text) if token and len(token.text.encode()) == 6 else None
            if match is not None:
                run.append(int(match[1], 16))
                continue
            if run:
                try:
                    made.append(Token(run.decode()))
                except UnicodeDecodeError:
                    made += [Token("\ufffd")] * len(run)
                run.clear()
            if token is not None:
                made.append(token)
        return made


@dataclass(frozen=True)
class Fuse(Step):
    """All tokens made one."""

    def __call__(self, tokens: list[Token]) -> list[Token]:
        return [Token("".join(token.text for token in tokens))]


@dataclass(frozen=True)
class Strip(Step):
    """Up to `start` times a character off the beginning of each token, and up to `stop` off its end."""

    content: str
    start: int
    stop: int

    def __post_init__(self) -> None:
        if len(self.content) != 1 or min(self.start, self.stop) < 0:
            raise PreparationError(
                f"the decoder Strip takes one character off, not {self.content!r:.60}, and not less than none"
            )

    def __call__(self, tokens: list[Token]) -> list[Token]:
        return [token._replace(text=self.strip(token.text)) for token in tokens]

    def strip(self, text: str) -> str:
        """One token's text."""
        head = min(self.start, len(text) - len(text.lstrip(self.content)))
        tail = min(self.stop, len(text) - len(text.rstrip(self.content)))
        return text[head : max(head, len(text) - tail)]


@dataclass(frozen=True)
class Metaspace(Step):
    """The character for spaces becomes a space, and in the first token nothing unless none is prepended."""

    replacement: str = UNDERLINE
    prepend_scheme: str = "always"
    split: bool = True

    def __post_init__(self) -> None:
        if len(self.replacement) != 1 or self.prepend_scheme not in ("always", "first", "never"):
            raise PreparationError(
                f"the decoder Metaspace has one character for a space, not {self.replacement!r:.60}, and its "
                f"prepend scheme is 'always', 'first' or 'never', not {self.prepend_scheme!r:.60}"
            )

    def __call__(self, tokens: list[Token]) -> list[Token]:
        first = "" if self.prepend_scheme != "never" else " "
        return [
            token._replace(text=token.text.replace(self.replacement, " " if at else first))
            for at, token in enumerate(tokens)
        ]


@dataclass(frozen=True)
class ByteLevel(Step):
    """Each character of GPT-2's byte-level alphabet its byte; a token with any other stays as it is."""

    def __call__(self, tokens: list[Token]) -> list[Token]:
        data = b"".join(
            token.text.encode() if (spelled := unspell(token.text)) is None else spelled for token in tokens
        )
        return [Token(data.decode(errors="replace"))]


@dataclass(frozen=True)
class SentencePiece(Decoder):
    """As SentencePiece joins pieces.

    Args:
        prefix: whether the space that was put before the text is taken off.
        unknown: what an unknown token shows.
        all_spaces: whether a space is taken off each token until the text has begun.
    """

    prefix: bool = True
    unknown: str = " \u2047 "
    all_spaces: bool = False

    def decode(self, tokens: Sequence[Token]) -> str:
        made: list[str] = []
        run = bytearray()
        begun = False
        for token in (*tokens, None):
            if token is not None and token.byte is not None:
                run.append(token.byte)
                continue
            if run:
                made.append(_each_byte(bytes(run)))
                begun = True
                run.clear()
            if token is None or token.kind == "control":
                continue
            text = self.unknown if token.kind == "unknown" else token.text.replace(UNDERLINE, " ")
            if not begun and token.kind != "unknown":
                if self.all_spaces:
                    text = text.removeprefix(" ")
                elif self.prefix:
                    text, begun = text.removeprefix(" "), True
            begun = begun or text != ""
            made.append(text)
        return "".join(made)


def _each_byte(data: bytes) -> str:
    """UTF-8 to text, with U+FFFD for every byte that is in no character."""
    return "".join(
        char if not "\udc80" <= char <= "\udcff" else "\ufffd"
        for char in data.decode(errors="surrogateescape")
    )


# ---- plain data --------------------------------------------------------------------------------------

_KNOWN: dict[str, type[Plain]] = {
    cls.__name__: cls
    for cls in (Steps, Replace, ByteFallback, Fuse, Strip, Metaspace, ByteLevel, SentencePiece)
}


def decoder_from(spec: Mapping[str, Any]) -> Decoder:
    """The policy of plain data; a step is taken for a policy of one step.

    Raises:
        PreparationError: it is of no known type, or a part of it is wrong.
        PatternError: an expression cannot be run with equal matches; see `oniguruma`.
    """
    made = from_spec(spec, _KNOWN, "decoder")
    return Steps((made,)) if isinstance(made, Step) else made
