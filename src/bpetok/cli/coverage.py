"""`bpetok coverage`: which characters fall apart, by language, and what tokens for them would save."""

import csv
import io
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bpetok.cli import common

if TYPE_CHECKING:
    from bpetok.coverage import Coverage


@click.command("coverage")
@click.argument("tokenizer_name", metavar="TOKENIZER")
@click.argument("files", nargs=-1, metavar="[LANG=]FILES|-...", required=True)
@click.option(
    "--top",
    type=click.IntRange(min=0),
    default=20,
    show_default=True,
    metavar="N",
    help="Show the N most frequent characters; 0 shows all.",
)
@click.option(
    "--add",
    type=click.IntRange(min=1),
    metavar="N",
    help="Add tokens for the N most frequent, and write OUT.",
)
@click.option("-o", "--output", metavar="OUT", help="With --add: file to write.")
@common.format_option()
@common.replace_option
@common.field_option
@click.option("--csv", "as_csv", is_flag=True, help="Print all characters by language as CSV.")
@common.json_option
@common.force_option
def command(
    tokenizer_name: str,
    files: tuple[str, ...],
    top: int,
    add: int | None,
    output: str | None,
    file_format: str,
    replace: bool,
    field: str,
    as_csv: bool,
    as_json: bool,
    force: bool,
) -> None:
    """Find the characters of FILES that TOKENIZER has no token for, and what tokens for them would save.

    With byte fallback, these are the characters that become tokens of bytes; in a byte-level
    vocabulary, those that are in more than one token where they stand. FILES are those of
    `bpetok count`; each is a language by itself, with its name, unless LANG= puts several together.
    With --add, TOKENIZER (with byte fallback) gets a token for each of the most frequent, behind all its ids.
    """
    from bpetok import corpus
    from bpetok.cli.texts import as_text
    from bpetok.coverage import Coverage, add_characters, coverage

    if (add is None) != (output is None):
        raise click.UsageError("--add N and -o OUT go together: how many characters, and where to write to")
    if as_csv and as_json:
        raise click.UsageError("--csv and --json would both write to standard output: choose one")
    if output is not None:
        common.check_tokenizer_output(output, file_format, force=force)
    languages = {
        language: corpus.check(paths, field=field) for language, paths in _by_language(files).items()
    }
    tokenizer = common.load_tokenizer(tokenizer_name)
    found = {
        language: coverage(
            tokenizer,
            (as_text(document, replace=replace) for document in corpus.read(paths, field=field)),
        )
        for language, paths in languages.items()
    }
    total = sum(found.values(), Coverage())
    if output is not None:
        chosen = [each.character for each in total.characters[:add]]
        longer = add_characters(tokenizer, chosen)
        longer.save(output, file_format)
        click.echo(
            f"{tokenizer.name}: {len(chosen):,} token{'s' * (len(chosen) != 1)} added, "
            f"{longer.n_vocab:,} ids now; {total.saving(len(chosen)):,} tokens fewer on these texts",
            err=True,
        )
    shown = top or len(total.characters)
    if as_csv:
        _csv(found)
    elif as_json:
        exact = tokenizer.vocabulary.alphabet == "characters"
        common.echo_json(
            {
                "tokenizer": tokenizer.name,
                "alphabet": tokenizer.vocabulary.alphabet,
                "saves": "exactly" if exact else "at most",
                "languages": {language: _plain(each, shown) for language, each in found.items()},
                "total": _plain(total, shown),
                "output": output,
            }
        )
    else:
        _tables(found, total, shown, exact=tokenizer.vocabulary.alphabet == "characters")


def _by_language(files: tuple[str, ...]) -> dict[str, list[str]]:
    """Language to files: what stands before the first =, or the file's name without its endings."""
    languages: dict[str, list[str]] = {}
    for given in files:
        language, sign, path = given.partition("=")
        if not (language and sign and path) or Path(given).exists():
            language, path = (Path(given).name.split(".")[0] or given), given
        languages.setdefault(language, []).append(path)
    return languages


def _saved(each: "Coverage") -> list[tuple[int, int, float]]:
    """(characters added, tokens saved, share of all tokens), for powers of ten and for all."""
    steps = [n for n in (10, 100, 1000, 10_000) if n < len(each.characters)]
    return [(n, each.saving(n), each.saving(n) / each.n_tokens) for n in (*steps, len(each.characters)) if n]


def _named(characters: Iterable[str]) -> Mapping[str, tuple[str, str, str]]:
    """Character to its code point, name and script."""
    from bpetok.alphabet import scripts_of

    characters = list(characters)
    scripts = scripts_of(characters)
    return {
        char: (f"U+{ord(char):04X}", unicodedata.name(char, ""), scripts.get(char, "Zzzz"))
        for char in characters
    }


def _plain(each: "Coverage", shown: int) -> dict[str, Any]:
    rows = each.characters[:shown]
    names = _named(row.character for row in rows)
    return {
        "characters": each.n_characters,
        "tokens": each.n_tokens,
        "characters_apart": each.n_apart,
        "tokens_apart": each.n_apart_tokens,
        "distinct_apart": len(each.characters),
        "apart": [
            {
                **dict(zip(("code_point", "name", "script"), names[row.character], strict=True)),
                **row._asdict(),
            }
            for row in rows
        ],
        "adding": [{"n": n, "saves": saved, "share": round(share, 6)} for n, saved, share in _saved(each)],
    }


def _csv(found: Mapping[str, "Coverage"]) -> None:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(("language", "character", "code_point", "name", "script", "times", "saves"))
    for language, each in found.items():
        names = _named(row.character for row in each.characters)
        for row in each.characters:
            writer.writerow((language, row.character, *names[row.character], row.times, row.saves))
    click.echo(out.getvalue(), nl=False)


def _tables(found: Mapping[str, "Coverage"], total: "Coverage", shown: int, *, exact: bool) -> None:
    rows = list(found.items()) + [("total", total)] * (len(found) > 1)
    wide = max(len("language"), *(len(language) for language, _ in rows))
    click.echo(
        f"{'language':{wide}} {'characters':>14} {'apart':>12} {'share':>8} {'tokens':>14} {'apart':>12} "
        f"{'share':>8}"
    )
    for language, each in rows:
        click.echo(
            f"{language:{wide}} {_shares(each.n_characters, each.n_apart)} "
            f"{_shares(each.n_tokens, each.n_apart_tokens)}"
        )
    if not total.characters:
        return
    top = total.characters[:shown]
    names = _named(row.character for row in top)
    click.echo(f"\n{'':4} {'code point':10} {'times':>10} {'saves':>10}  script  name")
    for row in top:
        code, name, script = names[row.character]
        click.echo(
            f"{_visible(row.character):4} {code:10} {row.times:10,} {row.saves:10,}  {script:6}  {name}"
        )
    if len(top) < len(total.characters):
        click.echo(f"and {len(total.characters) - len(top):,} more (--top 0 shows all)")
    click.echo()
    for line in _savings(total, exact):
        click.echo(line)


def _savings(total: "Coverage", exact: bool) -> Iterator[str]:
    for n, saved, share in _saved(total):
        what = "the most frequent" if n < len(total.characters) else "all"
        yield f"tokens for {n:,} ({what}) save {'' if exact else 'at most '}{saved:,} tokens, {share:.2%}"


def _shares(whole: int, part: int) -> str:
    share = f"{part / whole:.2%}" if whole else "-"
    return f"{whole:14,} {part:12,} {share:>8}"


def _visible(char: str) -> str:
    from bpetok.cli import render

    shown = render.visible(char.encode())
    return shown if len(shown) <= 2 else ""
