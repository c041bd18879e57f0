"""`bpetok lm sample`: ask a trained model, and see its tokens."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bpetok.cli import common
from bpetok.errors import BpetokError, ExperimentError

if TYPE_CHECKING:
    from bpetok.lm.sample import Reply

_TEXT_TEMPERATURE = 0.8  # a small model that always takes the most likely symbol soon repeats itself


@click.command("sample")
@click.argument("folder", metavar="RUN", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("question", metavar="[TEXT]", required=False)
@click.option("--arm", help="The tokenizer; may be left out where there is one.")
@click.option("--task", help="What is asked; may be left out where there is one.")
@click.option("--greedy", is_flag=True, help="Take the most likely symbol: the default for words.")
@click.option(
    "--temperature",
    type=click.FloatRange(0, min_open=True),
    metavar="T",
    help=f"Draw symbols, likely ones less often the higher T: the default for texts, {_TEXT_TEMPERATURE}.",
)
@click.option("--top-k", type=click.IntRange(1), metavar="K", help="Draw from the K most likely symbols.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="Of the draws.")
@click.option(
    "--length", type=click.IntRange(1), default=64, show_default=True, help="Symbols written at most."
)
@common.json_option
def sample_command(
    folder: Path,
    question: str | None,
    arm: str | None,
    task: str | None,
    greedy: bool,
    temperature: float | None,
    top_k: int | None,
    seed: int,
    length: int,
    as_json: bool,
) -> None:
    """Ask the model of an arm in the folder RUN of `lm run`, with the tokens that it sees.

    TEXT is a word, with what else the task needs behind it: "plenty" to spell, "plenty 3" for the third
    letter, "plenty x 3" for an x behind it. For the task text it is a beginning to go on from. Without TEXT
    each line of standard input is a question.
    """
    from bpetok.lm.run import need_torch

    need_torch()
    from bpetok.lm.sample import Choice, load_speaker, models_of

    if greedy and (temperature is not None or top_k is not None):
        raise click.UsageError("--greedy draws nothing: leave out --temperature and --top-k")
    arm, task = _one(models_of(folder), arm, task)
    speaker = load_speaker(folder, arm, task)
    if temperature is None:
        drawn = not greedy and (top_k is not None or speaker.task.name == "text")
        temperature = _TEXT_TEMPERATURE if drawn else 0.0
    choice = Choice(temperature, top_k, seed)
    interactive = question is None and _is_terminal()
    if interactive:
        click.echo(f"{arm}, {task}: {speaker.task.question} Write {speaker.task.form}.", err=True)
    for line in [question] if question is not None else _lines(interactive):
        try:
            reply = speaker.reply(line, choice, length)
        except BpetokError as error:
            if not interactive:
                raise
            click.echo(str(error), err=True)
            continue
        if as_json:
            common.echo_json({"arm": arm, "task": task, **_record(reply)})
        else:
            _show(reply)


def _one(models: list[tuple[str, str]], arm: str | None, task: str | None) -> tuple[str, str]:
    """The arm and the task of the only model that fits."""
    found = [one for one in models if arm in (None, one[0]) and task in (None, one[1])]
    if len(found) == 1:
        return found[0]
    has = ", ".join(f"{one} on {other}" for one, other in found or models)
    raise ExperimentError(
        f"choose one with --arm and --task: there is {has}"
        if found
        else f"there is no such model: only {has}"
    )


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _lines(interactive: bool) -> Iterator[str]:
    """The lines of standard input, asked for where a person writes them; empty ones are passed over."""
    while True:
        if interactive:
            click.echo("> ", nl=False, err=True)
        line = sys.stdin.readline()
        if not line:
            if interactive:
                click.echo(err=True)  # the shell's own prompt gets a line to itself
            return
        if line.strip():
            yield line.rstrip("\n")


def _record(reply: "Reply") -> dict[str, Any]:
    return {
        "prompt": [piece.hex() for piece in reply.prompt],
        "written": [piece.hex() for piece in reply.written],
        "answer": reply.answer,
        "expected": reply.item.answer if reply.right is not None else None,
        "right": reply.right,
    }


def _show(reply: "Reply") -> None:
    from rich.console import Console

    from bpetok.cli import render

    console = Console(highlight=False)
    line = render.coloured(reply.prompt, console)
    line.append(" → ")
    if reply.item.is_text:
        line.append_text(render.coloured(reply.written, console))
    else:
        line.append(reply.answer, "bold")
    if reply.right is not None:
        line.append("  right" if reply.right else f"  wrong: {reply.item.answer}")
    console.print(line, soft_wrap=True)
