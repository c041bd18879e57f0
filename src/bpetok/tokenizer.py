"""The tokenizer: text to ids and back, with tiktoken's whole public surface and more.

`Tokenizer` and `Encoding` are one class. Its native half (`bpetok._encode.Encoder`) turns text into ids;
this half holds what is policy: which special tokens are allowed, what errors say, batches and threads,
and the forms that results take.
"""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from operator import index
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, NoReturn, SupportsIndex, TypeVar, Unpack

from bpetok._batch import Batch
from bpetok._encode import Encoder
from bpetok._text import as_utf8
from bpetok.errors import (
    DisallowedSpecialError,
    EncodeError,
    PreparationError,
    TokenError,
    VocabularyError,
    VocabularySizeError,
)
from bpetok.patterns import WHOLE, Pattern, from_source
from bpetok.pretokenize import compile_pattern, match_spans, split
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    import re

    import numpy as np
    import numpy.typing as npt

    from bpetok._arrow import ArrowColumn, ArrowIds
    from bpetok.added_tokens import AddedToken
    from bpetok.counting import CountOptions, CountTable, ProgressCallback, Sources
    from bpetok.decoding import Decoder, Token
    from bpetok.editing import Edited
    from bpetok.explain import Explanation
    from bpetok.mapper import Mapper
    from bpetok.normalization import Normalizer
    from bpetok.page.notebook import View
    from bpetok.preparation import Part
    from bpetok.shards import Manifest
    from bpetok.splits import Splits
    from bpetok.streaming import StreamDecoder, StreamEncoder
    from bpetok.templates import Template

__all__ = ["Encoded", "Encoding", "Tokenizer"]

AllowedSpecial = Literal["all"] | AbstractSet[str]
DisallowedSpecial = Literal["all"] | Collection[str]
AnyBatch = TypeVar("AnyBatch", bound=Batch)

# The default of `allowed_special`, as in tiktoken a set; never changed.
_NO_SPECIALS: set[str] = set()
# Below this many code units a second thread costs more than it brings.
_THREAD_WORTH = 1 << 18


class Encoded(NamedTuple):
    """Ids with the spans that they come from.

    Attributes:
        ids: uint32, shape (n,).
        byte_spans: int64, shape (n, 2): start and end of each token in the UTF-8 of the text.
        char_spans: int64, shape (n, 2): from the character that holds the token's first byte to behind
            the one that holds its last. Spans of tokens that share a character overlap.
    """

    ids: npt.NDArray[np.uint32]
    byte_spans: npt.NDArray[np.int64]
    char_spans: npt.NDArray[np.int64]


class Tokenizer(Encoder):
    """A byte-pair tokenizer: immutable, and safe to use from any number of threads at once.

    The constructor is tiktoken's, so that a program can extend an encoding the way it does there.
    `get_encoding`, `train` and `Tokenizer.load` are the usual ways to one.

    Args:
        name: how the tokenizer is called in messages and files.
        pat_str: the split pattern: a regular expression, or a name known to `bpetok.patterns`.
        mergeable_ranks: bytes to rank; the rank is the id.
        special_tokens: text to id.
        explicit_n_vocab: if given, it must be the number of tokens, and all ids must lie below it.

    Raises:
        PatternError: the pattern does not compile or matches the empty string.
        VocabularyError: the ranks or the special tokens contradict themselves.
        VocabularySizeError: `explicit_n_vocab` does not fit (an `AssertionError`, as in tiktoken).

    >>> ranks = {bytes([b]): b for b in range(256)} | {b"ab": 256, b"abc": 257}
    >>> toy = Tokenizer("toy", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"<end>": 258})
    >>> toy.encode("abcab<end>", allowed_special="all")
    [257, 256, 258]
    >>> toy.decode([257, 256])
    'abcab'
    """

    name: str
    pattern: Pattern
    vocabulary: Vocabulary
    provenance: Mapping[str, Any]
    normalizer: Normalizer | None
    splits: Splits | None
    added_tokens: tuple[AddedToken, ...]
    template: Template | None
    decoder: Decoder | None
    chat_template: str | None
    dropout: float | None
    max_token_value: int

    def __init__(
        self,
        name: str,
        *,
        pat_str: str,
        mergeable_ranks: dict[bytes, int],
        special_tokens: dict[str, int],
        explicit_n_vocab: int | None = None,
    ) -> None:
        if not mergeable_ranks:
            raise VocabularyError(f"the vocabulary of {name!r} is empty: give at least one token")
        if explicit_n_vocab:
            n_tokens = len(mergeable_ranks) + len(special_tokens)
            largest = max(max(mergeable_ranks.values()), max(special_tokens.values(), default=0))
            if n_tokens != explicit_n_vocab or largest != explicit_n_vocab - 1:
                raise VocabularySizeError(
                    f"{name!r} has {n_tokens} tokens and a largest id of {largest}; with "
                    f"explicit_n_vocab={explicit_n_vocab} it must have that many, and ids up to one less"
                )
        vocabulary = Vocabulary.from_ranks(mergeable_ranks, special_tokens)
        self._set_up(name, pat_str, vocabulary)

    @classmethod
    def from_vocabulary(
        cls,
        name: str,
        pattern: str | Splits,
        vocabulary: Vocabulary,
        *,
        provenance: Mapping[str, Any] | None = None,
        normalizer: Normalizer | None = None,
        added_tokens: Iterable[AddedToken] | None = None,
        template: Template | None = None,
        decoder: Decoder | None = None,
        chat_template: str | None = None,
        dropout: float | None = None,
    ) -> Tokenizer:
        """A tokenizer around an existing vocabulary.

        Args:
            name: how the tokenizer is called in messages and files.
            pattern: the split pattern: a regular expression, or a name known to `bpetok.patterns`; or the
                steps of `bpetok.splits`, where it takes more than one pattern.
            vocabulary: tokens, merges and special tokens.
            provenance: where it comes from, as plain data; kept in native files.
            normalizer: what is done to a text before it is cut.
            added_tokens: how those special tokens are found that are not simply found as they stand.
            template: what `encode_with_template` puts around the ids.
            decoder: how ids become text where that is more than joining bytes.
            chat_template: the template of a chat, a text in Jinja's language; kept, never run here.
            dropout: the share of merges that training with BPE-dropout leaves out; kept. `encode` leaves
                none out.

        Raises:
            PatternError: the pattern does not compile or matches the empty string.
            PreparationError: the steps together could not be exact.
            VocabularyError: an added token or an id of the template is not in the vocabulary.
        """
        self = cls.__new__(cls)
        self._set_up(
            name,
            pattern,
            vocabulary,
            provenance,
            normalizer=normalizer,
            added_tokens=added_tokens,
            template=template,
            decoder=decoder,
            chat_template=chat_template,
            dropout=dropout,
        )
        return self

    def _set_up(
        self,
        name: str,
        pattern: str | Splits,
        vocabulary: Vocabulary,
        provenance: Mapping[str, Any] | None = None,
        *,
        normalizer: Normalizer | None = None,
        added_tokens: Iterable[AddedToken] | None = None,
        template: Template | None = None,
        decoder: Decoder | None = None,
        chat_template: str | None = None,
        dropout: float | None = None,
    ) -> None:
        self.name = name
        self.vocabulary = vocabulary
        self.provenance = dict(provenance or {})
        self.normalizer = normalizer
        self.added_tokens = tuple(added_tokens or ())
        self.template = template
        self.decoder = decoder
        self.chat_template = chat_template
        self.dropout = dropout
        self.max_token_value = vocabulary.n_vocab - 1
        self.splits = None
        if not isinstance(pattern, str):
            from bpetok.splits import Splits

            if isinstance(pattern, Splits):
                self.splits = pattern
                native = pattern.native()
                pattern = WHOLE if native is None else native.pattern
        self.pattern = from_source(pattern)
        matcher = findall = None
        if self.pattern.scanner is None:
            compiled = compile_pattern(self.pattern.source)
            findall = None if compiled.groups else compiled.findall  # which would give the groups
            matcher = functools.partial(match_spans, self.pattern.source)
        specials = dict(vocabulary.special_tokens)
        self._check_added(specials)
        always_found = {token.text for token in self.added_tokens if not token.special}
        self._special_ids = frozenset(token for text, token in specials.items() if text not in always_found)
        self._always_found = always_found
        self._all_special_marks = b"\1" * len(specials)
        always = bytes(text in always_found for text in specials) if always_found else None
        self._preparation = None
        if normalizer is not None or self.added_tokens or self.splits is not None:
            # Imported here, as all that only some tokenizers have: the others begin sooner without.
            from bpetok.preparation import Preparation

            preparation = Preparation(specials, self.added_tokens, normalizer, self.splits)
            self._preparation = preparation if preparation.needed else None
        self._attach(
            vocabulary.tables,
            self.pattern.scanner,
            matcher,
            findall,
            specials,
            always=always,
            preparation=self._preparation,
            decoder=None if decoder is None else self._decode,
        )

    def _check_added(self, specials: Mapping[str, int]) -> None:
        """See that what is said of special tokens is said of those there are."""
        for token in self.added_tokens:
            if specials.get(token.text) != token.id:
                raise VocabularyError(
                    f"the added token {token.text!r} with id {token.id} is not among the special tokens of "
                    f"{self.name!r}"
                )
        if len({token.text for token in self.added_tokens}) < len(self.added_tokens):
            raise VocabularyError(f"an added token of {self.name!r} is given twice")
        for number in self.template.ids if self.template is not None else ():
            if self.vocabulary.token_bytes(number) is None:
                raise VocabularyError(f"the template of {self.name!r} has id {number}, which is no token")

    def __repr__(self) -> str:
        return f"<Encoding {self.name!r}>"

    def __reduce__(self) -> tuple[Any, ...]:
        from bpetok import encodings, states

        if encodings.is_registered(self):
            return encodings.get_encoding, (self.name,)
        return states.load, (states.dump(self), dict(self.provenance))

    def __copy__(self) -> Tokenizer:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Tokenizer:
        return self

    def extras(self) -> dict[str, Any]:
        """What is done before and after the engine, as `from_vocabulary` takes it; what there is not is not
        in it."""
        parts = {
            "normalizer": self.normalizer,
            "added_tokens": self.added_tokens or None,
            "template": self.template,
            "decoder": self.decoder,
            "chat_template": self.chat_template,
            "dropout": self.dropout,
        }
        return {name: part for name, part in parts.items() if part is not None}

    # ---- special tokens --------------------------------------------------------------------------

    @functools.cached_property
    def special_tokens_set(self) -> set[str]:
        """The texts of the special tokens, without added tokens that are no special ones."""
        return set(self.vocabulary.special_tokens) - self._always_found

    @property
    def eot_token(self) -> int:
        """The id of `<|endoftext|>`.

        Raises:
            TokenError: there is no such special token (a `KeyError`).
        """
        token = self.vocabulary.special_tokens.get("<|endoftext|>")
        if token is None:
            raise TokenError(f"{self.name!r} has no special token '<|endoftext|>'")
        return token

    def is_special_token(self, token: int) -> bool:
        """Whether an id is that of a special token."""
        if not isinstance(token, int):
            raise AssertionError(f"a token id must be an int, got {token!r}")
        return token in self._special_ids

    def _policy(
        self, text: str, allowed_special: AllowedSpecial, disallowed_special: DisallowedSpecial
    ) -> tuple[bytes | None, bool]:
        """What the two arguments ask of one text: (marks of the allowed specials, reject any special).

        Raises `DisallowedSpecialError` for a text that holds one of a particular set of disallowed ones.
        """
        if not isinstance(text, str):
            raise TypeError(f"expected a str to encode, got {type(text).__name__}")
        if isinstance(allowed_special, str):
            if allowed_special != "all":
                raise TypeError(f"allowed_special must be 'all' or a set of str, got {allowed_special!r}")
            allowed: AbstractSet[str] = self.special_tokens_set
        elif isinstance(allowed_special, AbstractSet):
            allowed = allowed_special
        else:
            raise TypeError(f"allowed_special must be 'all' or a set, got {type(allowed_special).__name__}")
        if isinstance(disallowed_special, str) and disallowed_special == "all":
            if not allowed:
                return self.always, True
            disallowed_special = self.special_tokens_set - allowed
        if disallowed_special:
            match = _any_of(frozenset(disallowed_special)).search(text)
            if match is not None:
                self._reject(match.group())
        if not allowed:
            return self.always, False
        if allowed is self.special_tokens_set:
            return self._all_special_marks, False
        found = allowed | self._always_found
        return bytes(special in found for special in self.vocabulary.special_tokens), False

    def _reject(self, token: str) -> NoReturn:
        raise DisallowedSpecialError(
            f"Encountered text corresponding to disallowed special token {token!r}.\n"
            "If you want this text to be encoded as a special token, "
            f"pass it to `allowed_special`, e.g. `allowed_special={{{token!r}, ...}}`.\n"
            "If you want this text to be encoded as normal text, disable the check for this token "
            f"by passing `disallowed_special=(enc.special_tokens_set - {{{token!r}}})`.\n"
            "To disable this check for all special tokens, pass `disallowed_special=()`.\n"
        )

    # ---- encoding --------------------------------------------------------------------------------

    def normalize(self, text: str, *, allowed_special: AllowedSpecial = "all") -> str:
        """The text as it is encoded: normalized, with the spaces that are put in. Spans of
        `encode_with_offsets` count in it. Added tokens are in it as they were found.

        Args:
            text: a str.
            allowed_special: special tokens that are not normalized, or "all" of them.
        """
        mask, _ = self._policy(text, allowed_special, ())
        parts = self._prepared(text, mask)
        return "".join("".join(part) if isinstance(part, list) else part for _, part in parts)

    @property
    def prepares(self) -> bool:
        """Whether a text is normalized, searched for added tokens with rules, or cut in steps."""
        return self._preparation is not None

    def _need_plain(self, what: str) -> None:
        """See that texts are merged as they are, which some methods rely on."""
        if self._preparation is not None:
            raise PreparationError(
                f"{what} is for tokenizers that take a text as it is, and {self.name!r} has a normalizer, "
                "added "
                "tokens with rules of their own, or steps that cut the text"
            )

    def _prepared(self, text: str, mask: bytes | None) -> list[Part]:
        """The parts of a text, as the preparation gives them; all of it where nothing is prepared."""
        if self._preparation is None:
            return [(-1, as_utf8(text).decode())]
        return self._preparation.parts(text, mask)

    def encode_with_template(
        self,
        text: str,
        pair: str | None = None,
        *,
        allowed_special: AllowedSpecial = "all",
        disallowed_special: DisallowedSpecial = (),
    ) -> list[int]:
        """The ids of a text, or of two, with what the template adds; as `tokenizers` encodes by default.

        Without a template the ids of the second text follow those of the first.

        >>> from bpetok import Template, Vocabulary
        >>> vocabulary = Vocabulary.from_ranks({b"a": 0, b"b": 1}, {"<s>": 2})
        >>> toy = Tokenizer.from_vocabulary("toy", "gpt2", vocabulary, template=Template((2, "A")))
        >>> toy.encode_with_template("ab"), toy.encode("ab")
        ([2, 0, 1], [0, 1])
        """
        options: dict[str, Any] = {
            "allowed_special": allowed_special,
            "disallowed_special": disallowed_special,
        }
        first = self.encode(text, **options)
        second = None if pair is None else self.encode(pair, **options)
        if self.template is None:
            return first + (second or [])
        return self.template.apply(first, second)

    def encode_to_numpy(
        self,
        text: str,
        *,
        allowed_special: AllowedSpecial = _NO_SPECIALS,
        disallowed_special: DisallowedSpecial = "all",
    ) -> npt.NDArray[np.uint32]:
        """As `encode`, into a uint32 array of shape (n,) without a list in between."""
        frombuffer, uint32 = _array_maker()
        return frombuffer(self._encode_buffer(text, allowed_special, disallowed_special), uint32)

    def encode_with_offsets(
        self,
        text: str,
        *,
        allowed_special: AllowedSpecial = _NO_SPECIALS,
        disallowed_special: DisallowedSpecial = "all",
    ) -> Encoded:
        """As `encode`, with the span of each token in bytes and in characters.

        Spans count in the text as it is encoded, which `normalize` gives: where it holds surrogates, after
        their repair; where a tokenizer normalizes, in the normalized text. Text
        that a custom pattern leaves out is in no span.

        >>> from bpetok import get_encoding
        >>> ids, byte_spans, char_spans = get_encoding("gpt2").encode_with_offsets("naïve")
        >>> ids.tolist(), byte_spans.tolist()
        ([2616, 38776], [[0, 2], [2, 6]])
        >>> char_spans.tolist()
        [[0, 2], [2, 5]]
        """
        import numpy as np

        ids = self.encode_to_numpy(
            text, allowed_special=allowed_special, disallowed_special=disallowed_special
        )
        data = as_utf8(text)
        if self._preparation is not None:
            mask, _ = self._policy(text, allowed_special, disallowed_special)
            data, located = self._locate_prepared(text, mask)
            spans = np.array(located, np.int64).reshape(-1, 2)
            starts, ends = spans[:, 0], spans[:, 1]
        elif self.pattern.scanner is None:
            mask, _ = self._policy(text, allowed_special, disallowed_special)
            spans = np.array(self._locate(data, mask), np.int64).reshape(-1, 2)
            starts, ends = spans[:, 0], spans[:, 1]
        else:
            sizes = [len(self.decode_single_token_bytes(token)) for token in ids.tolist()]
            ends = np.cumsum(sizes, dtype=np.int64)
            starts = ends - np.array(sizes, np.int64)
        # Characters that have begun before each byte: a character's number is one less at its own bytes.
        begun = np.cumsum((np.frombuffer(data, np.uint8) & 0xC0) != 0x80)
        return Encoded(
            ids,
            np.stack((starts, ends), axis=1),
            np.stack((begun[starts] - 1, begun[ends - 1]), axis=1)
            if len(ids)
            else np.empty((0, 2), np.int64),
        )

    def _locate_prepared(self, text: str, mask: bytes | None) -> tuple[bytes, list[tuple[int, int]]]:
        """A text as it is encoded, and the byte spans of its tokens."""
        whole: list[bytes] = []
        spans = []
        at = 0
        for token, part in self._prepared(text, mask):
            if token >= 0:
                assert isinstance(part, str)
                whole.append(part.encode())
                spans.append((at, at := at + len(whole[-1])))
                continue
            for piece in part if isinstance(part, list) else split(part, self.pattern):
                data = piece.encode()
                ids = self._encode_piece(data)
                sizes = [len(self.decode_single_token_bytes(each)) for each in ids]
                if sum(sizes) != len(data):
                    raise EncodeError(f"{piece[:40]!r} has unknown characters, whose spans are not known")
                spans += [(at, at := at + size) for size in sizes]
                whole.append(data)
        return b"".join(whole), spans

    def _locate(self, data: bytes, mask: bytes | None) -> list[tuple[int, int]]:
        """Byte spans of the tokens of a text that a custom pattern does not cover entirely."""
        spans = []
        start = 0
        while True:
            special = self._special_at(data, start, mask) if mask is not None else None
            segment = data[start : special[0] if special else len(data)].decode()
            for first, last in match_spans(self.pattern.source, segment):
                at = start + len(segment[:first].encode())
                for token in self._encode_piece(segment[first:last].encode()):
                    spans.append((at, at := at + len(self.decode_single_token_bytes(token))))
            if special is None:
                return spans
            spans.append(special[:2])
            start = special[1]

    def encode_single_token(self, text_or_bytes: str | bytes) -> int:
        """The id of a text or of bytes that are exactly one token, special ones included.

        Raises:
            TokenError: there is no such token (a `KeyError`).
        """
        if not isinstance(text_or_bytes, str | bytes):
            raise TypeError(f"a token is a str or bytes, got {type(text_or_bytes).__name__}")
        data = text_or_bytes.encode() if isinstance(text_or_bytes, str) else text_or_bytes
        token = self.vocabulary.tables.token_of(data)
        if token is None:
            token = self.vocabulary.special_tokens.get(data.decode(errors="replace"))
        if token is None:
            raise TokenError(data)
        return token

    def encode_with_unstable(
        self,
        text: str,
        *,
        allowed_special: AllowedSpecial = _NO_SPECIALS,
        disallowed_special: DisallowedSpecial = "all",
    ) -> tuple[list[int], list[list[int]]]:
        """Ids that no continuation of the text can change, and the ways the rest may be completed.

        Returns:
            The stable ids, which cover only the beginning of `text`, and a list of possible id
            sequences for what follows, in no particular order. Every one, after the stable ids,
            decodes to bytes that start with the text's.
        """
        from bpetok.completions import completions

        self._need_plain("encode_with_unstable")

        mask, reject = self._policy(text, allowed_special, disallowed_special)
        return completions(self, text, self._encode(text, mask, reject), mask)

    # ---- batches ---------------------------------------------------------------------------------

    def encode_ordinary_batch(self, text: list[str], *, num_threads: int = 8) -> list[list[int]]:
        """`encode_ordinary` of each text, on up to `num_threads` threads but no more than processors."""
        return self._run_batch(Batch(self, list(text)), num_threads, "lists", _NO_SPECIALS, ()).lists()

    def encode_batch(
        self,
        text: list[str],
        *,
        num_threads: int = 8,
        allowed_special: AllowedSpecial = _NO_SPECIALS,
        disallowed_special: DisallowedSpecial = "all",
    ) -> list[list[int]]:
        """`encode` of each text, on up to `num_threads` threads but no more than processors."""
        batch = Batch(self, list(text))
        return self._run_batch(batch, num_threads, "lists", allowed_special, disallowed_special).lists()

    def count_batch(
        self,
        texts: Iterable[str],
        *,
        num_threads: int | None = None,
        allowed_special: AllowedSpecial = _NO_SPECIALS,
        disallowed_special: DisallowedSpecial = "all",
    ) -> list[int]:
        """`count` of each text, on up to `num_threads` threads (None: one per processor)."""
        batch = Batch(self, list(texts))
        return self._run_batch(batch, num_threads, "counts", allowed_special, disallowed_special).counts()

    def encode_flat(
        self,
        texts: Iterable[str],
        *,
        num_threads: int | None = None,
        allowed_special: AllowedSpecial = _NO_SPECIALS,
        disallowed_special: DisallowedSpecial = "all",
    ) -> tuple[npt.NDArray[np.uint16 | np.uint32], npt.NDArray[np.int64]]:
        """Encode many texts into one array.

        Returns:
            ids: uint16 when `n_vocab` is at most 65,536, else uint32; shape (total,).
            offsets: int64, shape (n texts + 1,): the ids of text i are `ids[offsets[i]:offsets[i + 1]]`.

        Raises:
            DisallowedSpecialError, EncodeError: as `encode`.
        """
        import numpy as np

        batch = Batch(self, list(texts))
        self._run_batch(batch, num_threads, "flat", allowed_special, disallowed_special)
        narrow = functools.partial(np.empty, dtype=np.uint16) if self.n_vocab <= 1 << 16 else None
        ids, offsets = batch.flat(narrow, functools.partial(np.empty, dtype=np.int64))
        return (np.frombuffer(ids, np.uint32) if narrow is None else ids), offsets

    def encode_arrow(
        self,
        column: ArrowColumn,
        *,
        num_threads: int | None = None,
        allowed_special: AllowedSpecial = _NO_SPECIALS,
        disallowed_special: DisallowedSpecial = "all",
        errors: Literal["strict", "replace"] = "strict",
    ) -> ArrowIds:
        """Encode an Arrow column of texts into one of lists of ids, without an object for each row.

        Takes what shows its data by the Arrow PyCapsule interface, such as columns of pyarrow and Polars:
        whole, in chunks or slices. Rows that are null stay null. Dictionaries, tables and columns of other
        types are refused.

        Args:
            column: of type string, large_string, string_view, binary, large_binary, binary_view or null.
            num_threads: how many threads encode; None for as many as there are processors.
            allowed_special: as in `encode`.
            disallowed_special: as in `encode`.
            errors: "strict", or "replace" to read bytes that are not UTF-8 as U+FFFD.

        Returns:
            What `pyarrow.array`, `pyarrow.chunked_array`, `polars.Series` and others take without a copy: a
            column of type list of uint32, or large_list where the texts are not of type string or binary.

        Raises:
            ArrowError: `column` is no column of texts, a row is not UTF-8, or a column of lists cannot have
                so many ids.
            DisallowedSpecialError, EncodeError: as `encode`.

        >>> from bpetok import get_encoding
        >>> import pyarrow
        >>> column = pyarrow.array(["hello world", None, ""])
        >>> pyarrow.array(get_encoding("gpt2").encode_arrow(column)).to_pylist()
        [[31373, 995], None, []]
        """
        from bpetok._arrow import ColumnBatch

        batch = ColumnBatch(self, column, errors)
        return self._run_batch(batch, num_threads, "flat", allowed_special, disallowed_special).arrow()

    def mapper(
        self,
        column: str = "text",
        *,
        output: str = "input_ids",
        length: str | None = None,
        allowed_special: AllowedSpecial = _NO_SPECIALS,
        disallowed_special: DisallowedSpecial = "all",
        num_threads: int | None = 1,
    ) -> Mapper:
        """A function that encodes a column of batches, for `datasets.Dataset.map` and the like.

        It can be pickled, and runs in processes that are forked or spawned. Equal ones have equal pickles, so
        that `datasets` finds again what was computed before. In the format "arrow" columns are encoded as by
        `encode_arrow`.

        Args:
            column: the column of texts.
            output: the column for ids.
            length: the column for how many these are; None for none.
            allowed_special: as in `encode`.
            disallowed_special: as in `encode`.
            num_threads: how many threads a process takes for a batch; None for as many as there are
                processors.

        >>> from bpetok import get_encoding
        >>> mapper = get_encoding("gpt2").mapper(length="length")
        >>> batch = mapper({"text": ["hello world", "hello"]})
        >>> [ids.tolist() for ids in batch["input_ids"]], batch["length"]
        ([[31373, 995], [31373]], [2, 1])
        """
        from bpetok.mapper import Mapper

        _check_threads(num_threads)
        return Mapper(self, column, output, length, allowed_special, disallowed_special, num_threads)

    def encode_to(
        self,
        sources: Sources,
        out: str | os.PathLike[str],
        *,
        format: str = "bin",
        field: str = "text",
        separator: str | None = "auto",
        separator_at: Literal["before", "after"] = "after",
        sequence_length: int | None = None,
        drop_tail: bool = False,
        shard_tokens: int | None = 100_000_000,
        validation: float = 0.0,
        seed: int = 0,
        allowed_special: AllowedSpecial = _NO_SPECIALS,
        disallowed_special: DisallowedSpecial = "all",
        errors: Literal["strict", "replace"] = "strict",
        num_threads: int | None = None,
        progress: ProgressCallback | None = None,
        overwrite: bool = False,
    ) -> Manifest:
        """Encode a corpus into a folder of shards for training, with a manifest.

        Texts are streamed: memory is bounded whatever the size of the corpus, but for single texts from JSON
        lines, Parquet or compressed files. Files depend on tokenizer, texts and settings alone, not on the
        number of threads. A run that was ended in any way, also by a signal or a full disk, goes on when the
        same call is made again, and ends in the same bytes; when all is done already, nothing is written. An
        iterable must then give the same texts again; it is refused where all is done, since what it holds
        cannot be compared.

        Args:
            sources: the corpus, as for `bpetok.train`.
            out: the folder; it is made if it is missing.
            format: "bin" (bare little-endian integers), "llmc" (those behind llm.c's header), "npy",
                "megatron" (.bin and .idx of Megatron-LM), "parquet" or "arrow" (a column `input_ids` of
                lists). Ids have 16 bits where the vocabulary allows, else 32.
            field: the field (JSON lines, rows) or column (Parquet) that holds the text.
            separator: special token that stands at each document, by its text; None for none; "auto" for the
                one that ends texts, such as `<|endoftext|>`, if the vocabulary has it.
            separator_at: whether it stands "before" or "after" each document.
            sequence_length: put all documents one behind another and cut them into sequences of this length.
            drop_tail: with that, leave out what is behind the last whole sequence of a split.
            shard_tokens: ids in a shard; None to put all in one. Where rows are documents, the document that
                fills a shard is its last.
            validation: share of the documents that go to files named "val-..." instead of "train-...", drawn
                by a hash of the text.
            seed: which documents these are.
            allowed_special: as in `encode`.
            disallowed_special: as in `encode`.
            errors: "strict", or "replace" to read bytes that are not UTF-8 as U+FFFD.
            num_threads: how many threads encode; None for as many as there are processors.
            progress: called now and then from the calling thread.
            overwrite: begin anew, whatever shards the folder holds.

        Raises:
            ShardError: settings contradict each other, or the folder holds shards of another run.
            ShardWriteError: the disk is full, say (an `OSError`); finished shards are kept.
            TokenError: `separator` is not a special token.
            CorpusError: a source cannot be read, or is not UTF-8; finished shards are kept.
            DisallowedSpecialError, EncodeError: as `encode`, with the source; finished shards are kept.
            MissingExtraError: pyarrow is needed and not installed.

        >>> from bpetok import get_encoding
        >>> import numpy, tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     manifest = get_encoding("gpt2").encode_to(["hello world", "hello"], folder)
        ...     numpy.fromfile(f"{folder}/{manifest.shards[0].files[0].name}", manifest.dtype).tolist()
        [31373, 995, 50256, 31373, 50256]
        """
        from bpetok.shards.settings import Settings, separator_id
        from bpetok.shards.writer import write

        settings = Settings(
            format=format,
            separator=separator_id(self, separator),
            separator_at=separator_at,
            sequence_length=sequence_length,
            drop_tail=drop_tail,
            shard_tokens=shard_tokens,
            validation=validation,
            seed=seed,
        )
        return write(
            self,
            sources,
            out,
            settings,
            field=field,
            special={"allowed_special": allowed_special, "disallowed_special": disallowed_special},
            errors=errors,
            num_threads=num_threads,
            progress=progress,
            overwrite=overwrite,
        )

    def _run_batch(
        self,
        batch: AnyBatch,
        num_threads: int | None,
        form: Literal["lists", "flat", "counts"],
        allowed_special: AllowedSpecial,
        disallowed_special: DisallowedSpecial,
    ) -> AnyBatch:
        _check_threads(num_threads)
        mask, reject = self._policy("", allowed_special, disallowed_special)
        if not reject and disallowed_special:
            # Which texts are disallowed depends on the text where the caller named them: then each is
            # searched here, otherwise natively.
            for text in batch:
                self._policy(text, allowed_special, disallowed_special)
        available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
        wanted = max(1, min(num_threads or available, available, batch.n_chunks))
        if batch.length < _THREAD_WORTH or self.pattern.scanner is None:
            wanted = 1
        failures: list[BaseException] = []

        def work(which: int) -> None:
            try:
                batch.run(which)
            except BaseException as error:
                failures.append(error)

        threads = [threading.Thread(target=work, args=(which,), daemon=True) for which in range(1, wanted)]
        try:
            batch.begin(mask, reject, form, wanted)
            for thread in threads:
                thread.start()
            work(0)
        finally:
            for thread in threads:
                if thread.ident is not None:
                    thread.join()
            batch.end()
        if failures:
            raise failures[0]
        return batch

    # ---- decoding --------------------------------------------------------------------------------

    def _decode(self, tokens: Iterable[SupportsIndex], errors: str) -> str:
        """The text of ids by the policy of the decoder; with `errors` other than "replace", bytes that are
        no UTF-8 are treated by it before."""
        assert self.decoder is not None
        ids = [index(token) for token in tokens]
        if errors != "replace":
            self.decode_bytes(ids).decode(errors=errors)
        return self.decoder.decode([self._token(token) for token in ids])

    def _token(self, token: int) -> Token:
        """What a decoder sees of an id."""
        from bpetok.decoding import Token

        data = self.decode_single_token_bytes(token)
        if token == self.vocabulary.unknown:
            return Token(data.decode(errors="replace"), kind="unknown")
        if self.vocabulary.byte_tokens is not None and token in self.vocabulary.byte_tokens:
            return Token(f"<0x{data[0]:02X}>", byte=data[0])
        if token in self._special_ids:
            return Token(data.decode(errors="replace"), kind="control")
        return Token(data.decode(errors="replace"))

    def decode_tokens_bytes(self, tokens: Sequence[int]) -> list[bytes]:
        """The bytes of each id."""
        return [self.decode_single_token_bytes(token) for token in tokens]

    def decode_with_offsets(self, tokens: Sequence[int]) -> tuple[str, list[int]]:
        """The text of ids, and for each the index of the first character that holds a byte of it.

        Raises:
            UnicodeDecodeError: the bytes are not valid UTF-8.
        """
        pieces = self.decode_tokens_bytes(tokens)
        offsets, n_chars = [], 0
        for piece in pieces:
            offsets.append(max(0, n_chars - (0x80 <= piece[0] < 0xC0)))
            n_chars += sum(not 0x80 <= byte < 0xC0 for byte in piece)
        return b"".join(pieces).decode("utf-8", errors="strict"), offsets

    def decode_batch(
        self, batch: Sequence[Sequence[int]], *, errors: str = "replace", num_threads: int = 8
    ) -> list[str]:
        """`decode` of each sequence. `num_threads` is accepted for tiktoken's sake: one is faster."""
        _check_threads(num_threads)
        return [self.decode(tokens, errors) for tokens in batch]

    def decode_bytes_batch(self, batch: Sequence[Sequence[int]], *, num_threads: int = 8) -> list[bytes]:
        """`decode_bytes` of each sequence. `num_threads` is accepted for tiktoken's sake."""
        _check_threads(num_threads)
        return [self.decode_bytes(tokens) for tokens in batch]

    # ---- streams, explanations, files ------------------------------------------------------------

    def stream_encoder(self, *, allowed_special: AllowedSpecial = frozenset()) -> StreamEncoder:
        """An encoder that takes a text bit by bit and gives the ids that nothing to come can change."""
        from bpetok.streaming import StreamEncoder

        mask, _ = self._policy("", allowed_special, ())
        return StreamEncoder(self, mask)

    def stream_decoder(self, errors: str = "replace") -> StreamDecoder:
        """A decoder that takes ids bit by bit and gives text without ever a broken character."""
        from bpetok.streaming import StreamDecoder

        return StreamDecoder(self, errors)

    def explain(self, text: str) -> list[Explanation]:
        """How each piece of a text becomes ids: the merges step by step, with ranks and counts."""
        from bpetok.explain import explain

        self._need_plain("explain")
        return explain(self, text)

    def view(self, text: str) -> View:
        """A text as its tokens, for notebooks, which show it in color, and for `print`.

        Special tokens in the text are special.

        >>> from bpetok import get_encoding
        >>> print(get_encoding("gpt2").view("naïve words"))
        na│ïve│·words
        """
        from bpetok.page.notebook import View

        return View(self, text, tuple(self.encode(text, allowed_special="all")))

    def _repr_html_(self) -> str:
        from bpetok.page.notebook import tokenizer_html

        return tokenizer_html(self)

    def save(self, path: str | os.PathLike[str], format: str | None = None) -> None:
        """Write the tokenizer to a file, whole or not at all.

        Args:
            path: where to; an existing file is replaced once the new one is complete.
            format: "native" (the default), "tiktoken", "huggingface", "transformers" (a folder),
                "sentencepiece", "tekken", "gguf", "gpt2" (a folder of vocab.json and merges.txt) or "minbpe".

        Raises:
            FormatError: the format cannot hold this tokenizer exactly, or is not known.
        """
        from bpetok.formats import save

        save(self, path, format)

    @classmethod
    def load(
        cls,
        path: str | os.PathLike[str],
        *,
        pattern: str | None = None,
        special_tokens: Mapping[str, int] | None = None,
        name: str | None = None,
        add_bos: bool = False,
        add_eos: bool = False,
    ) -> Tokenizer:
        """Read a tokenizer from a file; the format is recognised by its content.

        Args:
            path: the file.
            pattern: the split pattern, for a file that holds none: of ranks alone, or GPT-2's vocab.json.
            special_tokens: text to id, for the same reason.
            name: how to call the tokenizer, for the same reason, or for a SentencePiece model or GGUF file.
            add_bos, add_eos: for a SentencePiece model, which does not say: whether the template puts the
                token for the beginning before a text, and that for the end behind it.

        Raises:
            FormatError: the file is damaged, or of a format or with parts that cannot be reproduced
                exactly.
            OSError: the file does not exist or cannot be read.
        """
        from bpetok.formats import load

        return load(
            path,
            pattern=pattern,
            special_tokens=special_tokens,
            name=name,
            add_bos=add_bos,
            add_eos=add_eos,
        )

    # ---- objects of other libraries ---------------------------------------------------------------

    @classmethod
    def from_tiktoken(cls, encoding: Any) -> Tokenizer:
        """The tokenizer of a `tiktoken.Encoding`: its name, pattern, ranks and special tokens.

        A pattern that is not natively served is run by the `regex` package, with its character classes.

        Raises:
            FormatError: the pattern does not compile, or the ranks are none that bpetok can hold.
            TypeError: it is no such object.
        """
        from bpetok.formats.tiktoken import from_encoding

        return from_encoding(encoding)

    def to_tiktoken(self) -> Any:
        """A `tiktoken.Encoding` that gives the same ids. A template and a chat template are left out.

        Raises:
            FormatError: tiktoken cannot give the same ids on every text: there are a normalizer or several
                steps, merges without equivalent ranks, or a pattern that its engine may read differently.
            MissingExtraError: tiktoken is not installed.
        """
        from bpetok.formats.tiktoken import to_encoding

        return to_encoding(self)

    @classmethod
    def from_rustbpe(
        cls, trained: Any, *, special_tokens: Mapping[str, int] | None = None, name: str = "rustbpe"
    ) -> Tokenizer:
        """The tokenizer of a `rustbpe.Tokenizer`, which nanochat trains: its pattern and ranks.

        Args:
            trained: the object.
            special_tokens: text to id; rustbpe has none, and nanochat puts its own behind the ranks.
            name: how to call the tokenizer.

        Raises:
            FormatError: two ids have the same bytes, or a special token has the id of another token.
            TypeError: it is no such object.
        """
        from bpetok.formats.tiktoken import from_rustbpe

        return from_rustbpe(trained, special_tokens, name)

    def to_transformers(self, **config: Any) -> Any:
        """A fast tokenizer of `transformers` with the same ids.

        Args:
            config: more for its constructor, such as `pad_token` or `model_max_length`.

        Raises:
            FormatError: `tokenizer.json` cannot hold the tokenizer exactly.
            MissingExtraError: `transformers` is not installed.
        """
        from bpetok.formats.huggingface import to_transformers

        return to_transformers(self, config)

    # ---- a tokenizer from this one ----------------------------------------------------------------

    def extend(
        self,
        sources: Sources | CountTable,
        n: int,
        *,
        min_frequency: int = 2,
        max_token_length: int | None = None,
        progress: ProgressCallback | None = None,
        name: str | None = None,
        **options: Unpack[CountOptions],
    ) -> Edited:
        """A tokenizer with up to `n` more tokens, learned from a corpus on top of those there are.

        The corpus is encoded with this tokenizer, and learning goes on from there: the most frequent pair
        of neighbouring tokens is merged, equals in the order of their bytes. No id changes. New tokens get
        ids from `n_vocab` on, behind the special ones. In either semantics, a text is encoded as before and
        then merged on.

        Args:
            sources: the corpus, as for `bpetok.train`, or its counts.
            n: how many tokens to add. Where the corpus yields fewer, fewer are added.
            min_frequency: the least number of times a pair must occur to be merged.
            max_token_length: the most bytes a new token may have; None for any number.
            progress: called now and then from the calling thread.
            name: what to call the new tokenizer.
            options: what counting may take, as for `bpetok.train`.

        Returns:
            `(tokenizer, id_map)`; here the map is the identity.

        Raises:
            VocabularyError: a byte has no token.
            TrainingError: a number is out of range.
            CorpusError: the corpus cannot be read or holds no text, or its counts were made with another
                pattern.

        >>> from bpetok import get_encoding
        >>> edited = get_encoding("gpt2").extend(["tokenizer tokenizers"] * 2, 5)
        >>> [edited.tokenizer.decode_single_token_bytes(token) for token in (50257, 50258)]
        [b' tokenizers', b'tokenizer']
        """
        from bpetok.editing import extend

        return extend(self, sources, n, (min_frequency, max_token_length), progress, name, options)

    def prune(
        self,
        sources: Sources | CountTable | None = None,
        *,
        ids: Iterable[int] | None = None,
        vocab_size: int | None = None,
        progress: ProgressCallback | None = None,
        name: str | None = None,
        **options: Unpack[CountOptions],
    ) -> Edited:
        """A tokenizer without some tokens. Single bytes and special tokens stay, so any text that this one
        encodes is encoded.

        With `ids`, these go, and with them every token that no merge makes any more. With a corpus, a token
        that another is made of stays: again and again, of those no other is made of, the one that is used
        least in the encoded corpus goes, and its uses become those of the two it was merged from.

        The ids left are closed up in their order. Texts are encoded as the new vocabulary says, under the
        semantics of the old one.

        Args:
            sources: the corpus, as for `bpetok.train`, or its counts.
            ids: the tokens to remove, in place of a corpus.
            vocab_size: how many ids to leave, single bytes and special tokens included; None to remove only
                what the corpus never uses.
            progress: called now and then from the calling thread.
            name: what to call the new tokenizer.
            options: what counting may take, as for `bpetok.train`.

        Returns:
            `(tokenizer, id_map)`; the map has -1 for an id that is gone.

        Raises:
            VocabularyError: an id is no token, a single byte or a special token, or `vocab_size` cannot be
                reached.
            CorpusError: the corpus cannot be read or holds no text, or its counts were made with another
                pattern.

        >>> from bpetok import get_encoding
        >>> tokenizer, id_map = get_encoding("gpt2").prune(["the cat"])
        >>> tokenizer.n_vocab, tokenizer.encode("the cat"), id_map[[1169, 3797, 50256]].tolist()
        (262, [259, 260], [259, 260, 261])
        """
        from bpetok.editing import prune

        return prune(self, sources, ids, vocab_size, progress, name, options)

    # ---- the rest of tiktoken's surface ----------------------------------------------------------

    @property
    def n_vocab(self) -> int:
        """The largest id plus one."""
        return self.max_token_value + 1

    def token_byte_values(self) -> list[bytes]:
        """The bytes of all tokens but the special ones, sorted."""
        return sorted(self.vocabulary.tokens().values())

    @property
    def _pat_str(self) -> str:
        return self.pattern.source

    @functools.cached_property
    def _mergeable_ranks(self) -> dict[bytes, int]:
        return self.vocabulary.ranks()

    @property
    def _special_tokens(self) -> dict[str, int]:
        return dict(self.vocabulary.special_tokens)

    def _encode_single_piece(self, text_or_bytes: str | bytes) -> list[int]:
        """Ids of a text or of bytes taken as one piece."""
        data = text_or_bytes.encode() if isinstance(text_or_bytes, str) else text_or_bytes
        return self._encode_piece(data)

    def _encode_only_native_bpe(self, text: str) -> list[int]:
        """`encode_ordinary` with the pieces of the `regex` package."""
        return [
            token
            for start, end in match_spans(self.pattern.source, text)
            for token in self._encode_piece(text[start:end].encode())
        ]

    def _encode_bytes(self, text: bytes) -> list[int]:
        from bpetok.completions import encode_truncated

        self._need_plain("_encode_bytes")
        if not isinstance(text, bytes):
            raise TypeError(f"expected bytes to encode, got {type(text).__name__}")
        return encode_truncated(self, text)


Encoding = Tokenizer


def _check_threads(num_threads: int | None) -> None:
    if num_threads is not None and num_threads < 1:
        raise ValueError(f"num_threads must be at least 1, got {num_threads}")


@functools.cache
def _array_maker() -> tuple[Callable[..., npt.NDArray[np.uint32]], np.dtype[np.uint32]]:
    """`numpy.frombuffer` and the type to call it with; numpy is imported when it is first wanted."""
    import numpy as np

    return np.frombuffer, np.dtype(np.uint32)


@functools.lru_cache(maxsize=128)
def _any_of(texts: frozenset[str]) -> re.Pattern[str]:
    import re

    # The longest first, so that of two that start alike the longer is reported.
    longest_first = sorted(texts, key=lambda text: (-len(text), text))
    return re.compile("|".join(map(re.escape, longest_first)))
