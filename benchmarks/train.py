"""Training speed and memory: bpetok with one thread and with two, and `tokenizers` if it is installed.

    python benchmarks/train.py [--json FILE] [--megabytes 60] [--vocab-size 32768] [--engines bpetok] ...

Each run has a fresh process, bound to as many processors as it has threads; the runs take turns. The corpus,
an equal part of each kind of text, is in memory as a list of str before the clock starts: counting and
learning are measured, reading is not. Memory is what the process holds at its peak beyond what it held then.

All runs with the same tie-break must learn the same merges, whatever the library and the number of threads.
If they do not, the run ends with exit code 1 and no figures.
"""

import argparse
import contextlib
import hashlib
import json
import os
import statistics
import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

from bpetok_bench import corpus, engines, report, vocabularies
from bpetok_bench.process import Worker, memory, processors

Pairs = list[tuple[bytes, bytes]]


class Run(NamedTuple):
    """One way to train."""

    engine: str
    threads: int
    tie_break: Literal["bytes", "huggingface"]


class DifferentMergesError(Exception):
    """Two runs do not agree, so that their times say nothing."""


# ---- libraries, in the process of a run ------------------------------------------------------------


class Trainer(Protocol):
    """A library that trains; imported when an object is made."""

    library: ClassVar[str]
    tie_breaks: ClassVar[tuple[str, ...]]

    def train(self, run: Run, texts: Sequence[str], vocab_size: int, pattern: str) -> object:
        """What is measured."""

    def merges(self) -> Pairs:
        """What was learned, in order."""


class Bpetok:
    library: ClassVar[str] = "bpetok"
    tie_breaks: ClassVar[tuple[str, ...]] = ("bytes", "huggingface")

    def __init__(self) -> None:
        import bpetok

        self.learn = bpetok.train

    def train(self, run: Run, texts: Sequence[str], vocab_size: int, pattern: str) -> None:
        self.trained = self.learn(
            texts,
            vocab_size=vocab_size,
            pattern=pattern,
            tie_break=run.tie_break,
            min_frequency=2,
            num_threads=run.threads,
        )

    def merges(self) -> Pairs:
        tokens = self.trained.vocabulary.tokens()
        return [(tokens[left], tokens[right]) for left, right in self.trained.vocabulary.merges().tolist()]


class Tokenizers:
    library: ClassVar[str] = "tokenizers"
    tie_breaks: ClassVar[tuple[str, ...]] = ("huggingface",)

    def __init__(self) -> None:
        import tokenizers

        import bpetok

        self.tokenizers = tokenizers
        self.resolve = bpetok.patterns.resolve

    def train(self, run: Run, texts: Sequence[str], vocab_size: int, pattern: str) -> None:
        os.environ["RAYON_NUM_THREADS"] = str(run.threads)
        self.trained = self.tokenizers.Tokenizer(self.tokenizers.models.BPE())
        self.trained.pre_tokenizer = vocabularies.split_by(self.resolve(pattern).source)
        trainer = self.tokenizers.trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,
            initial_alphabet=self.tokenizers.pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        )
        self.trained.train_from_iterator(texts, trainer)

    def merges(self) -> Pairs:
        def to_bytes(token: str) -> bytes:
            return bytes(map(vocabularies.BYTE_OF.__getitem__, token))

        found = json.loads(self.trained.to_str())["model"]["merges"]
        return [(to_bytes(left), to_bytes(right)) for left, right in found]


TRAINERS: dict[str, type[Trainer]] = {"bpetok": Bpetok, "tokenizers": Tokenizers}


def measure(run: Run, texts: Sequence[str], vocab_size: int, pattern: str) -> dict[str, Any]:
    """Train once."""
    trainer = engines.find(run.engine, TRAINERS)()
    before = memory("VmRSS")
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5", "ascii")  # lets the peak begin at what is in use now
    start = perf_counter()
    trainer.train(run, texts, vocab_size, pattern)
    seconds = perf_counter() - start
    peak = memory("VmHWM")
    pairs = trainer.merges()
    digest = hashlib.sha256()
    for token in (token for pair in pairs for token in pair):
        digest.update(struct.pack("<I", len(token)) + token)
    return {
        "seconds": seconds,
        "peak_bytes": peak - before if peak else None,
        "merges": len(pairs),
        "merges_sha256": digest.hexdigest(),
    }


# ---- in the process that directs -------------------------------------------------------------------


def runs_of(names: Sequence[str], threads: Sequence[int]) -> list[Run]:
    """Each engine with its first tie-break; with a second one only what others are compared with."""
    shared = {tie_break for name in names for tie_break in engines.find(name, TRAINERS).tie_breaks[:1]}
    return [
        Run(name, n, tie_break)
        for name in names
        for tie_break in engines.find(name, TRAINERS).tie_breaks
        for n in threads
        if tie_break in shared
    ]


def require_equal(results: Sequence[dict[str, Any]]) -> None:
    def name(each: dict[str, Any]) -> str:
        return f"{each['engine']} with {each['threads']} threads, repeat {each['repeat']}"

    first: dict[str, dict[str, Any]] = {}
    for each in results:
        other = first.setdefault(each["tie_break"], each)
        if other["merges_sha256"] != each["merges_sha256"]:
            raise DifferentMergesError(f"the merges differ: {name(other)}; {name(each)}")


def summarize(results: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each run's repeats in one row."""
    by_run: dict[Run, list[dict[str, Any]]] = {}
    for each in results:
        by_run.setdefault(Run(*(each[field] for field in Run._fields)), []).append(each)
    return [
        {
            **run._asdict(),
            "median_s": statistics.median(each["seconds"] for each in own),
            "best_s": min(each["seconds"] for each in own),
            "peak_mb": max(each["peak_bytes"] for each in own) / 1e6 if own[0]["peak_bytes"] else None,
            "merges": own[0]["merges"],
            "merges_sha256": own[0]["merges_sha256"],
        }
        for run, own in by_run.items()
    ]


def show(record: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"Training on {record['corpus_bytes'] / 1e6:.1f} MB; equal hashes are equal merges")
    table.add_column("engine")
    table.add_column("ties")
    for title in ("threads", "seconds", "peak MB", "merges", "sha256"):
        table.add_column(title, justify="right")
    for row in record["summary"]:
        table.add_row(
            row["engine"],
            row["tie_break"],
            str(row["threads"]),
            f"{row['median_s']:.2f}",
            "" if row["peak_mb"] is None else f"{row['peak_mb']:.0f}",
            f"{row['merges']:,}",
            row["merges_sha256"][:8],
        )
    console = Console()
    console.print(table)
    console.print(report.busyness(record["cpus_of_others"]))


def parse() -> argparse.Namespace:
    def listed(value: str) -> list[str]:
        return value.split(",")

    def numbers(value: str) -> list[int]:
        return [int(each) for each in value.split(",")]

    parser = argparse.ArgumentParser(description="Measure training.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record there")
    parser.add_argument("--engines", type=listed, help="default: all installed")
    parser.add_argument("--threads", type=numbers, default=[1, 2])
    parser.add_argument("--kinds", type=listed, default=list(corpus.KINDS), help="of text, in equal parts")
    parser.add_argument("--files", nargs="+", type=Path, help="train on these instead")
    parser.add_argument("--megabytes", type=float, default=60, help="of text (default: 60)")
    parser.add_argument("--vocab-size", type=int, default=32_768)
    parser.add_argument("--pattern", default="cl100k")
    parser.add_argument("--repeats", type=int, default=3)
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    names = arguments.engines or [name for name in TRAINERS if engines.is_installed(name, TRAINERS)]
    runs = runs_of(names, arguments.threads)
    cpus = processors()
    settings = {
        "vocab_size": arguments.vocab_size,
        "pattern": arguments.pattern,
        "min_frequency": 2,
        "repeats": arguments.repeats,
        "cpus": cpus,
    }
    record = report.describe((engines.find(name, TRAINERS).library for name in names), settings)
    kinds = ["given"] if arguments.files else arguments.kinds
    parts = [
        corpus.build(kind, int(arguments.megabytes * 1e6 / len(kinds)), arguments.files or ())
        for kind in kinds
    ]
    texts = [text for part in parts for text in part.texts]
    record["corpora"] = {part.kind: part.describe() for part in parts}
    record["corpus_bytes"] = sum(part.n_bytes for part in parts)

    record["results"] = []
    watch = report.Watch()
    try:
        for repeat in range(arguments.repeats):
            for run in runs:
                with Worker(cpus[-run.threads :]) as worker:
                    answer = worker.ask(measure, run, texts, arguments.vocab_size, arguments.pattern)
                record["results"].append({"repeat": repeat, **run._asdict(), **answer})
                require_equal(record["results"])
    except DifferentMergesError as error:
        print(f"no figures: {error}", file=sys.stderr)
        return 1
    if report.build() != record["build"]:
        print("no figures: bpetok was changed or compiled anew during the run", file=sys.stderr)
        return 1
    record["cpus_of_others"] = watch.cpus_of_others()
    record["summary"] = summarize(record["results"])
    show(record)
    if arguments.json:
        report.write(arguments.json, record)
    return 0


if __name__ == "__main__":
    # By its name, which the processes of the runs know.
    from bpetok_bench.train import main as named

    sys.exit(named())
