"""tiktoken's plugin: `tiktoken.get_encoding("bpetok:...")`, with an embedded encoding or any tokenizer file.

tiktoken looks for modules in the namespace package `tiktoken_ext`, which therefore has no `__init__.py`, and
copies what `items()` of their `ENCODING_CONSTRUCTORS` gives into a dict of its own. The names of files cannot
be listed, so that dict is replaced, while the items are copied, by one that knows them. All that happens in
tiktoken's lock.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from typing import Any

__all__ = ["ENCODING_CONSTRUCTORS"]

PREFIX = "bpetok:"

Constructor = Callable[[], dict[str, Any]]


class _Known(dict[str, Constructor]):
    """tiktoken's dict of constructors, in which every name that starts with "bpetok:" is found.

    Args:
        before: the dict that it takes the place of: another plugin's may know more names than it lists.
    """

    def __init__(self, before: dict[str, Constructor]) -> None:
        super().__init__(before)
        self.before = before

    def __contains__(self, name: object) -> bool:
        return (
            super().__contains__(name)
            or (isinstance(name, str) and name.startswith(PREFIX))
            or name in self.before
        )

    def __missing__(self, name: str) -> Constructor:
        if name.startswith(PREFIX):
            return functools.partial(_construct, name.removeprefix(PREFIX))
        return self.before[name]


class _Constructors:
    """What tiktoken takes for a dict of this plugin's constructors; it calls `items` and nothing else."""

    def items(self) -> Iterator[tuple[str, Constructor]]:
        """The embedded encodings. Behind the last, tiktoken's dict begins to know the names of files: not
        before, because a name that is already known is an error."""
        from tiktoken import registry

        from bpetok.encodings import list_encoding_names

        for name in list_encoding_names():
            yield PREFIX + name, functools.partial(_construct, name)
        if isinstance(registry.ENCODING_CONSTRUCTORS, dict):
            registry.ENCODING_CONSTRUCTORS = _Known(registry.ENCODING_CONSTRUCTORS)


def _construct(name: str) -> dict[str, Any]:
    """The arguments of a `tiktoken.Encoding`, for an embedded encoding or the path of a file.

    Raises:
        FormatError: the file is damaged, or tiktoken cannot give the same ids on every text.
        OSError: there is no such file.
    """
    from bpetok.encodings import get_encoding, list_encoding_names
    from bpetok.formats import load
    from bpetok.formats.tiktoken import parts

    tokenizer = get_encoding(name) if name in list_encoding_names() else load(name)
    return parts(tokenizer, f"cannot make an encoding of tiktoken from {name}")


ENCODING_CONSTRUCTORS = _Constructors()
