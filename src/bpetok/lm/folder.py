"""The folder of an experiment: how its files are named, read and written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bpetok.errors import FormatError
from bpetok.formats.atomic import write_files

__all__ = ["VERSION", "cuts_name", "plain_name", "read", "write"]

VERSION = 1  # of all files


def read(path: Path, *keys: str, many: bool = False) -> Any:
    """The JSON of a file.

    Args:
        path: of the file.
        keys: what its object must have.
        many: whether it is a list of such objects.

    Raises:
        FormatError: the file cannot be read, or holds something else.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise FormatError(
            f"{path} cannot be read ({error}): delete it, and `bpetok lm run` makes it anew"
        ) from error
    records = value if many and isinstance(value, list) else [value]
    if not all(isinstance(one, dict) and all(key in one for key in keys) for one in records):
        raise FormatError(
            f"{path} does not hold {', '.join(keys) or 'an object'}: delete it, and `bpetok lm run` makes it "
            "anew"
        )
    return value


def write(path: Path, value: Mapping[str, Any] | list[Any], indent: int | None = 1) -> None:
    """Write a file, whole or not at all."""
    write_files({str(path): (json.dumps(value, ensure_ascii=False, indent=indent) + "\n").encode()})


def plain_name(name: str) -> str:
    """The name of an arm or a task, as a part of a file's name.

    >>> plain_name("spell@phrasebook:ell_Grek")
    'spell_phrasebook_ell_Grek'
    """
    return "".join(char if char.isalnum() or char == "-" else "_" for char in name)


def cuts_name(arm: str, source: str | None) -> str:
    """What the file is called that holds how an arm cuts the test words of a source; None stands for the
    experiment's own words.

    >>> cuts_name("bpe:80", None), cuts_name("bpe:80", "phrasebook:ell_Grek")
    ('bpe_80', 'bpe_80@phrasebook_ell_Grek')
    """
    return plain_name(arm) if source is None else f"{plain_name(arm)}@{plain_name(source)}"
