"""The `bpetok` command: finds the command that is asked for, and turns errors into messages and exit codes.

Exit codes: 0 done; 1 a defect in bpetok (with a traceback), or a condition of `diagnose --fail-on` holds; 2
bad input, a file that cannot be read or written, or wrong usage; 130 interrupted. A command's module is
loaded only when the command is named.
"""

import sys
from importlib import import_module
from typing import Any

import click

from bpetok.errors import BpetokError

COMMANDS = (
    "train",
    "tally",
    "extend",
    "prune",
    "coverage",
    "convert",
    "verify",
    "encode",
    "decode",
    "count",
    "inspect",
    "explain",
    "diagnose",
    "data",
    "serve",
    "lm",
    "demo",
    "bench",
)
INTERRUPTED = 130  # 128 + SIGINT, as shells report it


class Failure(click.ClickException):
    """Bad input: a message, no traceback."""

    exit_code = 2


class Commands(click.Group):
    """A group that imports `bpetok.cli.<command>` when the command is needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load one command, or give None for an unknown name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"bpetok.cli.{cmd_name}").command
        return command

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; errors that are the input's fault leave with a message and code 2."""
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            raise  # the reader of our output has gone, and click ends quietly
        except BpetokError as error:
            raise Failure(str(error)) from error
        except OSError as error:
            where = f"{error.filename}: " if error.filename is not None else ""
            raise Failure(f"{where}{error.strerror or error}") from error
        except KeyboardInterrupt:
            click.echo("Interrupted: no output file was written or changed.", err=True)
            ctx.exit(INTERRUPTED)


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="bpetok", message="%(prog)s %(version)s")
def cli() -> None:
    """Train byte-level BPE tokenizers, and encode, decode and look into text with them."""


def main() -> None:
    """Run the command line (the `bpetok` script, and `python -m bpetok`)."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character gets a question mark, not a traceback.
        getattr(stream, "reconfigure", lambda **_: None)(errors="replace")
    cli(prog_name="bpetok")
