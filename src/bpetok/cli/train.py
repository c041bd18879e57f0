"""`bpetok train`: files to a tokenizer."""

import functools
import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bpetok.cli import common

if TYPE_CHECKING:
    from bpetok.counting import CountTable
    from bpetok.tokenizer import Tokenizer


@click.command("train")
@click.argument("files", nargs=-1, metavar="[FILES|-]...")
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
    type=click.Choice(["bytes", "huggingface"]),
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
    "--superword-from",
    type=int,
    metavar="N",
    help="With N tokens, go on with pieces of several words, so that tokens may span spaces.",
)
@click.option(
    "--superword-words",
    type=click.IntRange(min=2),
    default=4,
    show_default=True,
    metavar="N",
    help="The most words in such a piece.",
)
@click.option(
    "--drop-scaffolds",
    type=float,
    metavar="SHARE",
    help="Leave out tokens that in this share of their places (0.9) only lead to whole pieces.",
)
@click.option(
    "--parity",
    multiple=True,
    metavar="LANG=FILE",
    help="Instead of FILES: the corpus of a language. Each merge serves the one compressed worst.",
)
@click.option(
    "--dev",
    multiple=True,
    metavar="LANG=FILE",
    help="A language's development text, parallel to those of the others.",
)
@click.option(
    "--global-merges",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="With --parity: make N merges on all corpora together first.",
)
@click.option(
    "--window",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="With --parity: in N merges in a row, give no language over twice its share.",
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
    tie_break: Literal["bytes", "huggingface"],
    min_frequency: int,
    max_token_length: int | None,
    superword_from: int | None,
    superword_words: int,
    drop_scaffolds: float | None,
    parity: tuple[str, ...],
    dev: tuple[str, ...],
    global_merges: int,
    window: int,
    threads: int | None,
    name: str | None,
    field: str,
    force: bool,
    as_json: bool,
) -> None:
    """Train a tokenizer on FILES and write it to OUT.

    FILES are text, .jsonl or .parquet files, .gz or .zst of these, or - for standard input. All are
    checked before any is read. OUT appears only when it is complete; interrupting leaves nothing.
    With --parity, each language has its own files, and a development text with --dev.
    """
    import bpetok
    from bpetok import corpus, patterns
    from bpetok.cli import progress
    from bpetok.training import Settings, check_variants

    if as_json and output == "-":
        raise click.UsageError("--json and -o - would both write to standard output: name a file")
    common.check_output(output, force=force)
    if file_format == "tiktoken":
        if output == "-":
            raise click.UsageError("--format tiktoken writes two files, so OUT cannot be -: name a file")
        common.check_output(f"{output}.json", force=force)
    settings = Settings(vocab_size, specials, tie_break, min_frequency, max_token_length)
    settings.check()
    check_variants(superword_from, drop_scaffolds, settings)
    corpora, dev_files = _by_language("--parity", parity), _by_language("--dev", dev)
    _check_usage(files, corpora, dev_files, superword_from, drop_scaffolds, global_merges or window)
    if superword_from is not None:
        pattern = patterns.superwords(pattern, superword_words)
    began = time.perf_counter()
    options: dict[str, Any] = {
        "vocab_size": vocab_size,
        "special_tokens": specials,
        "tie_break": tie_break,
        "min_frequency": min_frequency,
        "max_token_length": max_token_length,
        "name": name or (Path(output).stem if output != "-" else None),
    }
    every = corpora or {"": list(files)}
    inputs = {language: corpus.read(paths, field=field) for language, paths in every.items()}
    parallel = {language: list(corpus.read(paths, field=field)) for language, paths in dev_files.items()}
    with progress.bar(_plain_size(files)) as callback:
        counting = None if corpora else callback  # which knows of one corpus
        tables = {
            language: bpetok.count(documents, pattern=pattern, num_threads=threads, progress=counting)
            for language, documents in inputs.items()
        }
        counts = functools.reduce(bpetok.CountTable.merge, tables.values())
        if corpora:
            tokenizer = bpetok.train_parity(
                tables,
                dev=parallel,
                global_merges=global_merges,
                window=window,
                pattern=pattern,
                num_threads=threads,
                progress=callback,
                **options,
            )
        else:
            tokenizer = bpetok.train_from_counts(
                counts,
                superword_from=superword_from,
                drop_scaffolds=drop_scaffolds,
                progress=callback,
                **options,
            )
    seconds = time.perf_counter() - began
    _save(tokenizer, output, file_format)
    summary = _summary(tokenizer, counts, seconds) | {"output": output, "format": file_format}
    _tell(summary)
    if as_json:
        common.echo_json(summary)


def _by_language(option: str, given: tuple[str, ...]) -> dict[str, list[str]]:
    """Language to files."""
    files: dict[str, list[str]] = {}
    for each in given:
        language, sign, path = each.partition("=")
        if not (language and sign and path):
            raise click.UsageError(f"{option} {each}: write LANG=FILE, as in {option} eng=english.txt")
        files.setdefault(language, []).append(path)
    return files


def _check_usage(
    files: tuple[str, ...],
    corpora: dict[str, list[str]],
    dev: dict[str, list[str]],
    superword_from: int | None,
    drop_scaffolds: float | None,
    other: int,
) -> None:
    """See that the options go together."""
    if bool(files) == bool(corpora):
        raise click.UsageError(
            "name the files to train on: either FILES, or a --parity LANG=FILE for each language"
        )
    if not corpora and (dev or other):
        raise click.UsageError("--dev, --global-merges and --window belong to --parity")
    if corpora and (superword_from is not None or drop_scaffolds is not None):
        raise click.UsageError("--superword-from and --drop-scaffolds do not go together with --parity")
    missing = sorted(corpora.keys() ^ dev.keys())
    if missing:
        raise click.UsageError(
            f"language {missing[0]!r} has only one of --parity and --dev: give both for every language"
        )


def _plain_size(files: Sequence[str]) -> int | None:
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
        **{key: tokenizer.provenance[key] for key in ("scaffolds", "parity") if key in tokenizer.provenance},
    }


def _tell(summary: dict[str, Any]) -> None:
    corpus = summary["corpus"]
    lines = [
        f"{summary['name']}: {summary['vocab_size']:,} tokens ({summary['n_merges']:,} merges) from "
        f"{common.megabytes(corpus['bytes'])} in {summary['seconds']:.1f} s",
        f"{summary['bytes_per_token']:.3f} bytes per token on the corpus ({corpus['tokens']:,} tokens)",
    ]
    if "scaffolds" in summary:
        report = summary["scaffolds"]
        lines.append(
            f"{report['dropped']:,} scaffolds left out; classical merges give "
            f"{report['corpus_tokens_classical']:,} tokens on the corpus"
        )
    if "parity" in summary:
        lines += _balance(summary["parity"]["dev"])
    if summary["ended_early"]:
        lines.append(f"fewer tokens than asked for: {summary['ended_early']}")
    if summary["output"] != "-":
        lines.append(f"written to {click.format_filename(summary['output'])} ({summary['format']})")
    click.echo("\n".join(lines), err=True)


def _balance(dev: dict[str, Any]) -> list[str]:
    """The tokens of the development texts by language, as the lines of a table."""
    classical, parity = dev["classical"], dev["parity"]
    wide = max(len("language"), *map(len, parity["tokens"]))
    lines = [f"{'language':{wide}}  classical  premium     parity  premium"]
    lines += [
        f"{language:{wide}} {classical['tokens'][language]:10,} {classical['premiums'][language]:8.2f} "
        f"{tokens:10,} {parity['premiums'][language]:8.2f}"
        for language, tokens in parity["tokens"].items()
    ]
    lines.append(
        f"{'total':{wide}} {classical['total']:10,} {max(classical['premiums'].values()):8.2f} "
        f"{parity['total']:10,} {max(parity['premiums'].values()):8.2f}"
    )
    lines.append(
        f"Gini coefficient {classical['gini']:.3f} with classical merges, {parity['gini']:.3f} with these"
    )
    return lines
