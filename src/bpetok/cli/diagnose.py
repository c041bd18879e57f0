"""`bpetok diagnose`: which languages pay most for a tokenizer, and why."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bpetok.cli import common
from bpetok.errors import FormatError

if TYPE_CHECKING:
    from rich.console import Console

    from bpetok.diagnostics.figures import Figure
    from bpetok.diagnostics.report import Report, TokenizerReport
    from bpetok.protocols import TokenizerLike

FAILED = 1  # a condition of --fail-on holds


def _prices(ctx: click.Context, param: click.Parameter, given: tuple[str, ...]) -> dict[str, float]:
    prices = {}
    for each in given:
        name, equals, number = each.rpartition("=")
        try:
            prices[name] = float(number)
        except ValueError:
            equals = ""
        if not equals or not math.isfinite(prices[name]) or prices[name] < 0:
            raise click.BadParameter(f"{each!r}: write TOKENIZER=PRICE, such as o200k_base=2.50", ctx, param)
    return prices


@click.command("diagnose")
@click.argument("tokenizers", nargs=-1, required=True, metavar="TOKENIZER...")
@click.option(
    "--corpus",
    "corpus_name",
    default="phrasebook",
    show_default=True,
    metavar="NAME|PATH",
    help="phrasebook, udhr, or a .tsv, .jsonl or .parquet file with language, segment and text.",
)
@click.option(
    "--reference",
    default="eng",
    show_default=True,
    metavar="CODE",
    help="The language that premiums are over.",
)
@click.option(
    "--segmenter",
    type=click.Choice(["uax29", "whitespace", "icu"]),
    default="uax29",
    show_default=True,
    help="What a word is.",
)
@click.option(
    "--context",
    type=click.IntRange(min=1),
    default=8192,
    show_default=True,
    metavar="N",
    help="Tokens of a context window.",
)
@click.option(
    "--prices",
    multiple=True,
    callback=_prices,
    metavar="TOKENIZER=PRICE",
    help="What a million tokens cost; may be repeated.",
)
@click.option(
    "--morphology", metavar="TSV", help="Words with their parts, to compare the borders of tokens with."
)
@click.option(
    "--reachability/--no-reachability",
    default=True,
    show_default=True,
    help="Look for a text that becomes each entry.",
)
@click.option(
    "--draws",
    type=click.IntRange(min=0),
    default=1000,
    show_default=True,
    metavar="N",
    help="Of the bootstrap; 0 for no intervals.",
)
@click.option(
    "--top",
    type=click.IntRange(min=0),
    default=15,
    show_default=True,
    metavar="N",
    help="Show the N languages that pay most; 0 shows all.",
)
@click.option("--json", "json_path", metavar="F", help="Write all figures to a file; - is standard output.")
@click.option("--csv", "csv_path", metavar="F", help="Write the figures of languages as CSV.")
@click.option("--latex", "latex_path", metavar="F", help="Write the table as LaTeX.")
@click.option(
    "--html", "html_path", metavar="F", help="Write the report as a page: one file that works offline."
)
@click.option(
    "--charts",
    "charts_path",
    metavar="FOLDER",
    help="Write each chart as SVG, PNG and PDF, and as Vega-Lite.",
)
@click.option("--baseline", metavar="JSON", help="An earlier --json, for --fail-on.")
@click.option(
    "--fail-on",
    multiple=True,
    metavar="EXPR",
    help='Exit with 1 if this holds, such as "premium.tha > +5%" (over the baseline) or "gini > 0.3".',
)
@common.force_option
def command(
    tokenizers: tuple[str, ...],
    corpus_name: str,
    reference: str,
    segmenter: str,
    context: int,
    prices: dict[str, float],
    morphology: str | None,
    reachability: bool,
    draws: int,
    top: int,
    json_path: str | None,
    csv_path: str | None,
    latex_path: str | None,
    html_path: str | None,
    charts_path: str | None,
    baseline: str | None,
    fail_on: tuple[str, ...],
    force: bool,
) -> None:
    """Measure what TOKENIZERs make of the same texts in many languages.

    A TOKENIZER is an encoding (cl100k_base), a model (gpt-4o) or a tokenizer file. Lengths are relative to
    those of the first one.
    """
    from bpetok.diagnostics import Condition, Report, diagnose, gate, load_corpus, load_morphology
    from bpetok.diagnostics.tables import to_csv, to_latex

    if html_path is not None:
        from bpetok.page.render import diagnostics_page
    if charts_path is not None:
        from bpetok.page.charts import diagnostics_charts, write_charts

    writers: list[tuple[str | None, Callable[[Report], str]]] = [
        (json_path, Report.to_json),
        (csv_path, to_csv),
        (latex_path, lambda report: to_latex(report, top)),
    ]
    if html_path is not None:
        writers.append((html_path, lambda report: diagnostics_page(report, corpus, named)))
    outputs = [(path, write) for path, write in writers if path is not None]
    if [path for path, _ in outputs].count("-") > 1:
        raise click.UsageError("standard output takes one of --json, --csv, --latex and --html")
    for path, _ in outputs:
        common.check_output(path, force=force)
    conditions = [Condition.parse(each) for each in fail_on]
    if baseline is not None and not conditions:
        raise click.UsageError('--baseline is compared with by --fail-on: add one, such as "premium.* > +5%"')
    before = None if baseline is None else Report.load(baseline)
    named, corpus = _named(tokenizers), load_corpus(corpus_name)
    report = diagnose(
        named,
        corpus,
        reference=reference,
        segmenter=segmenter,
        context=context,
        prices=prices,
        morphology_words=load_morphology(morphology) if morphology else (),
        reachability=reachability,
        draws=draws,
    )
    verdicts = gate(report, before, conditions)
    for path, write in outputs:
        with common.open_output(path) as file:
            file.write(write(report).encode())
    if charts_path is not None:
        write_charts(diagnostics_charts(report), charts_path)
    if all(path != "-" for path, _ in outputs):
        _show(report, top)
    for verdict in verdicts:
        if verdict.failed:
            click.echo(f"failed: {verdict}", err=True)
    if any(verdict.failed for verdict in verdicts):
        click.get_current_context().exit(FAILED)


def _named(names: tuple[str, ...]) -> dict[str, "TokenizerLike"]:
    """Tokenizers by what they were called on the command line."""
    if len({*names}) < len(names):
        raise click.UsageError("each tokenizer is measured once: name no two alike")
    return {name: _load(name) for name in names}


def _load(name: str) -> "TokenizerLike":
    """A tokenizer as all commands know it, or one of another kind that its own library runs."""
    try:
        return common.load_tokenizer(name)
    except FormatError as ours:
        from bpetok.diagnostics.adapters import open_other

        try:
            return open_other(name)
        except FormatError:
            raise ours from None


def _show(report: "Report", top: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bpetok.diagnostics.tables import by_premium

    console = Console(highlight=False)
    corpus, reference = report.corpus, report.language(report.settings.reference)
    console.print(
        f"{corpus.name}: {len(corpus.segments)} segments in {len(corpus.languages)} languages, "
        f"sha256 {corpus.sha256[:12]}. {corpus.note}".rstrip(),
        markup=False,
    )
    console.print()
    for tokenizer in report.tokenizers:
        console.print(_summary(tokenizer, reference.name), markup=False)
    console.print()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(Text("\nlanguage"), overflow="ellipsis", no_wrap=True, max_width=24)
    table.add_column(Text("\nscript"), overflow="ellipsis", no_wrap=True, max_width=14)
    table.add_column(Text("\nUTF-8"), justify="right")
    n = len(report.tokenizers)
    room = console.width - 34 - 22 * n  # beside the columns that are always there
    split, intervals = room >= 8 * n, room >= 23 * n
    for tokenizer in report.tokenizers:
        table.add_column(Text("\nx vocab"), justify="right")
        name = Path(tokenizer.name).name
        table.add_column(Text(f"{name}\n= premium"), justify="right", overflow="fold")
        if split:
            table.add_column(Text("\nsplit"), justify="right")
    languages = by_premium(report)
    for language in languages[: top or None]:
        found = [tokenizer.languages[language.code].figures for tokenizer in report.tokenizers]
        cells = [language.name, language.script.replace("_", " "), _number(found[0].get("byte_premium"))]
        for figures in found:
            premium = figures.get("premium")
            cells += [
                _number(figures.get("vocabulary_penalty")),
                _interval(premium) if intervals else _number(premium),
            ]
            if split:
                cells.append(_percent(figures.get("split_characters")))
        table.add_row(*map(Text, cells))
    console.print(table)
    hidden = len(languages) - len(languages[: top or None])
    console.print()
    if hidden:
        console.print(f"{hidden} more languages: --top 0 shows all, --json and --csv write all.")
    console.print(
        f"UTF-8 x vocabulary = premium: bytes over {reference.name}, which no vocabulary changes, times "
        "tokens per byte over the same are tokens over the same. split: characters spread over several "
        "tokens. In brackets: 95 % intervals of the bootstrap over segments."
    )
    for tokenizer in report.tokenizers:
        _show_vocabulary(console, tokenizer)


def _summary(tokenizer: "TokenizerReport", reference: str) -> str:
    from bpetok.diagnostics.fairness import MOST_UNKNOWN

    unknown = [found.figures.get("unknown_tokens") for found in tokenizer.languages.values()]
    n_left_out = sum(share is not None and share.value > MOST_UNKNOWN for share in unknown)
    left_out = f" {n_left_out} with over a tenth unknown tokens are left out of these." if n_left_out else ""
    if "median_premium" not in tokenizer.figures:
        return f"{tokenizer.name}: no language can be compared.{left_out}"
    median, worst, gini = map(tokenizer.figures.get, ("median_premium", "worst_decile", "gini"))
    return (
        f"{tokenizer.name}: half of the languages pay more than {_interval(median)} times what {reference} "
        f"pays, the worst tenth {_interval(worst)} times; Gini {_interval(gini)}.{left_out}"
    )


def _show_vocabulary(console: "Console", tokenizer: "TokenizerReport") -> None:
    vocabulary, reachability = tokenizer.vocabulary, tokenizer.reachability
    kinds = ", ".join(f"{n:,} {kind}" for kind, n in vocabulary.kinds.items() if n)
    parts = [f"{tokenizer.name}: {kinds}; {100 * tokenizer.figures['utilisation'].value:.1f} % used here"]
    if reachability is not None:
        parts.append(
            f"{len(reachability.witnesses):,} entries come out of longer texts only, "
            f"{len(reachability.none_found):,} of none that was tried"
        )
    parts.append(f"digits: {tokenizer.probes.digits}")
    console.print("; ".join(parts) + ".", markup=False)


def _number(figure: "Figure | None") -> str:
    return "-" if figure is None else f"{figure.value:.2f}"


def _percent(figure: "Figure | None") -> str:
    return "-" if figure is None else f"{100 * figure.value:.0f} %"


def _interval(figure: "Figure | None") -> str:
    if figure is None or figure.low is None:
        return _number(figure)
    return f"{figure.value:.2f} [{figure.low:.2f}, {figure.high:.2f}]"
