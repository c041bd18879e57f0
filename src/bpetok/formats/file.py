"""A file that a tokenizer may be in: what recognising and reading it start from."""

from __future__ import annotations

import functools
import os
import re
import stat
from typing import Any

from bpetok.errors import FormatError
from bpetok.formats.checks import parse_json, read_file

__all__ = ["File"]

HEAD = 1 << 12


class File:
    """A file, read no further than is asked for: a model's may have many gigabytes.

    Args:
        path: the file.
        folder: the folder that was named instead of it, if one was.

    Attributes:
        path: where it is.
        folder: as given.
        head: its first 4,096 bytes.

    Raises:
        FormatError: it is no regular file.
        OSError: it does not exist or cannot be read.
    """

    def __init__(self, path: str, *, folder: str | None = None) -> None:
        self.path = path
        self.folder = folder
        if not stat.S_ISREG(os.stat(path).st_mode):
            raise FormatError(f"{path} is not a regular file: name the file that the tokenizer was saved to")
        with open(path, "rb") as file:
            self.head = file.read(HEAD)

    @functools.cached_property
    def data(self) -> bytes:
        """The whole content.

        Raises:
            FormatError: it is larger than any tokenizer's.
        """
        return read_file(self.path)

    @property
    def is_json(self) -> bool:
        """Whether it begins as a JSON object does."""
        return re.match(rb"\s*\{", self.head) is not None

    @functools.cached_property
    def document(self) -> dict[str, Any]:
        """The JSON object in it; an empty one when it does not begin as one does.

        Raises:
            FormatError: it is truncated or damaged.
        """
        document: dict[str, Any] = parse_json(self.data, self.path) if self.is_json else {}
        return document
