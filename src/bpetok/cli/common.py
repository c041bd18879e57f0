"""What several commands share: options, loading a tokenizer, writing files whole or not at all."""

import dataclasses
import functools
import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from bpetok import formats
from bpetok.errors import VocabularyError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

    from bpetok.tokenizer import Tokenizer

F = TypeVar("F", bound=Callable[..., Any])
R = TypeVar("R")

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for a program to read.")
field_option = click.option(
    "--field",
    default="text",
    show_default=True,
    metavar="NAME",
    help="Field (JSON lines) or column (Parquet) that holds the text.",
)
force_option = click.option("--force", is_flag=True, help="Overwrite OUT if it exists.")
replace_option = click.option("--replace", is_flag=True, help="Read bytes that are not UTF-8 as U+FFFD.")
files_argument = click.argument("files", nargs=-1, metavar="[FILES|-]...")

output_option = click.option("-o", "--output", required=True, metavar="OUT", help="File to write.")
pattern_option = click.option(
    "--pattern",
    metavar="NAME|REGEX",
    help="What cuts the text into pieces: gpt2, cl100k, o200k, llama3, qwen2, tekken, deepseek, or a regex  "
    "[default: cl100k]",
)


def bundle(
    name: str, kind: "type[DataclassInstance]", *options: Callable[[F], F]
) -> Callable[[Callable[..., R]], Callable[..., R]]:
    """A decorator that gives a command some options, which it gets as one argument.

    Args:
        name: of the argument.
        kind: a dataclass, whose fields are the parameters of the options.
        options: in the order of the command's help.
    """
    fields = [field.name for field in dataclasses.fields(kind)]

    def decorate(function: Callable[..., R]) -> Callable[..., R]:
        @functools.wraps(function)
        def command(**given: Any) -> R:
            bundled = kind(**{each: given.pop(each) for each in fields})
            return function(**given, **{name: bundled})

        for option in reversed(options):
            command = option(command)
        return command

    return decorate


def format_option(option: str = "--format") -> Callable[[F], F]:
    """The format of a tokenizer's file."""
    return click.option(
        option,
        "file_format",
        type=click.Choice(list(formats.FORMATS)),
        default="native",
        show_default=True,
        help="Format of OUT.",
    )


def learning_options(function: F) -> F:
    """`--min-frequency` and `--max-token-length`: which merges may be learned."""
    function = click.option(
        "--max-token-length", type=click.IntRange(min=1), metavar="N", help="Make no token of more bytes."
    )(function)
    return click.option(
        "--min-frequency",
        type=click.IntRange(min=1),
        default=2,
        show_default=True,
        metavar="N",
        help="Merge no pair that occurs less often.",
    )(function)


def byte_size(ctx: click.Context | None, param: click.Parameter | None, value: str | None) -> int | None:
    """A size with a unit, or without, in bytes.

    >>> byte_size(None, None, "512MiB"), byte_size(None, None, "1.5 GB"), byte_size(None, None, "1000")
    (536870912, 1500000000, 1000)
    """
    if value is None:
        return None
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(?:([KMGT])(i?)B?|B)?", value.strip(), re.IGNORECASE | re.ASCII)
    if match is None:
        raise click.BadParameter(
            f"{value!r} is not a size: write 512MiB, 2GB, or a number of bytes", ctx, param
        )
    number, unit, binary = match.groups()
    power = " KMGT".index(unit.upper()) if unit else 0
    return int(float(number) * (1024 if binary else 1000) ** power)


def tokenizer_option(*, default: str | None = None) -> Callable[[F], F]:
    """`-t TOKENIZER`, required when there is no default."""
    need: dict[str, Any] = (
        {"required": True} if default is None else {"default": default, "show_default": True}
    )
    return click.option(
        "-t",
        "--tokenizer",
        "tokenizer_name",
        metavar="TOKENIZER",
        envvar="BPETOK_TOKENIZER",
        show_envvar=True,
        help="An encoding (cl100k_base), a model (gpt-4o) or a tokenizer file.",
        **need,
    )


def text_options(*, special: str) -> Callable[[F], F]:
    """`--special`, `--allow-special` and `--replace`: what to do with text that is not plain text."""

    def decorate(function: F) -> F:
        function = replace_option(function)
        function = click.option(
            "--allow-special",
            multiple=True,
            metavar="TOKEN",
            help="Take this special token for what it is; may be repeated.",
        )(function)
        return click.option(
            "--special",
            type=click.Choice(["error", "none", "all"]),
            default=special,
            show_default=True,
            help="Special tokens in the text: refuse them, read them as ordinary text, or as tokens.",
        )(function)

    return decorate


def exclude(option: str, others: tuple[str, ...], why: str) -> None:
    """See that with an option of the command, none of some others is given.

    Args:
        option: as it is written.
        others: the names of their parameters.
        why: the reason, or what to do instead.

    Raises:
        click.UsageError: one is given.
    """
    context = click.get_current_context()
    for param in context.command.params:
        given = context.get_parameter_source(str(param.name)) is ParameterSource.COMMANDLINE
        if param.name in others and given:
            raise click.UsageError(f"{param.opts[-1]} does not go together with {option}: {why}")


def load_tokenizer(name: str) -> "Tokenizer":
    """The tokenizer for an encoding's name, a model's name, or a file's path.

    Raises:
        VocabularyError: it is none of the three.
        FormatError: the file is not a tokenizer.
    """
    import bpetok

    encodings = bpetok.list_encoding_names()
    if name in encodings:
        return bpetok.get_encoding(name)
    if os.path.exists(name):
        return bpetok.Tokenizer.load(name)
    with suppress(KeyError):
        return bpetok.encoding_for_model(name)
    raise VocabularyError(
        f"no tokenizer {name!r}: not a file, a model, or one of the encodings {', '.join(encodings)}"
    )


def check_output(path: str, *, force: bool, within: str | None = None) -> None:
    """See before any work begins that a file may be written.

    Args:
        path: the file, or "-".
        force: whether one that exists may be overwritten.
        within: a folder that is made for it, if it is not there.

    Raises:
        click.UsageError: it exists and may not be overwritten, or is a directory, or its folder is missing.
    """
    if path == "-":
        return
    target = Path(path)
    stream = path in ("/dev/stdout", "/dev/stderr") or path.startswith("/dev/fd/")  # may be a file, too
    if stream or (target.exists() and not target.is_file()):
        raise click.UsageError(f"{path} is not an ordinary file: name one, or - for standard output")
    if target.exists() and not force:
        raise click.UsageError(f"{path} exists: add --force to overwrite it, or name another file")
    folder = target.parent
    if within is not None and not os.path.lexists(within):
        folder = Path(within).parent
    if not folder.is_dir():
        raise click.UsageError(f"{path}: there is no folder {folder}: make it first")
    if not os.access(folder, os.W_OK):
        raise click.UsageError(f"{path}: the folder {folder} cannot be written to")


def check_tokenizer_output(output: str, file_format: str, *, force: bool, piped: bool = False) -> list[str]:
    """See before any work begins that a tokenizer may be written.

    Args:
        output: the file or folder.
        file_format: one of `formats.FORMATS`.
        force: whether files that exist may be overwritten.
        piped: whether "-" stands for standard output.

    Returns:
        The files that it will be.

    Raises:
        click.UsageError: one may not be written, or the output is "-" and cannot be.
    """
    paths = formats.paths(output, file_format)
    if output == "-" and not piped:
        raise click.UsageError("OUT must be a file: - is none")
    if output == "-" and len(paths) > 1:
        raise click.UsageError(
            f"--format {file_format} writes {len(paths)} files, so OUT cannot be -: name a file"
        )
    for path in paths:
        check_output(path, force=force, within=None if output in paths else output)
    return paths


@contextmanager
def open_output(path: str) -> Iterator[IO[bytes]]:
    """A file that appears under its name only when it is complete; "-" is standard output."""
    if path == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    target = os.path.realpath(path)  # a link stays a link
    draft = Path(f"{target}.{os.getpid()}.part")
    try:
        with open(draft, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(target):
            shutil.copymode(target, draft)
        os.replace(draft, target)
    except BaseException:
        with suppress(FileNotFoundError):
            draft.unlink()
        raise


def echo_json(value: object) -> None:
    """One line of JSON on standard output, in ASCII so that any terminal or pipe takes it."""
    click.echo(json.dumps(value))


def size(text: str | bytes) -> int:
    """Length in bytes of UTF-8; a lone surrogate is as long as the U+FFFD that it is encoded as."""
    return len(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))


def megabytes(n_bytes: float) -> str:
    """A size for a person to read.

    >>> megabytes(532), megabytes(12_345), megabytes(6_000_000)
    ('532 bytes', '12.3 kB', '6.0 MB')
    """
    if n_bytes < 1000:
        return f"{n_bytes:.0f} bytes"
    for unit in ("kB", "MB"):
        n_bytes /= 1000
        if n_bytes < 1000:
            return f"{n_bytes:.1f} {unit}"
    return f"{n_bytes / 1000:.1f} GB"
