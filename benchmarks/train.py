"""Training speed and memory: bpetok beside other libraries.

    bpetok bench train [--json FILE] [--quick] [--engines bpetok,tokenizers] [--sizes 6,60] ...

Each step has a fresh process, bound to as many processors as it has threads; the libraries take turns. All
read the same file. Memory is what the process holds at its peak beyond what it held before: the file is no
part of it but as far as a library reads it in.

A library that takes too long is ended. One that, by a smaller size, would take too long is not asked. One
that is far slower than the fastest is asked in the first repeat only. When the time for the whole run is
over, what is left is recorded as not measured. The steps that matter most come first.

All runs of bpetok on a file must learn the same tokens, whatever the number of threads; if they do not, the
run ends with exit code 1 and no figures. Others are compared with bpetok under the same, or the nearest, rule
for ties.

The record is a JSON object. Its head is that of `bpetok_bench.encode`, with benchmark ("train") and corpora
(by size in MB: bytes, sha256, parts). Then lists of objects:

- results: engine, megabytes, vocab_size, threads, repeat, seconds, cpu_seconds, peak_bytes, n_tokens (of more
  than one byte).
- summary: engine, megabytes, vocab_size, threads, medians of seconds and cpu_seconds, peak_mb (the largest),
  ratio (how many times bpetok's time it takes), n_tokens, same (how many of the first tokens are bpetok's, in
  order), common (tokens in both, as a share of those in either; of as many as both have).
- counting: megabytes, threads, budget_mb (or null), seconds, cpu_seconds, peak_bytes, mb_per_s, pieces.
- failures: engine, megabytes, vocab_size (or null), threads, reason.
"""

import inspect
import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import monotonic
from typing import Any, NamedTuple

import bpetok
from bpetok_bench import corpus, engines, mixture, report, summary, trainers
from bpetok_bench.process import AskError, Worker, processors

REST = 4  # times slower than the fastest: from there one repeat is enough
BUDGET_MB = 256  # for counting the largest file
OVER = "not measured: the time for the whole run was over"
KEYS = ("megabytes", "vocab_size", "threads")
Say = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """What is measured.

    Attributes:
        sizes: of the corpora, in MB. The vocabularies vary at the second, or the only one.
        vocab_sizes: the first is trained at every size.
        threads: how many; the largest size has the last only.
        engines: names; none for all that are known.
        kinds: of text, in equal parts.
        files: text to train on instead.
        corpora: a folder of built corpora.
        repeats: of each step; one at the largest of three sizes, and for the other vocabularies.
        cpus: processors to use; none for the last two.
        limit: seconds that a step may take.
        total: seconds for the whole run, the corpora included.
    """

    sizes: tuple[float, ...] = (6, 60, 600)
    vocab_sizes: tuple[int, ...] = (32_768, 8_192, 131_072)
    threads: tuple[int, ...] = (1, 2)
    engines: tuple[str, ...] = ()
    kinds: tuple[str, ...] = corpus.KINDS
    files: tuple[Path, ...] = ()
    corpora: Path | None = None
    repeats: int = 3
    cpus: tuple[int, ...] = ()
    limit: float = 60
    total: float = 720


QUICK = Options(sizes=(6,), vocab_sizes=(32_768,), repeats=1, limit=20, total=120)


class Case(NamedTuple):
    """What all libraries do in turn."""

    megabytes: float
    vocab_size: int
    threads: int
    repeats: int


class DifferentTokensError(Exception):
    """bpetok does not agree with itself, or was changed meanwhile, so that its times say nothing."""


def cases(options: Options) -> list[Case]:
    """In the order in which they are measured: what matters most comes first."""
    first, *others = options.vocab_sizes
    main = options.sizes[:2]
    found = [Case(size, first, n, options.repeats) for size in main for n in options.threads]
    found += [Case(size, first, options.threads[-1], 1) for size in options.sizes[2:]]
    found += [Case(main[-1], vocab_size, options.threads[-1], 1) for vocab_size in others]
    return found


def run(options: Options, say: Say = lambda line: None) -> dict[str, Any]:
    """Measure, and return the record.

    Raises:
        ValueError: the options name something that is not there, or there is no text.
        DifferentTokensError: bpetok's tokens differ between its runs, or bpetok was changed meanwhile.
    """
    names = list(options.engines or trainers.TRAINERS)
    missing = [name for name in names if not engines.is_installed(name, trainers.TRAINERS)]
    names = [name for name in names if name not in missing]
    cpus = list(options.cpus) or processors()[-2:]
    if not (options.sizes and options.vocab_sizes and options.threads):
        raise ValueError("sizes, vocabularies and threads must each have a number at least")
    if min(options.sizes) <= 0 or min(options.vocab_sizes) < 256 or min(options.threads) < 1:
        raise ValueError("sizes and threads must be above 0, and vocabularies have 256 tokens at least")
    say(f"engines: {', '.join(names)}" + (f"; not installed: {', '.join(missing)}" if missing else ""))
    packages = {engines.find(name, trainers.TRAINERS).library for name in names}
    settings = {name: value for name, value in asdict(options).items() if name not in ("files", "corpora")}
    more = {"cpus": cpus, "pattern": trainers.PATTERN, "min_frequency": trainers.MIN_FREQUENCY}
    record = report.describe(packages, {**settings, **more})
    record |= {"benchmark": "train", "engines": names, "missing": missing, "corpora": {}}
    watch = report.Watch()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, names, cpus, Path(folder), say)
        for case in cases(options):
            bench.measure(case)
            if case.vocab_size == options.vocab_sizes[0]:
                bench.count(case)
    if report.build() != record["build"]:
        raise DifferentTokensError("bpetok was changed or compiled anew during the run")
    found = {"results": bench.results, "counting": bench.counting, "failures": bench.failures}
    record |= {"cpus_of_others": watch.cpus_of_others(), "corpora": bench.corpora, **found}
    return {**record, "summary": summarize(bench.results, bench.agreement)}


class Bench:
    """Takes the measurements of a run."""

    def __init__(self, options: Options, names: list[str], cpus: list[int], folder: Path, say: Say) -> None:
        self.options, self.names, self.cpus, self.folder, self.say = options, names, cpus, folder, say
        self.end = monotonic() + options.total
        self.results: list[dict[str, Any]] = []
        self.counting: list[dict[str, Any]] = []
        self.failures: list[dict[str, Any]] = []
        self.corpora: dict[str, dict[str, Any]] = {}
        self.agreement: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.tokens: dict[tuple[Any, ...], list[bytes]] = {}  # bpetok's: (tie_break, megabytes, vocab_size)

    def file(self, megabytes: float) -> Path:
        """The corpus of a size, written when it is first wanted."""
        path = self.folder / f"{megabytes:g}.txt"
        if not path.exists():
            self.say(f"{megabytes:g} MB: writing the corpus")
            about = mixture.write(
                path, int(megabytes * 1e6), self.options.kinds, self.options.files, self.options.corpora
            )
            self.corpora[f"{megabytes:g}"] = about
        return path

    def ask(self, threads: int, function: Callable[..., Any], *arguments: object) -> Any:
        """The answer of a fresh process, within the time that is left."""
        left = self.end - monotonic()
        if left <= 0:
            raise AskError(OVER)
        if self.cpus and threads > len(self.cpus):
            raise AskError(f"there are not {threads} processors")
        with Worker(self.cpus[-threads:], {engines.THREADS: str(threads)}) as worker:
            try:
                return worker.ask(function, *arguments, limit=min(self.options.limit, left))
            except AskError as error:
                if monotonic() >= self.end:
                    raise AskError(OVER) from error
                raise

    def fail(self, engine: str, where: dict[str, Any], reason: str) -> None:
        self.failures.append({"engine": engine, **where, "reason": reason})
        self.say(f"  {engine}: {reason}")

    def measure(self, case: Case) -> None:
        """A case, with all libraries in turn, another one first each time."""
        where = {key: getattr(case, key) for key in KEYS}
        path = self.file(case.megabytes)
        active = []
        for name in self.names:
            guess = self.guess(name, case)
            if guess is None:
                self.fail(name, where, "not asked: it took too long before")
            elif guess > self.options.limit:
                self.fail(name, where, f"not asked: it would take about {guess:.0f} s")
            else:
                active.append(name)
        for repeat in range(case.repeats):
            self.say(
                f"{case.megabytes:g} MB, {case.vocab_size} tokens, "
                f"threads: {case.threads}, repeat {repeat + 1}"
            )
            times = {}
            for at in range(len(active)):
                name = active[(at + repeat) % len(active)]
                try:
                    answer = self.ask(case.threads, trainers.learn, name, path, case.vocab_size, case.threads)
                except AskError as error:
                    self.fail(name, where, str(error))
                    continue
                times[name] = answer["seconds"]
                self.say(f"  {name}: {answer['seconds']:.2f} s")
                self.keep(name, where, repeat, answer)
            most = REST * min(times.values(), default=0)
            active = [name for name in times if name == summary.OURS or times[name] <= most]

    def guess(self, name: str, case: Case) -> float | None:
        """Seconds that a case would take by what was seen, in proportion to the size.

        0 if nothing was; None if the library took too long for as much text or less.
        """
        for row in self.failures:
            if row["engine"] == name and row["megabytes"] <= case.megabytes and "took more" in row["reason"]:
                return None
        own = [row for row in self.results if row["engine"] == name and row["megabytes"] <= case.megabytes]
        if not own:
            return 0
        last = max(own, key=lambda row: (row["megabytes"], row["threads"]))
        return float(last["seconds"] * case.megabytes / last["megabytes"])

    def keep(self, name: str, where: dict[str, Any], repeat: int, answer: dict[str, Any]) -> None:
        """Note the figures, and how the tokens are beside bpetok's."""
        tokens = answer.pop("tokens")
        row = {"engine": name, **where, "repeat": repeat, **answer, "n_tokens": len(tokens)}
        self.results.append(row)
        kind = engines.find(name, trainers.TRAINERS)
        key = (kind.tie_break, where["megabytes"], where["vocab_size"])
        if kind.library == "bpetok" and self.tokens.setdefault(key, tokens) != tokens:
            raise DifferentTokensError(f"{name} has other tokens than before: {where}, repeat {repeat}")
        self.agreement[name, *where.values()] = {"tokens": tokens, "ours": key}
        self.settle()

    def settle(self) -> None:
        """Compare what waits for bpetok's tokens."""
        for about in self.agreement.values():
            if "tokens" in about and about["ours"] in self.tokens:
                about |= compared(about.pop("tokens"), self.tokens[about["ours"]])

    def count(self, case: Case) -> None:
        """Counting alone; of the largest of three sizes also within a memory budget, if one can be set."""
        budgets: list[int | None] = [None]
        able = "memory" in inspect.signature(bpetok.count).parameters
        if case.megabytes in self.options.sizes[2:] and able:
            budgets.append(BUDGET_MB)
        for budget in budgets:
            where = {"megabytes": case.megabytes, "vocab_size": None, "threads": case.threads}
            limit = None if budget is None else int(budget * 1e6)
            for _ in range(case.repeats):
                try:
                    path = self.file(case.megabytes)
                    answer = self.ask(case.threads, trainers.count, path, case.threads, limit)
                except AskError as error:
                    self.fail("bpetok", where, f"counting: {error}")
                    break
                speed = self.corpora[f"{case.megabytes:g}"]["bytes"] / 1e6 / answer["seconds"]
                row = {"megabytes": case.megabytes, "threads": case.threads, "budget_mb": budget}
                self.counting.append({**row, **answer, "mb_per_s": speed})


def compared(tokens: list[bytes], ours: list[bytes]) -> dict[str, Any]:
    """How many of the first tokens are the same, and the share of those in both among those in either.

    Libraries count the single bytes differently: only as many tokens are compared as both have.
    """
    n = min(len(tokens), len(ours))
    same = next((at for at in range(n) if tokens[at] != ours[at]), n)
    either = set(tokens[:n]) | set(ours[:n])
    common = len(set(tokens[:n]) & set(ours[:n])) / len(either) if either else 1.0
    return {"same": same, "common": common}


def summarize(
    results: list[dict[str, Any]], agreement: dict[tuple[Any, ...], dict[str, Any]]
) -> list[dict[str, Any]]:
    """Each step's repeats in one row."""
    found = []
    groups = summary.grouped(results, ("engine", *KEYS))
    for values, own in groups.items():
        ours = {row["repeat"]: row["seconds"] for row in groups.get((summary.OURS, *values[1:]), [])}
        ratios = [row["seconds"] / ours[row["repeat"]] for row in own if row["repeat"] in ours]
        peaks = [row["peak_bytes"] for row in own]
        about = agreement.get(values, {})
        found.append(
            {
                **dict(zip(("engine", *KEYS), values, strict=True)),
                "seconds": median(row["seconds"] for row in own),
                "cpu_seconds": median(row["cpu_seconds"] for row in own),
                "peak_mb": max(peaks) / 1e6 if all(peaks) else None,
                "ratio": median(ratios) if ratios else None,
                "n_tokens": own[0]["n_tokens"],
                "same": about.get("same"),
                "common": about.get("common"),
            }
        )
    return found
