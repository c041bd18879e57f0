"""Encoding speed: bpetok beside other libraries, on text that none of them has seen, and on text all have.

    bpetok bench encode [--json FILE] [--quick] [--engines bpetok,tiktoken] [--kinds code] ...

Each engine has a process of its own, all on the same processors. They take turns at every step, another one
first each time. In a step each does the same work on the same new text twice: "unseen", then "seen". What
they give must be what tiktoken gives, at every call, before a time counts. An engine that differs is reported
as not exact for that encoding and kind of text, with the first difference, and has no figures there. If
bpetok differs, the run ends with exit code 1 and none at all. One that crashes, takes too long or has no
answer is recorded with the reason. One that is far slower than the fastest is asked in the first repeat only.

The record is a JSON object. Its head: date, commit, build, machine, versions, settings, engines, missing
(those not installed), reference (whose ids are right), corpora, cpus_of_others. Then lists of objects:

- results: engine, encoding, kind, workload, threads, repeat, state, seconds, cpu_seconds (null for "cold"),
  bytes (of UTF-8), strings, tokens. The state of the workload "cold" is "cold".
- summary: encoding, kind, workload, threads, state, mb_per_s (a median by engine, of the exact ones), inexact
  (the others), best_peer, ratio (how many times its speed bpetok has: the median over the steps),
  tiktoken_ratio.
- loading: engine, encoding, repeat, import_s, load_s, first_text_s. loading_summary: medians, in ms.
- memory: engine, encoding, kind, repeat, before_bytes, loaded_bytes, encoded_bytes: resident before the
  import, after loading, after the first large text. memory_summary: medians of what came to it, in MB.
- hard: engine, encoding, input, bytes, quarter_s, full_s, growth (4 is linear), exact.
- edges: engine, encoding, differ (how many of `of` strings), first (the first that does).
- inexact: engine, encoding, kind (for a hard input its name), workload, difference.
- failures: engine, encoding, kind (or null), workload, reason.
"""

import tempfile
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bpetok_bench import engines, measure, report, summary, vocabularies
from bpetok_bench.options import Options, choose, chosen, read
from bpetok_bench.process import AskError, Worker, processors
from bpetok_bench.team import DifferentIdsError, Team
from bpetok_bench.workloads import EDGES, WARM_UP, WORKLOADS, Reader, hard_inputs, strings

REST = 8  # times slower than the fastest: from there one repeat is enough
COLD_REPEATS = 3
LISTS = ("results", "loading", "memory", "hard", "edges", "inexact", "failures")
Say = Callable[[str], None]


def run(options: Options, say: Say = lambda line: None) -> dict[str, Any]:
    """Measure, and return the record.

    Args:
        options: what.
        say: called with a line of progress now and then.

    Raises:
        ValueError: the options name something that is not there, or there is too little text.
        DifferentIdsError: bpetok's ids are not the reference's, or bpetok was changed meanwhile.
    """
    names, missing = choose(options)
    say(f"engines: {', '.join(names)}" + (f"; not installed: {', '.join(missing)}" if missing else ""))
    cpus = list(options.cpus) or processors()[-2:]
    packages = (engines.find(name).package or engines.find(name).library for name in names)
    settings = {name: value for name, value in asdict(options).items() if name not in ("files", "corpora")}
    record = report.describe(packages, {**settings, "cpus": cpus})
    record |= {"engines": names, "missing": missing, "reference": reference(names)}
    texts, record["corpora"] = read(options)
    watch = report.Watch()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(options, names, cpus, Path(folder), say)
        for encoding in options.encodings:
            bench.measure(vocabularies.prepare(encoding, Path(folder)), texts)
    if report.build() != record["build"]:
        raise DifferentIdsError("bpetok was changed or compiled anew during the run")
    record |= {"cpus_of_others": watch.cpus_of_others(), **bench.found}
    return {**record, **summary.summarize(record)}


def reference(names: list[str], path: Path | None = None) -> str:
    """The engine that is right: the one that a file is made for, or tiktoken."""
    made_for = {None: "tiktoken", ".json": "tokenizers", ".model": "sentencepiece"}
    wanted = made_for[path.suffix if path else None]
    return wanted if wanted in names else names[0]


class Bench:
    """Takes the measurements of a run into the lists of its record."""

    def __init__(self, options: Options, names: list[str], cpus: list[int], folder: Path, say: Say) -> None:
        self.options, self.names, self.cpus, self.folder, self.say = options, names, cpus, folder, say
        self.size = int(options.megabytes * 1e6)
        self.turn = 0
        self.found: dict[str, list[dict[str, Any]]] = {name: [] for name in LISTS}

    def measure(self, encoding: str, texts: dict[str, str]) -> None:
        """All that was chosen, with one encoding."""
        for name, task in (("load", self.load), ("edges", self.edges), ("hard", self.hard)):
            if self.wants(name):
                self.say(f"{encoding}: {name}")
                task(encoding)
        for kind, text in texts.items():
            if self.wants("cold"):
                self.say(f"{encoding}, {kind}: cold")
                self.cold(encoding, kind, Reader(text).take(self.size))
            for threads in sorted({each.threads for each in chosen(self.options).values()}):
                self.steps(encoding, kind, text, threads)

    def wants(self, workload: str) -> bool:
        return not self.options.workloads or workload in self.options.workloads

    def in_turn(self) -> list[str]:
        """The engines, another one first each time."""
        self.turn += 1
        at = self.turn % len(self.names)
        return [*self.names[at:], *self.names[:at]]

    def team(self, encoding: str, threads: int = 1) -> Team:
        right = reference(self.names, vocabularies.given(encoding, self.folder))
        return Team(right, encoding, self.folder, threads, self.cpus[-threads:])

    def answers(
        self, names: Iterable[str], ask: Callable[[str], Any], where: dict[str, Any], what: str = ""
    ) -> dict[str, Any]:
        """What each engine answers; those that do not are noted."""
        found = {}
        for name in names:
            try:
                found[name] = ask(name)
            except AskError as error:
                self.note("failures", {"engine": name, **where}, "reason", what + str(error))
        return found

    def compare(self, team: Team, answers: dict[str, Any], where: dict[str, Any]) -> set[str]:
        """The engines whose answers are not the reference's, which are noted."""
        differences = team.differences(answers)
        for name, difference in differences.items():
            self.note("inexact", {"engine": name, **where}, "difference", difference)
        return set(differences)

    def note(self, kind: str, where: dict[str, Any], what: str, text: str) -> None:
        """A remark, once for each place."""
        if not any(where.items() <= each.items() for each in self.found[kind]):
            self.found[kind].append({**where, what: text})
            self.say(f"  {', '.join(filter(None, where.values()))}: {text}")

    # ---- in new processes -------------------------------------------------------------------------

    def load(self, encoding: str) -> None:
        """Load the vocabulary, each time in a fresh process."""

        def ask(name: str) -> Any:
            with Worker(self.cpus[-1:], {engines.THREADS: "1"}) as worker:
                return worker.ask(
                    measure.load_and_probe, name, encoding, self.folder, limit=self.options.limit
                )

        where = {"encoding": encoding, "kind": None, "workload": "load"}
        for repeat in range(self.options.repeats):
            for name, answer in self.answers(self.in_turn(), ask, where).items():
                row = {"engine": name, "encoding": encoding, "repeat": repeat}
                self.found["loading"].append({**row, **answer})

    def cold(self, encoding: str, kind: str, text: str) -> None:
        """The first call of a process, and its memory."""
        where = {"encoding": encoding, "kind": kind, "workload": "cold"}
        about = {"threads": 1, "state": "cold", "bytes": len(text.encode()), "strings": 1}
        for repeat in range(min(COLD_REPEATS, self.options.repeats)):
            with self.team(encoding) as team:

                def ask(name: str, team: Team = team) -> Any:
                    return team.ask_unloaded(name, measure.first_call, text, limit=self.options.limit)

                answers = self.answers(self.in_turn(), ask, where)
                self.compare(team, answers, where)
            for name, answer in answers.items():
                row = {"engine": name, **where, "repeat": repeat, **about}
                times = {"seconds": answer["seconds"][0], "cpu_seconds": None, "tokens": answer["tokens"]}
                self.found["results"].append({**row, **times})
                row = {"engine": name, "encoding": encoding, "kind": kind, "repeat": repeat}
                self.found["memory"].append({**row, **answer["memory"]})

    def hard(self, encoding: str) -> None:
        """Inputs that are hard for some; an engine that takes too long is ended, and begins anew."""
        with self.team(encoding) as team:
            for label, *texts in hard_inputs(self.options.hard_scale):
                where = {"encoding": encoding, "kind": label, "workload": "hard"}
                times: dict[str, list[float]] = {name: [] for name in self.names}
                inexact: set[str] = set()
                able = set(self.names)
                for text, what in zip(texts, ("a quarter of it: ", ""), strict=True):

                    def ask(name: str, text: str = text) -> Any:
                        return team.ask(name, measure.encode_once, text, limit=self.options.hard_limit)

                    in_turn = [name for name in self.in_turn() if name in able]
                    answers = self.answers(in_turn, ask, where, what)
                    inexact |= self.compare(team, answers, where)
                    able = set(answers)  # if a quarter is too much, the whole is
                    for name, answer in answers.items():
                        times[name] += answer["seconds"]
                for name in self.names:
                    quarter, full = [*times[name], None, None][:2]
                    row = {
                        "engine": name,
                        "encoding": encoding,
                        "input": label,
                        "bytes": len(texts[1].encode()),
                    }
                    growth = full / quarter if quarter and full else None
                    figures = {"quarter_s": quarter, "full_s": full, "growth": growth}
                    self.found["hard"].append({**row, **figures, "exact": name not in inexact})

    def edges(self, encoding: str) -> None:
        """Odd strings, one by one."""
        where = {"encoding": encoding, "kind": None, "workload": "edges"}
        with self.team(encoding) as team:

            def ask(name: str) -> Any:
                return team.ask(name, measure.encode_edges, limit=self.options.limit)

            answers = self.answers(self.names, ask, where)
        expected = answers.get(reference(self.names, vocabularies.given(encoding, self.folder)), [])
        for name, ids in answers.items():
            wrong = [at for at, each in enumerate(expected) if ids[at] != each]
            first = f"{EDGES[wrong[0]]!r}: {ids[wrong[0]]} and not {expected[wrong[0]]}" if wrong else None
            if wrong and name == "bpetok":
                raise DifferentIdsError(f"{encoding}: {first}")
            row = {"engine": name, "encoding": encoding, "differ": len(wrong), "of": len(EDGES)}
            self.found["edges"].append({**row, "first": first})

    # ---- in processes that run for a while --------------------------------------------------------

    def steps(self, encoding: str, kind: str, text: str, threads: int) -> None:
        """The workloads that have so many threads, in turn, each time with other text."""
        workloads = {name: each for name, each in chosen(self.options).items() if each.threads == threads}
        where = {"encoding": encoding, "kind": kind, "workload": ", ".join(workloads)}
        if self.cpus and threads > len(self.cpus):
            for name in self.names:
                self.note(
                    "failures", {"engine": name, **where}, "reason", f"there are not {threads} processors"
                )
            return
        reader = Reader(text)
        with self.team(encoding, threads) as team:
            warm_up = reader.take(int(WARM_UP * self.size))

            def ask(name: str) -> Any:
                return team.ask(name, measure.encode_once, warm_up, limit=self.options.limit)

            able = self.answers(self.names, ask, where)
            active = {name: set(able) for name in workloads}
            for repeat in range(self.options.repeats):
                self.say(f"{encoding}, {kind}, threads: {threads}, repeat {repeat + 1}")
                for name, workload in workloads.items():
                    part = reader.take(int(workload.share * self.size))
                    active[name] &= self.step(team, {**where, "workload": name}, part, repeat, active[name])

    def step(self, team: Team, where: dict[str, Any], text: str, repeat: int, active: set[str]) -> set[str]:
        """One step of all engines that still take part; those that shall go on."""
        workload = WORKLOADS[where["workload"]]
        parts = strings(text, workload.strings, f"{where} {repeat}") if workload.strings else [text]
        given: list[Any] = parts
        if workload.method == "decode":
            tokenizer = vocabularies.load(where["encoding"], self.folder)
            given = [tokenizer.encode_to_numpy(part, disallowed_special=()) for part in parts]

        def ask(name: str) -> Any:
            return team.ask(name, measure.step, where["workload"], given, limit=self.options.limit)

        answers = self.answers([name for name in self.in_turn() if name in active], ask, where)
        self.compare(team, answers, where)
        sizes = {"bytes": len(text.encode()), "strings": len(parts)}
        for name, answer in answers.items():
            row = {"engine": name, **where, "threads": workload.threads, "repeat": repeat, **sizes}
            times = zip(("unseen", "seen"), answer["seconds"], answer["cpu_seconds"], strict=True)
            for state, seconds, cpu_seconds in times:
                figures = {"state": state, "seconds": seconds, "cpu_seconds": cpu_seconds}
                self.found["results"].append({**row, **figures, "tokens": answer["tokens"]})
        fastest = min((answer["seconds"][0] for answer in answers.values()), default=0)
        return {
            name
            for name, answer in answers.items()
            if name in ("bpetok", "tiktoken") or answer["seconds"][0] <= REST * fastest
        }
