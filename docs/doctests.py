"""An extension for building the API reference: doctests in docstrings are shown as code."""

import re
from typing import Any

import griffe

# From a prompt to the next empty line, with the blanks before it.
_DOCTEST = re.compile(r"^( *)>>> (?:.+\n?)+", re.MULTILINE)


def fenced(docstring: str) -> str:
    """A docstring with a fence around each of its doctests."""
    return _DOCTEST.sub(lambda found: f"{found[1]}```pycon\n{found[0].rstrip()}\n{found[1]}```\n", docstring)


class Doctests(griffe.Extension):
    """Fences the doctests of every object that is documented."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called for each object that has been read."""
        if obj.docstring is not None:
            obj.docstring.value = fenced(obj.docstring.value)
