"""What `train`, `tally`, `extend` and `prune` count: files, with weights, samples and workers; or counts."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from bpetok.cli import common
from bpetok.corpus import Corpus, storage

if TYPE_CHECKING:
    from bpetok.count_table import CountTable
    from bpetok.counting import CountOptions

_WEIGHTED = re.compile(r"(.+)=(\d+(?:\.\d+)?)", re.DOTALL | re.ASCII)
_COUNTING = ("memory", "temp", "sample", "seed", "unique", "dask", "checkpoint")


@dataclass(frozen=True, kw_only=True)
class Given:
    """What the options say about FILES, and how they are counted."""

    from_counts: bool
    threads: int | None
    memory: int | None
    temp: str | None
    sample: float
    seed: int
    unique: bool
    dask: str | None
    checkpoint: str | None
    field: str

    def check(self) -> None:
        """See that the options go together.

        Raises:
            click.UsageError: they do not.
        """
        if self.from_counts:
            common.exclude("--counts", _COUNTING, "these FILES are counted already")
        if self.dask is None and self.checkpoint is not None:
            raise click.UsageError("--checkpoint needs workers: add --dask local:2, or a cluster's address")

    def find(self, files: tuple[str, ...]) -> Corpus:
        """The corpus of some files: see `find`."""
        return find(files, field=self.field, sample=self.sample, seed=self.seed, unique=self.unique)

    def sources(self, files: tuple[str, ...], pattern: str) -> "Corpus | CountTable":
        """The corpus of some files, or their counts, when that is what they are.

        Args:
            files: what the command was given.
            pattern: that of a tokenizer, by which words with counts are pieces.

        Raises:
            CorpusError: a file cannot be read.
            FormatError: a file of counts is damaged.
            MissingExtraError: a package is needed and not installed.
        """
        from bpetok.cli.counts import load

        return load(files, None, words=pattern) if self.from_counts else self.find(files)

    @contextmanager
    def counting(self) -> Iterator["CountOptions"]:
        """How to count, as `bpetok.count` takes it, with workers if there are to be any.

        Raises:
            WorkerError: they cannot be reached.
            MissingExtraError: Dask is not installed.
        """
        options: CountOptions = {"num_threads": self.threads, "memory": self.memory, "temp": self.temp}
        if self.dask is None:
            yield options
            return
        from bpetok.distributed import dask_executor

        with dask_executor(self.dask) as executor:
            yield {**options, "executor": executor, "checkpoint": self.checkpoint}


def find(files: tuple[str, ...], *, field: str, sample: float, seed: int, unique: bool) -> Corpus:
    """The corpus of some files; FILE=NUMBER gives a weight, unless there is a file of that name.

    Raises:
        CorpusError: a file cannot be read.
        MissingExtraError: a package is needed and not installed.
    """
    return Corpus.find(map(_weight, files), field=field, sample=sample, seed=seed, unique=unique)


def _weight(given: str) -> tuple[str, float]:
    match = _WEIGHTED.fullmatch(given)
    if match is None or os.path.exists(given) or (storage.is_url(given) and "?" in given):
        return given, 1.0
    return match[1], float(match[2])


options = common.bundle(
    "given",
    Given,
    click.option(
        "--counts",
        "from_counts",
        is_flag=True,
        help="FILES are counts: written by `bpetok tally`, or lines of a word, a tab, and its count, or "
        '.parquet with columns "word" and "count".',
    ),
    click.option(
        "--threads",
        type=click.IntRange(min=1),
        metavar="N",
        help="Threads that count  [default: all processors]",
    ),
    click.option(
        "--memory",
        metavar="SIZE",
        callback=common.byte_size,
        help="Memory that counting may take, such as 512MiB  [default: any]",
    ),
    click.option(
        "--temp",
        metavar="DIR",
        type=click.Path(exists=True, file_okay=False, writable=True),
        help="Folder for counts that have no room in memory  [default: the system's]",
    ),
    click.option(
        "--sample",
        type=click.FloatRange(min=0),
        default=1.0,
        metavar="SHARE",
        help="Take this share of the documents, such as 0.1  [default: all]",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**64 - 1),
        default=0,
        show_default=True,
        metavar="N",
        help="Which documents --sample takes.",
    ),
    click.option("--unique", is_flag=True, help="Pass over texts that have come before."),
    click.option(
        "--dask",
        metavar="ADDRESS",
        help="Count on a Dask cluster: tcp://HOST:PORT, or local:N for N processes of this machine.",
    ),
    click.option(
        "--checkpoint",
        metavar="DIR",
        type=click.Path(file_okay=False),
        help="With --dask, folder that keeps what has been counted: the same command goes on from there.",
    ),
    common.field_option,
)
