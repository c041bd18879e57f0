"""Ids as Python objects: one int for each id in the process, and lists of them."""

def _made_as_python_does(first: int, count: int) -> bool:
    """Whether the ints first, first + 1, ... of this module are like Python's own, so that it makes them."""

class IdBuffer:
    """Ids in memory that an array can be made over without copying them: native 32-bit integers."""

    def __buffer__(self, flags: int, /) -> memoryview: ...
