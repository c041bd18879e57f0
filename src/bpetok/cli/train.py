"""`bpetok train`: files to a tokenizer."""

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bpetok.cli import common

if TYPE_CHECKING:
    from bpetok.counting import CountTable
    from bpetok.tokenizer import Tokenizer


@click.command("train")
@click.argument("files", nargs=-1, metavar="FILES|-...", required=True)
@click.option("-o", "--output", required=True, metavar="OUT", help="File to write; - is standard output.")
@click.option(
    "--vocab-size", type=int, required=True, metavar="N", help="Tokens, bytes and special tokens included."
)
@click.option(
    "--pattern",
    default="cl100k",
    show_default=True,
    metavar="NAME|REGEX",
    help="What cuts the text into pieces: gpt2, cl100k, o200k, llama3, qwen2, tekken, or a regex.",
)
@click.option(
    "--special", "specials", multiple=True, metavar="TOKEN", help="A special token; may be repeated."
)
@click.option(
    "--format",
    "file_format",
    type=click.Choice(["native", "tiktoken", "huggingface"]),
    default="native",
    show_default=True,
    help="Format of OUT.",
)
@click.option(
    "--tie-break",
    type=click.Choice(["bytes", "huggingface", "rustbpe", "minbpe"]),
    default="bytes",
    show_default=True,
    help="Which of equally frequent pairs merges first, and how ids are laid out.",
)
@click.option(
    "--min-frequency",
    type=click.IntRange(min=1),
    default=2,
    show_default=True,
    metavar="N",
    help="Merge no pair that occurs less often.",
)
@click.option(
    "--max-token-length", type=click.IntRange(min=1), metavar="N", help="Make no token of more bytes."
)
@click.option(
    "--threads", type=click.IntRange(min=1), metavar="N", help="Threads that count  [default: all processors]"
)
@click.option("--name", metavar="NAME", help="Name of the tokenizer  [default: OUT without its suffix]")
@common.field_option
@common.force_option
@common.json_option
def command(
    files: tuple[str, ...],
    output: str,
    vocab_size: int,
    pattern: str,
    specials: tuple[str, ...],
    file_format: str,
    tie_break: Literal["bytes", "huggingface", "rustbpe", "minbpe"],
    min_frequency: int,
    max_token_length: int | None,
    threads: int | None,
    name: str | None,
    field: str,
    force: bool,
    as_json: bool,
) -> None:
    """Train a tokenizer on FILES and write it to OUT.

    FILES are text, .jsonl or .parquet files, .gz or .zst of these, or - for standard input. All are
    checked before any is read. OUT appears only when it is complete; interrupting leaves nothing.
    """
    import bpetok
    from bpetok import corpus
    from bpetok.cli import progress
    from bpetok.counting import count_in_order
    from bpetok.training import Settings

    if as_json and output == "-":
        raise click.UsageError("--json and -o - would both write to standard output: name a file")
    common.check_output(output, force=force)
    if file_format == "tiktoken":
        if output == "-":
            raise click.UsageError("--format tiktoken writes two files, so OUT cannot be -: name a file")
        common.check_output(f"{output}.json", force=force)
    Settings(vocab_size, specials, tie_break, min_frequency, max_token_length).check()
    documents = corpus.read(files, field=field)
    began = time.perf_counter()
    with progress.bar(_plain_size(files)) as callback:
        order = None
        if tie_break == "minbpe":
            counts, order = count_in_order(documents, pattern=pattern, progress=callback)
        else:
            counts = bpetok.count(documents, pattern=pattern, num_threads=threads, progress=callback)
        tokenizer = bpetok.train_from_counts(
            counts,
            vocab_size=vocab_size,
            special_tokens=specials,
            tie_break=tie_break,
            min_frequency=min_frequency,
            max_token_length=max_token_length,
            order=order,
            progress=callback,
            name=name or (Path(output).stem if output != "-" else None),
        )
    seconds = time.perf_counter() - began
    _save(tokenizer, output, file_format)
    summary = _summary(tokenizer, counts, seconds) | {"output": output, "format": file_format}
    _tell(summary)
    if as_json:
        common.echo_json(summary)


def _plain_size(files: tuple[str, ...]) -> int | None:
    """Bytes of text in the files, where their sizes tell."""
    from bpetok.corpus.compression import split_suffix

    packed = (".jsonl", ".ndjson", ".parquet")
    if any(path == "-" or split_suffix(path)[1] or split_suffix(path)[0] in packed for path in files):
        return None
    return sum(os.path.getsize(path) for path in files) or None  # pipes have no size


def _save(tokenizer: "Tokenizer", output: str, file_format: str) -> None:
    if output != "-":
        tokenizer.save(output, file_format)
        return
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder, "tokenizer")
        tokenizer.save(draft, file_format)
        with common.open_output("-") as stdout:
            stdout.write(draft.read_bytes())


def _summary(tokenizer: "Tokenizer", counts: "CountTable", seconds: float) -> dict[str, Any]:
    n_bytes = tokens = 0
    for piece, n in counts.items():
        n_bytes += n * len(piece)
        tokens += n * len(tokenizer._encode_single_piece(piece))
    return {
        "name": tokenizer.name,
        "vocab_size": tokenizer.n_vocab,
        "n_merges": len(tokenizer.vocabulary.merges()),
        "corpus": {"documents": counts.n_texts, "bytes": counts.n_bytes, "tokens": tokens},
        "bytes_per_token": round(n_bytes / tokens, 4),
        "seconds": round(seconds, 3),
        "ended_early": tokenizer.provenance["ended_early"],
    }


def _tell(summary: dict[str, Any]) -> None:
    corpus = summary["corpus"]
    lines = [
        f"{summary['name']}: {summary['vocab_size']:,} tokens ({summary['n_merges']:,} merges) from "
        f"{common.megabytes(corpus['bytes'])} in {summary['seconds']:.1f} s",
        f"{summary['bytes_per_token']:.3f} bytes per token on the corpus ({corpus['tokens']:,} tokens)",
    ]
    if summary["ended_early"]:
        lines.append(f"fewer tokens than asked for: {summary['ended_early']}")
    if summary["output"] != "-":
        lines.append(f"written to {click.format_filename(summary['output'])} ({summary['format']})")
    click.echo("\n".join(lines), err=True)
