"""What `train` and `tally` count: files, folders, URLs, with weights, samples and workers."""

import os
import re
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Any, TypeVar

import click

from bpetok.cli import common
from bpetok.corpus import Corpus, storage

F = TypeVar("F", bound=Callable[..., Any])

_WEIGHTED = re.compile(r"(.+)=(\d+(?:\.\d+)?)", re.DOTALL | re.ASCII)


def options(function: F) -> F:
    """`--sample`, `--seed`, `--unique`, `--dask` and `--checkpoint`."""
    for option in (
        click.option(
            "--checkpoint",
            metavar="DIR",
            type=click.Path(file_okay=False),
            help="With --dask, folder that keeps what has been counted: the same command goes on from there.",
        ),
        click.option(
            "--dask",
            metavar="ADDRESS",
            help="Count on a Dask cluster: tcp://HOST:PORT, or local:N for N processes of this machine.",
        ),
        click.option("--unique", is_flag=True, help="Pass over texts that have come before."),
        click.option(
            "--seed",
            type=click.IntRange(0, 2**64 - 1),
            default=0,
            show_default=True,
            metavar="N",
            help="Which documents --sample takes.",
        ),
        click.option(
            "--sample",
            type=click.FloatRange(min=0),
            default=1.0,
            metavar="SHARE",
            help="Take this share of the documents, such as 0.1  [default: all]",
        ),
    ):
        function = option(function)
    return function


def find(files: tuple[str, ...], *, field: str, sample: float, seed: int, unique: bool) -> Corpus:
    """The corpus that the arguments name; FILE=NUMBER gives a weight, unless there is a file of that name.

    Raises:
        CorpusError: a file cannot be read.
        MissingExtraError: a package is needed and not installed.
    """
    return Corpus.find(map(_weight, files), field=field, sample=sample, seed=seed, unique=unique)


def exclude_with_counts() -> None:
    """See that no option says how to count what is counted already.

    Raises:
        click.UsageError: one does.
    """
    others = ("memory", "temp", "sample", "seed", "unique", "dask", "checkpoint")
    common.exclude("--counts", others, "these FILES are counted already")


@contextmanager
def workers(dask: str | None, checkpoint: str | None) -> Iterator[Executor | None]:
    """What counts, if not this process.

    Raises:
        click.UsageError: a checkpoint without workers.
        WorkerError: they cannot be reached.
        MissingExtraError: Dask is not installed.
    """
    if dask is None:
        if checkpoint is not None:
            raise click.UsageError("--checkpoint needs workers: add --dask local:2, or a cluster's address")
        yield None
        return
    from bpetok.distributed import dask_executor

    with dask_executor(dask) as executor:
        yield executor


def _weight(given: str) -> tuple[str, float]:
    match = _WEIGHTED.fullmatch(given)
    if match is None or os.path.exists(given) or (storage.is_url(given) and "?" in given):
        return given, 1.0
    return match[1], float(match[2])
