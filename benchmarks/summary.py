"""The figures of a record: medians, ratios, and the tables that show them."""

import itertools
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

from bpetok_bench import report

Row = dict[str, Any]
OURS, KNOWN = "bpetok", "tiktoken"


def summarize(record: Row) -> Row:
    """The summaries that a record ends with."""
    return {
        "summary": speeds(record["results"], record["inexact"]),
        "loading_summary": medians(
            record["loading"],
            ("encoding", "engine"),
            {
                "import_ms": lambda row: 1e3 * row["import_s"],
                "load_ms": lambda row: 1e3 * row["load_s"],
                "first_text_ms": lambda row: 1e3 * row["first_text_s"],
            },
        ),
        "memory_summary": medians(
            record["memory"],
            ("encoding", "engine"),
            {
                "loaded_mb": lambda row: (row["loaded_bytes"] - row["before_bytes"]) / 1e6,
                "encoded_mb": lambda row: (row["encoded_bytes"] - row["before_bytes"]) / 1e6,
            },
        ),
    }


def grouped(rows: Iterable[Row], keys: tuple[str, ...]) -> dict[tuple[Any, ...], list[Row]]:
    found: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        found.setdefault(tuple(row[key] for key in keys), []).append(row)
    return found


def medians(rows: list[Row], keys: tuple[str, ...], figures: dict[str, Callable[[Row], float]]) -> list[Row]:
    return [
        {
            **dict(zip(keys, values, strict=True)),
            **{name: median(map(figure, own)) for name, figure in figures.items()},
        }
        for values, own in grouped(rows, keys).items()
    ]


def speeds(results: list[Row], inexact: list[Row]) -> list[Row]:
    """A row for each kind of step: the speed of every exact engine, and bpetok's beside the best of them."""
    keys = ("encoding", "kind", "workload", "threads", "state")
    found = []
    for values, rows in grouped(results, keys).items():
        where = dict(zip(keys, values, strict=True))
        wrong = {
            each["engine"]
            for each in inexact
            if (each["encoding"], each["kind"]) == (where["encoding"], where["kind"])
        }
        by_engine = {
            name: {row["repeat"]: row["bytes"] / 1e6 / row["seconds"] for row in own}
            for (name,), own in grouped(rows, ("engine",)).items()
        }
        exact = {name: each for name, each in by_engine.items() if name not in wrong}
        typical = {name: median(each.values()) for name, each in exact.items()}
        best = max((name for name in typical if name != OURS), key=typical.__getitem__, default=None)
        found.append(
            {
                **where,
                "mb_per_s": typical,
                "inexact": sorted(wrong & by_engine.keys()),
                "best_peer": best,
                "ratio": ratio(exact, best),
                "tiktoken_ratio": ratio(exact, KNOWN),
            }
        )
    return found


def ratio(speeds: dict[str, dict[int, float]], other: str | None) -> float | None:
    """How many times the other's speed ours is: the median over the steps that both did."""
    ours, theirs = speeds.get(OURS, {}), speeds.get(other or "", {})
    both = [ours[step] / theirs[step] for step in ours.keys() & theirs.keys()]
    return median(both) if both and other != OURS else None


# ---- tables ---------------------------------------------------------------------------------------


def show(record: Row) -> None:
    """Print a record's figures, and what has none."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console.width = 130
    for tables in (speed_tables, loading_tables, hard_tables):
        for table in tables(record):
            console.print(table)
    for line in remarks(record):
        console.print(line, markup=False, highlight=False)


def new_table(title: str, names: Iterable[str], figures: Iterable[str]) -> Any:
    from rich.table import Table

    table = Table(title=title)
    for name in names:
        table.add_column(name)
    for figure in figures:
        table.add_column(figure, justify="right")
    return table


def speed_tables(record: Row) -> Iterable[Any]:
    for (encoding,), rows in grouped(record["summary"], ("encoding",)).items():
        table = new_table(
            f"{encoding}, MB/s, and how many times the speed of the best exact peer and of tiktoken",
            ("text", "workload", ""),
            ("bpetok", "best peer", "", "times", "tiktoken", "times"),
        )
        for kind, group in itertools.groupby(rows, key=lambda row: row["kind"]):
            for row in group:
                speed, best = row["mb_per_s"], row["best_peer"]
                table.add_row(
                    *(kind, row["workload"], row["state"]),
                    *(shown(speed.get(OURS), ".1f"), best or "", shown(speed.get(best), ".1f")),
                    *(shown(row["ratio"], ".2f"), shown(speed.get(KNOWN), ".1f")),
                    shown(row["tiktoken_ratio"], ".1f"),
                )
            table.add_section()
        yield table


def loading_tables(record: Row) -> Iterable[Any]:
    memory = {(row["encoding"], row["engine"]): row for row in record["memory_summary"]}
    loading = {(row["encoding"], row["engine"]): row for row in record["loading_summary"]}
    if keys := sorted({*memory, *loading}):
        titles = ("import ms", "load ms", "first text ms", "loaded MB", "after text MB")
        table = new_table("In a fresh process", ("encoding", "engine"), titles)
        for key in keys:
            row = {**memory.get(key, {}), **loading.get(key, {})}
            figures = ("import_ms", "load_ms", "first_text_ms", "loaded_mb", "encoded_mb")
            table.add_row(*key, *(shown(row.get(figure), ".1f") for figure in figures))
        yield table


def hard_tables(record: Row) -> Iterable[Any]:
    """Milliseconds for each input, and their growth from a quarter of it, where 4 is linear."""
    for (encoding,), rows in grouped(record["hard"], ("encoding",)).items():
        labels = dict.fromkeys(row["input"] for row in rows)
        table = new_table(f"{encoding}, hard inputs: ms (and growth from a quarter)", ("engine",), labels)
        for (name,), own in grouped(rows, ("engine",)).items():
            table.add_row(name, *map(hard_cell, own))
        yield table


def hard_cell(row: Row) -> str:
    if row["full_s"] is None:
        return "none"
    return f"{1e3 * row['full_s']:.1f} ({row['growth']:.1f})" if row["exact"] else "wrong"


def shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def remarks(record: Row) -> Iterable[str]:
    """What the tables do not say."""
    if record["missing"]:
        yield f"Not installed: {', '.join(record['missing'])}."
    for row in record["inexact"]:
        yield f"Not exact: {row['engine']} on {place(row)}: {row['difference']}"
    for row in record["edges"]:
        if row["differ"]:
            yield (
                f"Odd strings: {row['engine']} with {row['encoding']} differs on {row['differ']} of "
                f"{row['of']}, first on {row['first']}"
            )
    for row in record["failures"]:
        yield f"No answer: {row['engine']} on {place(row)}: {row['reason']}"
    yield report.busyness(record["cpus_of_others"])


def place(row: Row) -> str:
    return ", ".join(row[key] for key in ("encoding", "kind", "workload") if row[key])
