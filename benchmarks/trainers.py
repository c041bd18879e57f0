"""The libraries that train, behind one method; each is imported when an object is made.

All get the same file and the split pattern of GPT-2, the one that most of them have. A library that takes
texts gets them from `blocks`, which reads the file as it goes, so that no process holds the corpus only
because of us. What a library cannot be told (its ties, its way to split) stays as it is, and shows in how
many tokens it has in common with bpetok.
"""

import io
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, ClassVar

from bpetok_bench import engines, vocabularies
from bpetok_bench.process import memory

PATTERN = "gpt2"
MIN_FREQUENCY = 2
BLOCK = 1 << 20
LETTERS = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
SPACES = frozenset(b" \t\n\v\f\r\x1c\x1d\x1e\x1f")


class Trainer:
    """A library that trains.

    Attributes:
        library: as it is imported.
        tie_break: the rule of bpetok's that is its own, or the nearest.
    """

    library: ClassVar[str]
    tie_break: ClassVar[str] = "bytes"

    def __init__(self, threads: int) -> None:
        self.threads = threads

    def train(self, path: Path, vocab_size: int) -> Any:
        """What is measured."""
        raise NotImplementedError

    def tokens(self, trained: Any) -> list[bytes]:
        """What was learned, in order."""
        raise NotImplementedError


class Bpetok(Trainer):
    library = "bpetok"

    def __init__(self, threads: int) -> None:
        import bpetok

        super().__init__(threads)
        self.learn = bpetok.train  # which is imported with all it needs, as other libraries are

    def train(self, path: Path, vocab_size: int) -> Any:
        return self.learn(
            path,
            vocab_size=vocab_size,
            pattern=PATTERN,
            tie_break=self.tie_break,
            min_frequency=MIN_FREQUENCY,
            num_threads=self.threads,
        )

    def tokens(self, trained: Any) -> list[bytes]:
        return [token for _, token in sorted(trained.vocabulary.tokens().items())]


class BpetokHuggingFace(Bpetok):
    """The same, with the ties of `tokenizers`."""

    tie_break = "huggingface"


class Tokenizers(Trainer):
    library = "tokenizers"
    tie_break = "huggingface"

    def __init__(self, threads: int) -> None:
        import tokenizers

        super().__init__(threads)
        self.tokenizers = tokenizers

    def train(self, path: Path, vocab_size: int) -> Any:
        trained = self.tokenizers.Tokenizer(self.tokenizers.models.BPE())
        byte_level = self.tokenizers.pre_tokenizers.ByteLevel
        trained.pre_tokenizer = byte_level(add_prefix_space=False)
        trainer = self.tokenizers.trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=MIN_FREQUENCY,
            initial_alphabet=byte_level.alphabet(),
            show_progress=False,
        )
        trained.train_from_iterator(blocks(path), trainer)
        return trained

    def tokens(self, trained: Any) -> list[bytes]:
        return unspelled(trained.get_vocab())


class Gigabpe(Trainer):
    library = "gigabpe"
    tie_break = "huggingface"

    def __init__(self, threads: int) -> None:
        import gigabpe

        super().__init__(threads)
        self.learn = gigabpe.train_bpe

    def train(self, path: Path, vocab_size: int) -> Any:
        return self.learn(
            [str(path)],
            vocab_size,
            min_frequency=MIN_FREQUENCY,
            pretokenizer="bytelevel",
            threads=self.threads,
        )

    def tokens(self, trained: Any) -> list[bytes]:
        return unspelled(trained[0])


class Gigatoken(Trainer):
    library = "gigatoken"
    tie_break = "huggingface"

    def __init__(self, threads: int) -> None:
        import gigatoken

        super().__init__(threads)
        self.learn = gigatoken.train_bpe

    def train(self, path: Path, vocab_size: int) -> Any:
        return self.learn(path, vocab_size, [])

    def tokens(self, trained: Any) -> list[bytes]:
        return [token for _, token in sorted(trained[0].items())]


class Rustbpe(Trainer):
    library = "rustbpe"

    def __init__(self, threads: int) -> None:
        import rustbpe

        super().__init__(threads)
        self.rustbpe = rustbpe

    def train(self, path: Path, vocab_size: int) -> Any:
        trained = self.rustbpe.Tokenizer()
        trained.train_from_iterator(blocks(path), vocab_size, pattern=pattern())
        return trained

    def tokens(self, trained: Any) -> list[bytes]:
        ranks = sorted(trained.get_mergeable_ranks(), key=lambda item: item[1])
        return [bytes(token) for token, _ in ranks]


class Ffbpe(Trainer):
    library = "ffbpe"

    def __init__(self, threads: int) -> None:
        import ffbpe

        super().__init__(threads)
        self.ffbpe = ffbpe

    def train(self, path: Path, vocab_size: int) -> Any:
        counter = self.ffbpe.PreTokenizer([], pat_str=pattern()).word_counter()
        counter.add_source(blocks(path))
        trainer = self.ffbpe.BpeTrainer([], unit="byte")
        trainer.add_word_counter(counter)
        trainer.train(vocab_size)
        return trainer.validate_model()

    def tokens(self, trained: Any) -> list[bytes]:
        return sorted(trained.vocab, key=trained.vocab.__getitem__)


class Bpeasy(Trainer):
    library = "bpeasy"

    def __init__(self, threads: int) -> None:
        import bpeasy

        super().__init__(threads)
        self.bpeasy = bpeasy

    def train(self, path: Path, vocab_size: int) -> Any:
        # The second number is the most bytes of a token: none is as long.
        return self.bpeasy.train_bpe(blocks(path), pattern(), 1 << 20, vocab_size, 64)

    def tokens(self, trained: Any) -> list[bytes]:
        return sorted(map(bytes, trained), key=trained.__getitem__)


class Sentencepiece(Trainer):
    """Its BPE merges characters, not bytes, within words."""

    library = "sentencepiece"

    def __init__(self, threads: int) -> None:
        import sentencepiece

        super().__init__(threads)
        self.sentencepiece = sentencepiece

    def train(self, path: Path, vocab_size: int) -> Any:
        model = io.BytesIO()
        self.sentencepiece.SentencePieceTrainer.train(
            input=str(path),
            model_writer=model,
            model_type="bpe",
            vocab_size=vocab_size,
            byte_fallback=True,
            hard_vocab_limit=False,
            normalization_rule_name="identity",
            max_sentence_length=1 << 20,
            num_threads=self.threads,
            minloglevel=2,
        )
        return model.getvalue()

    def tokens(self, trained: Any) -> list[bytes]:
        read = self.sentencepiece.SentencePieceProcessor(model_proto=trained)
        pieces = (read.id_to_piece(i) for i in range(read.vocab_size()) if not read.is_byte(i))
        return [piece.replace("\u2581", " ").encode() for piece in pieces]


TRAINERS: dict[str, type[Trainer]] = {
    "bpetok": Bpetok,
    "bpetok-hf": BpetokHuggingFace,
    "tokenizers": Tokenizers,
    "rustbpe": Rustbpe,
    "gigabpe": Gigabpe,
    "gigatoken": Gigatoken,
    "ffbpe": Ffbpe,
    "bpeasy": Bpeasy,
    "sentencepiece": Sentencepiece,
}


# ---- in the process of a library -------------------------------------------------------------------


def learn(name: str, path: Path, vocab_size: int, threads: int) -> dict[str, Any]:
    """Train once against the clock; the tokens of more than one byte come along."""
    trainer = engines.find(name, TRAINERS)(threads)
    trained, figures = watched(lambda: trainer.train(path, vocab_size))
    return {**figures, "tokens": [token for token in trainer.tokens(trained) if len(token) > 1]}


def count(path: Path, threads: int, budget: int | None) -> dict[str, Any]:
    """Count the pieces only."""
    from bpetok import count

    more: dict[str, Any] = {} if budget is None else {"memory": budget}
    counts, figures = watched(lambda: count(path, pattern=PATTERN, num_threads=threads, **more))
    return {**figures, "pieces": len(counts)}


def watched(function: Callable[[], Any]) -> tuple[Any, dict[str, Any]]:
    """What a function returns, and its seconds, processor seconds and peak of memory beyond what was held."""
    before = memory("VmRSS")
    try:
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # lets the peak begin at what is in use now
    except OSError:
        before = 0
    cpu_start, start = process_time(), perf_counter()
    result = function()
    figures: dict[str, Any] = {"seconds": perf_counter() - start, "cpu_seconds": process_time() - cpu_start}
    peak = memory("VmHWM")
    return result, {**figures, "peak_bytes": peak - before if peak else None}


def blocks(path: Path) -> Iterator[str]:
    """The text of a file in parts of about a mebibyte.

    They end where cutting changes no piece of the pattern: at a newline between no space and a letter.
    """
    with open(path, "rb") as file:
        rest = b""
        while data := file.read(BLOCK):
            rest += data
            at = rest.rfind(b"\n", 1, len(rest) - 1)
            while at > 0 and (rest[at - 1] in SPACES or rest[at - 1] > 127 or rest[at + 1] not in LETTERS):
                at = rest.rfind(b"\n", 1, at)
            if at > 0:
                yield rest[: at + 1].decode()
                rest = rest[at + 1 :]
        if rest:
            yield rest.decode()


def pattern() -> str:
    import bpetok

    return vocabularies.plain(bpetok.patterns.resolve(PATTERN).source)


def unspelled(vocabulary: dict[str, int]) -> list[bytes]:
    """Tokens in the spelling of `tokenizers` as bytes, by their ids."""
    return [
        bytes(map(vocabularies.BYTE_OF.__getitem__, token))
        for token in sorted(vocabulary, key=vocabulary.__getitem__)
        if all(char in vocabularies.BYTE_OF for char in token)
    ]
