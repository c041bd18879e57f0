"""What shards hold and how they are cut: what their bytes depend on besides tokenizer and texts."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from bpetok.errors import ShardError, TokenError
from bpetok.shards.formats import FORMATS

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

# What the vocabularies in use call the end of a text, the most telling first.
END_OF_TEXT = ("<|endoftext|>", "<|end_of_text|>", "<｜end▁of▁sentence｜>", "</s>", "<eos>")


@dataclass(frozen=True, slots=True)
class Settings:
    """How ids become shards.

    Attributes:
        format: "bin" (bare little-endian integers, as nanoGPT reads them), "llmc" (the same behind the header
            of llm.c and modded-nanogpt), "npy", "megatron" (.bin and .idx), "parquet" or "arrow" (a column
            of lists).
        separator: id of the special token at each document, or None.
        separator_at: whether it stands "before" or "after" the document.
        sequence_length: if given, documents are put one behind another and cut into sequences of this many
            ids; else megatron, parquet and arrow hold a document a row, and the others one long row.
        drop_tail: leave out the ids behind the last whole sequence of a split.
        shard_tokens: ids in a shard; None for one shard. A shard of sequences holds as many as fit. One of
            documents ends with the document that fills it. Any other has exactly this many.
        validation: share of documents that go to the split "val", others to "train"; drawn from a hash of
            the seed and the text, so that equal texts always go together.
        seed: from 0 to 2**64 - 1.
    """

    format: str = "bin"
    separator: int | None = None
    separator_at: Literal["before", "after"] = "after"
    sequence_length: int | None = None
    drop_tail: bool = False
    shard_tokens: int | None = 100_000_000
    validation: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        if self.format not in FORMATS:
            raise ShardError(f"format is {self.format!r}: choose one of {', '.join(FORMATS)}")
        if self.separator_at not in ("before", "after"):
            raise ShardError(f"separator_at is {self.separator_at!r}: choose 'before' or 'after'")
        for name in ("sequence_length", "shard_tokens"):
            value = getattr(self, name)
            if value is not None and not (type(value) is int and 1 <= value < 2**31):
                raise ShardError(
                    f"{name} is {value!r}: it must be a whole number from 1 to 2**31 - 1, or None"
                )
        if self.sequence_length is None and self.drop_tail:
            raise ShardError("drop_tail needs a sequence_length: there is no tail without sequences")
        if self.sequence_length and self.shard_tokens and self.sequence_length > self.shard_tokens:
            raise ShardError(
                f"a sequence of {self.sequence_length} ids does not fit a shard of {self.shard_tokens}: "
                "raise shard_tokens"
            )
        if self.format == "npy" and self.sequence_length and not self.drop_tail:
            raise ShardError(
                "an array of sequences holds whole ones only: set drop_tail, or choose another format"
            )
        if not (isinstance(self.validation, int | float) and 0 <= self.validation < 1):
            raise ShardError(f"validation is {self.validation!r}: it must be a share from 0 to less than 1")
        if not (type(self.seed) is int and 0 <= self.seed < 2**64):
            raise ShardError(f"seed is {self.seed!r}: it must be a whole number from 0 to 2**64 - 1")

    @property
    def capacity(self) -> int | None:
        """The most ids of a shard that is cut anywhere, or between sequences."""
        if self.shard_tokens is None or self.sequence_length is None:
            return self.shard_tokens
        return self.shard_tokens // self.sequence_length * self.sequence_length

    @property
    def splits(self) -> tuple[str, ...]:
        """The names of the splits."""
        return ("train", "val") if self.validation else ("train",)

    def plain(self) -> dict[str, Any]:
        """As plain data."""
        return asdict(self)


def separator_id(tokenizer: "Tokenizer", separator: str | None) -> int | None:
    """The id of a special token by its text; of "auto", that of the end of a text, if there is one.

    Raises:
        TokenError: there is no such special token.

    >>> from bpetok import get_encoding
    >>> separator_id(get_encoding("gpt2"), "auto"), separator_id(get_encoding("gpt2"), None)
    (50256, None)
    """
    specials = tokenizer.vocabulary.special_tokens
    if separator is None:
        return None
    if separator in specials:
        return specials[separator]
    if separator == "auto":
        return next((specials[text] for text in END_OF_TEXT if text in specials), None)
    known = ", ".join(map(repr, sorted(specials))) or "none"
    raise TokenError(
        f"the separator {separator!r} is no special token of {tokenizer.name} (which has: {known})"
    )
