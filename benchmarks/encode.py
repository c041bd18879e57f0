"""Encoding speed: bpetok against other libraries, on text that none has seen before and on text that all
have.

    python benchmarks/encode.py [--json FILE] [--engines bpetok,tiktoken] [--kinds code,english] ...

Each engine has a process of its own, all on the same processor. They take turns at every step, so that what
disturbs one disturbs all. In a step each encodes the same text twice: "unseen" is the first time, with text
that no earlier step had; "seen" is the second. The SHA-256 of the ids must be the same both times and for all
engines before any of the times counts; else the run ends with exit code 1.

Figures are megabytes of UTF-8 a second, the median of the repeats; a ratio is the median of the ratios of the
steps.
"""

import argparse
import gc
import hashlib
import importlib
import itertools
import statistics
import sys
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter
from typing import Any

import corpus
import engines
import report
from process import Worker, processors

SHORT = 100  # bytes of a short string
PROBE = "Hello world, this is the first text."

# What is measured: the engine's method, and the bytes of a string; 0 for the whole document as one.
WORKLOADS = {
    "list": ("encode", 0),
    "numpy": ("encode_array", 0),
    "short": ("encode", SHORT),
}


class DifferentIdsError(Exception):
    """Two engines do not agree, so that their times say nothing."""


# ---- in the process of an engine -------------------------------------------------------------------

engine: engines.Engine


def load(name: str, encoding: str, folder: Path) -> dict[str, Any]:
    """Import the library, load the vocabulary, and encode a first text."""
    global engine
    kind = engines.find(name)
    start = perf_counter()
    importlib.import_module(kind.library)
    imported = perf_counter()
    engine = kind(encoding, folder)
    loaded = perf_counter()
    ids = engine.encode(PROBE)
    ended = perf_counter()
    return {
        "import_s": imported - start,
        "load_s": loaded - imported,
        "first_text_s": ended - loaded,
        "digests": [digest([ids])],
    }


def encode_twice(workload: str, texts: Sequence[str]) -> dict[str, Any]:
    """Encode texts that are new to this process, and the same again."""
    encode = getattr(engine, WORKLOADS[workload][0])
    times, digests, n_tokens = [], [], 0
    for _ in range(2):
        gc.collect()
        gc.disable()
        start = perf_counter()
        results = [encode(text) for text in texts]
        times.append(perf_counter() - start)
        gc.enable()
        digests.append(digest(results))
        n_tokens = sum(map(len, results))
        del results
    return {"unseen_s": times[0], "seen_s": times[1], "tokens": n_tokens, "digests": digests}


def digest(results: Iterable[Any]) -> str:
    """SHA-256 of the ids of each text, with how many there are."""
    import numpy as np

    found = hashlib.sha256()
    for ids in results:
        array = np.asarray(ids, np.uint32)
        found.update(len(array).to_bytes(8, "little") + array.tobytes())
    return found.hexdigest()


# ---- in the process that directs -------------------------------------------------------------------


def require_equal(where: str, answers: dict[str, dict[str, Any]]) -> str:
    """The hash that all digests of all engines are."""
    engines_of: dict[str, set[str]] = {}
    for name, answer in answers.items():
        for each in answer.pop("digests"):
            engines_of.setdefault(each, set()).add(name)
    if len(engines_of) > 1:
        groups = (f"{', '.join(sorted(names))} {each[:12]}" for each, names in engines_of.items())
        raise DifferentIdsError(f"{where}: the ids differ, by hash: {'; '.join(groups)}")
    return engines_of.popitem()[0]


def in_turn(names: Sequence[str], step: int) -> list[str]:
    """The engines, another one first in every step."""
    return [*names[step % len(names) :], *names[: step % len(names)]]


def measure_loading(
    names: Sequence[str], encoding: str, folder: Path, repeats: int, cpus: Sequence[int]
) -> list[dict[str, Any]]:
    """Load a vocabulary, each time in a fresh process."""
    found = []
    for repeat in range(repeats):
        answers = {}
        for name in in_turn(names, repeat):
            with Worker(cpus) as worker:
                answers[name] = worker.ask(load, name, encoding, folder)
        require_equal(f"{encoding}, first text", answers)
        found += [{"encoding": encoding, "repeat": repeat, "engine": name, **answers[name]} for name in names]
    return found


def measure_encoding(
    names: Sequence[str],
    encoding: str,
    folder: Path,
    documents: dict[str, list[str]],
    cpus: Sequence[int],
) -> list[dict[str, Any]]:
    """Encode every document once, by the workloads in turn."""
    found = []
    with ExitStack() as stack:
        workers = {name: stack.enter_context(Worker(cpus)) for name in names}
        for name, worker in workers.items():
            worker.ask(load, name, encoding, folder)
        for kind, texts in documents.items():
            for step, (text, workload) in enumerate(zip(texts, itertools.cycle(WORKLOADS), strict=False)):
                size = WORKLOADS[workload][1]
                parts = list(corpus.cut(text, size)) if size else [text]
                answers = {
                    name: workers[name].ask(encode_twice, workload, parts) for name in in_turn(names, step)
                }
                sha256 = require_equal(f"{encoding}, {kind}, {workload}", answers)
                about = {
                    "encoding": encoding,
                    "kind": kind,
                    "workload": workload,
                    "repeat": step // len(WORKLOADS),
                    "strings": len(parts),
                    "bytes": sum(len(part.encode()) for part in parts),
                    "ids_sha256": sha256,
                }
                found += [{**about, "engine": name, **answers[name]} for name in names]
    return found


def summarize(results: list[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    """Medians over the repeats: of the speed, and of how many times the second engine's speed it is."""
    rows = []
    keys = dict.fromkeys((each["encoding"], each["kind"], each["workload"]) for each in results)
    for (encoding, kind, workload), state in itertools.product(keys, ("unseen", "seen")):
        speeds = {
            name: [
                each["bytes"] / 1e6 / each[f"{state}_s"]
                for each in results
                if (each["encoding"], each["kind"], each["workload"], each["engine"])
                == (encoding, kind, workload, name)
            ]
            for name in names
        }
        first = speeds[names[0]]
        rows.append(
            {
                "encoding": encoding,
                "kind": kind,
                "workload": workload,
                "text": state,
                "mb_per_s": {name: statistics.median(each) for name, each in speeds.items()},
                "ratio": {
                    name: statistics.median(a / b for a, b in zip(first, each, strict=True))
                    for name, each in speeds.items()
                    if name != names[0]
                },
            }
        )
    return rows


def summarize_loading(results: list[dict[str, Any]], names: Sequence[str]) -> list[dict[str, Any]]:
    return [
        {
            "encoding": encoding,
            "engine": name,
            **{
                f"{what}_ms": 1e3
                * statistics.median(
                    each[f"{what}_s"]
                    for each in results
                    if (each["encoding"], each["engine"]) == (encoding, name)
                )
                for what in ("import", "load", "first_text")
            },
        }
        for encoding in dict.fromkeys(each["encoding"] for each in results)
        for name in names
    ]


def show(record: dict[str, Any], names: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()
    for encoding in record["settings"]["encodings"]:
        table = Table(title=f"{encoding}, MB/s (and how many times as fast {names[0]} is)")
        for title in ("text", "workload", ""):
            table.add_column(title)
        for name in names:
            table.add_column(name, justify="right")
        rows = [row for row in record["summary"] if row["encoding"] == encoding]
        for kind, group in itertools.groupby(rows, key=lambda row: row["kind"]):
            for row in group:
                cells = [
                    f"{speed:.1f}" + (f" ({row['ratio'][name]:.2f}x)" if name in row["ratio"] else "")
                    for name, speed in row["mb_per_s"].items()
                ]
                table.add_row(kind, row["workload"], row["text"], *cells)
            table.add_section()
        console.print(table)

    table = Table(title="Loading in a fresh process, ms")
    for title in ("encoding", "engine"):
        table.add_column(title)
    for title in ("import", "load", "first text"):
        table.add_column(title, justify="right")
    for row in record["loading_summary"]:
        times = [f"{row[f'{what}_ms']:.1f}" for what in ("import", "load", "first_text")]
        table.add_row(row["encoding"], row["engine"], *times)
    console.print(table)
    console.print(report.busyness(record["cpus_of_others"]))


def parse() -> argparse.Namespace:
    def listed(value: str) -> list[str]:
        return value.split(",")

    parser = argparse.ArgumentParser(description="Measure encoding speed.")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record there")
    parser.add_argument(
        "--engines", type=listed, help="default: all that are installed; the first is compared"
    )
    parser.add_argument("--encodings", type=listed, default=["cl100k_base", "o200k_base"])
    parser.add_argument("--kinds", type=listed, default=list(corpus.KINDS), help="of text")
    parser.add_argument("--files", nargs="+", type=Path, help="measure on these instead")
    parser.add_argument("--megabytes", type=float, default=5, help="of a document (default: 5)")
    parser.add_argument("--repeats", type=int, default=5, help="of each workload, each on other text")
    parser.add_argument("--load-repeats", type=int, default=5)
    parser.add_argument("--cpu", type=int, help="the processor to use (default: the last)")
    return parser.parse_args()


def main() -> int:
    arguments = parse()
    size = int(arguments.megabytes * 1e6)
    if size < 1000 or arguments.repeats < 1 or arguments.load_repeats < 1:
        print("a document must have at least 1000 bytes, and repeats be at least 1", file=sys.stderr)
        return 2
    names = arguments.engines or engines.installed()
    cpus = processors()[-1:] if arguments.cpu is None else [arguments.cpu]
    settings = {
        "encodings": arguments.encodings,
        "document_bytes": size,
        "short_bytes": SHORT,
        "repeats": arguments.repeats,
        "cpus": cpus,
    }
    record = report.describe((engines.find(name).library for name in names), settings)

    documents, record["corpora"] = {}, {}
    wanted = arguments.repeats * len(WORKLOADS)
    for kind in ["given"] if arguments.files else arguments.kinds:
        # A cut loses up to three bytes.
        text = corpus.build(kind, wanted * size + 4 * wanted, arguments.files or ())
        documents[kind] = list(corpus.cut("".join(text.texts), size))[:wanted]
        record["corpora"][kind] = text.describe()
        if len(documents[kind]) < wanted:
            print(
                f"{kind}: there is text for {len(documents[kind])} documents of {wanted}: choose a smaller "
                "size or fewer repeats",
                file=sys.stderr,
            )
            return 2

    record["results"], record["loading"] = [], []
    watch = report.Watch()
    try:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            for encoding in arguments.encodings:
                for each in names:
                    engines.find(each).prepare(encoding, folder)
                record["loading"] += measure_loading(names, encoding, folder, arguments.load_repeats, cpus)
                record["results"] += measure_encoding(names, encoding, folder, documents, cpus)
    except DifferentIdsError as error:
        print(f"no figures: {error}", file=sys.stderr)
        return 1
    if report.build() != record["build"]:
        print("no figures: bpetok was changed or compiled anew during the run", file=sys.stderr)
        return 1
    record["cpus_of_others"] = watch.cpus_of_others()
    record["summary"] = summarize(record["results"], names)
    record["loading_summary"] = summarize_loading(record["loading"], names)
    show(record, names)
    if arguments.json:
        report.write(arguments.json, record)
    return 0


if __name__ == "__main__":
    sys.exit(main())
