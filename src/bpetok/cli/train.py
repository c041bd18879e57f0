"""`bpetok train`: files to a tokenizer."""

import dataclasses
import functools
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from bpetok.cli import characters, common, sources

if TYPE_CHECKING:
    from bpetok.counting import CountTable
    from bpetok.tokenizer import Tokenizer


@click.command("train")
@click.argument("files", nargs=-1, metavar="[FILES|-]...")
@click.option("-o", "--output", required=True, metavar="OUT", help="File to write; - is standard output.")
@click.option(
    "--vocab-size", type=int, required=True, metavar="N", help="Tokens, bytes and special tokens included."
)
@common.pattern_option
@click.option(
    "--special", "specials", multiple=True, metavar="TOKEN", help="A special token; may be repeated."
)
@common.format_option()
@click.option(
    "--tie-break",
    type=click.Choice(["bytes", "huggingface", "rustbpe", "minbpe"]),
    default="bytes",
    show_default=True,
    help="Which of equally frequent pairs merges first, and how ids are laid out.",
)
@common.learning_options
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
@characters.texts_options
@characters.alphabet_options
@click.option("--name", metavar="NAME", help="Name of the tokenizer  [default: OUT without its suffix]")
@sources.options
@common.force_option
@common.json_option
def command(
    files: tuple[str, ...],
    output: str,
    vocab_size: int,
    pattern: str | None,
    specials: tuple[str, ...],
    file_format: str,
    tie_break: Literal["bytes", "huggingface", "rustbpe", "minbpe"],
    min_frequency: int,
    max_token_length: int | None,
    superword_from: int | None,
    superword_words: int,
    drop_scaffolds: float | None,
    parity: tuple[str, ...],
    dev: tuple[str, ...],
    global_merges: int,
    window: int,
    texts: characters.Texts,
    alphabet: characters.Alphabet,
    name: str | None,
    given: sources.Given,
    force: bool,
    as_json: bool,
) -> None:
    """Train a tokenizer on FILES and write it to OUT.

    FILES are text, .jsonl or .parquet files, compressed or not, folders of them, names with wildcards, URLs,
    or - for standard input; FILE=2 counts double, FILE=0.5 half of the documents. With --counts they are
    files of counts. With --parity, each language has its own files, and a development text with --dev.
    All are checked before any is read. With --byte-fallback, tokens are made of characters. OUT appears only
    when it is complete; interrupting leaves nothing.
    """
    import bpetok
    from bpetok.cli import counts as count_files
    from bpetok.cli import progress
    from bpetok.corpus import Corpus
    from bpetok.counting import count_in_order
    from bpetok.patterns import superwords
    from bpetok.training import check_variants, make_settings
    from bpetok.treatment import NOTHING

    if as_json and output == "-":
        raise click.UsageError("--json and -o - would both write to standard output: name a file")
    common.check_tokenizer_output(output, file_format, force=force, piped=True)
    said = texts.characters(alphabet)
    settings = make_settings(vocab_size, specials, tie_break, min_frequency, max_token_length, said)
    check_variants(superword_from, drop_scaffolds, settings)
    corpora, dev_files = _by_language("--parity", parity), _by_language("--dev", dev)
    _check_usage(files, corpora, dev_files, global_merges or window)
    given.check()
    if texts.byte_fallback:
        common.exclude("--byte-fallback", ("parity",), "parity is for byte-level vocabularies")
    if given.from_counts:
        common.exclude("--counts", characters.TEXTS, "these FILES are counted already")
    if tie_break == "minbpe":
        common.exclude(
            "--tie-break minbpe",
            ("parity", "from_counts", "memory", "temp", "dask", "checkpoint"),
            "it goes by the order of the texts, which are counted one after the other",
        )
    if superword_from is not None and not (given.from_counts and pattern is None):
        pattern = superwords(pattern or "cl100k", superword_words)
    default = "cl100k" if said is None else said.pattern()
    counted: dict[str, Any] = {
        "pattern": pattern or default,
        "treatment": NOTHING if said is None else said.treatment(),
    }
    learning: dict[str, Any] = {
        "vocab_size": vocab_size,
        "special_tokens": specials,
        "tie_break": tie_break,
        "min_frequency": min_frequency,
        "max_token_length": max_token_length,
        "name": name or (Path(output).stem if output != "-" else None),
    }
    parallel = {language: Corpus.find(paths, field=given.field) for language, paths in dev_files.items()}
    every = corpora or {"": files}
    tables: dict[str, CountTable] = {}
    began = time.perf_counter()
    with progress.bar() as callback:
        order = None
        if given.from_counts:
            tables = {
                language: count_files.load(paths, pattern, words=default) for language, paths in every.items()
            }
        else:
            found = {language: given.find(paths) for language, paths in every.items()}
            if tie_break == "minbpe":
                tables[""], order = count_in_order(found[""], **counted, progress=callback)
            else:
                shown = None if corpora else callback  # which knows of one corpus
                with given.counting() as options:
                    tables = {
                        language: bpetok.count(corpus, **counted, progress=shown, **options)
                        for language, corpus in found.items()
                    }
        counts = functools.reduce(bpetok.CountTable.merge, tables.values())
        if corpora:
            tokenizer = bpetok.train_parity(
                tables,
                dev=parallel,
                global_merges=global_merges,
                window=window,
                pattern=counts.pattern,
                num_threads=given.threads,
                progress=callback,
                **learning,
            )
        else:
            tokenizer = bpetok.train_from_counts(
                counts,
                superword_from=superword_from,
                drop_scaffolds=drop_scaffolds,
                byte_fallback=texts.byte_fallback,
                order=order,
                progress=callback,
                **learning,
                **(dataclasses.asdict(alphabet) if texts.byte_fallback else {}),
            )
    seconds = time.perf_counter() - began
    _save(tokenizer, output, file_format)
    summary = _summary(tokenizer, counts, seconds) | {"output": output, "format": file_format}
    _tell(summary)
    if as_json:
        common.echo_json(summary)


def _by_language(option: str, given: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Language to files."""
    files: dict[str, tuple[str, ...]] = {}
    for each in given:
        language, sign, path = each.partition("=")
        if not (language and sign and path):
            raise click.UsageError(f"{option} {each}: write LANG=FILE, as in {option} eng=english.txt")
        files[language] = (*files.get(language, ()), path)
    return files


def _check_usage(
    files: tuple[str, ...],
    corpora: dict[str, tuple[str, ...]],
    dev: dict[str, tuple[str, ...]],
    other: int,
) -> None:
    """See that the options go together."""
    if bool(files) == bool(corpora):
        raise click.UsageError(
            "name the files to train on: either FILES, or a --parity LANG=FILE for each language"
        )
    if not corpora and (dev or other):
        raise click.UsageError("--dev, --global-merges and --window belong to --parity")
    if corpora:
        common.exclude("--parity", ("superword_from", "drop_scaffolds"), "each chooses merges its own way")
        common.exclude("--parity", ("checkpoint",), "tally each language, and add --counts")
    missing = sorted(corpora.keys() ^ dev.keys())
    if missing:
        raise click.UsageError(
            f"language {missing[0]!r} has only one of --parity and --dev: give both for every language"
        )


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
