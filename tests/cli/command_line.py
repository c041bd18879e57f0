"""Running the command line: in this process, or as a process of its own."""

import os
import subprocess
import sys

from click.testing import CliRunner, Result

from bpetok.cli.main import cli

COMMAND = [sys.executable, "-m", "bpetok"]


def run(*arguments: object, stdin: str | bytes | None = None) -> Result:
    """Run a command in this process."""
    result = CliRunner().invoke(
        cli, [str(argument) for argument in arguments], input=stdin, prog_name="bpetok"
    )
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def run_process(
    *arguments: object, stdin: bytes = b"", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command as a process with pipes, as a shell script does."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        env={**os.environ, **(env or {})},
        timeout=120,
        check=False,
    )


def refused(result: Result, *parts: str) -> None:
    """The command ended with code 2 and one message that has all the parts, and no traceback."""
    assert result.exit_code == 2, result.output
    assert not result.stdout
    assert "Traceback" not in result.stderr
    for part in parts:
        assert part in result.stderr
