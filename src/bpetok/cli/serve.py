"""`bpetok serve`: the page to explore tokenizers with, in one's own browser."""

import contextlib

import click

from bpetok.cli import common


@click.command("serve")
@click.argument("names", metavar="[TOKENIZER]...", nargs=-1)
@click.option(
    "--corpus",
    default="phrasebook",
    show_default=True,
    metavar="NAME|PATH",
    help="What languages are measured on.",
)
@click.option(
    "--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="The address to listen on."
)
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8765,
    show_default=True,
    help="The port; 0 for any free one.",
)
@click.option(
    "--allow-host",
    "allowed",
    multiple=True,
    metavar="NAME",
    help="Answer for this name too, besides the address. Repeatable.",
)
def command(names: tuple[str, ...], corpus: str, host: str, port: int, allowed: tuple[str, ...]) -> None:
    """Explore tokenizers in a browser: files, or names of published encodings.

    Listens on this machine only unless --host says otherwise. Ctrl-C ends it.
    """
    from bpetok.errors import MissingExtraError

    try:
        import uvicorn
    except ImportError as error:
        raise MissingExtraError(
            'serving needs uvicorn: install it with pip install "bpetok[serve]"'
        ) from error
    from bpetok.page.server import LOOPBACK, application

    tokenizers = {name: common.load_tokenizer(name) for name in names or ("cl100k_base", "o200k_base")}
    app = application(tokenizers, corpus, (*LOOPBACK, host, *allowed))
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        log_level="warning",
        lifespan="off",
        timeout_graceful_shutdown=3,
        server_header=False,
    )
    if host not in LOOPBACK:
        click.echo(f"Everyone who reaches {host} can use this page: there is no password.", err=True)
    server = uvicorn.Server(config)
    # Bound here, so that the address can be told, with the port that was free.
    with config.bind_socket() as socket:
        socket.listen()  # before the address is told: who opens it at once must not be refused
        where, chosen = socket.getsockname()[:2]
        click.echo(f"http://{f'[{where}]' if ':' in where else where}:{chosen}/")
        # Uvicorn closes what is open and then raises again what ended it.
        with contextlib.suppress(KeyboardInterrupt):
            server.run(sockets=[socket])
