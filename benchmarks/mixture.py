"""Files to train on: an equal share of each kind of text, of any size.

Where a kind has less text than its share, its documents come again, with the words of each line and the lines
of each document in another order. Such text has the words of the first, at other places: enough to see what
counting and memory do, but it has fewer different words than new text would have.
"""

import hashlib
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from bpetok_bench import corpus


def write(
    target: Path,
    n_bytes: int,
    kinds: Sequence[str] = corpus.KINDS,
    given: Sequence[Path] = (),
    folder: Path | None = None,
) -> dict[str, Any]:
    """Write a file of at least `n_bytes`, and say what is in it.

    Raises:
        ValueError: there is no text of a kind.
    """
    digest = hashlib.sha256()
    parts = {}
    with open(target, "wb") as file:
        for kind in ["given"] if given else kinds:
            share = n_bytes // (1 if given else len(kinds))
            found = corpus.build(kind, share, given, folder)
            if not found.n_bytes:
                raise ValueError(f"{kind}: there is no text")
            written = 0
            for text in repeated(found.texts):
                data = f"{text}\n".encode()
                file.write(data)
                digest.update(data)
                written += len(data)
                if written >= share:
                    break
            again = max(written - found.n_bytes - len(found.texts), 0)  # a newline follows each text
            parts[kind] = {**found.describe(), "written_bytes": written, "reordered_bytes": again}
    size = sum(part["written_bytes"] for part in parts.values())
    return {"bytes": size, "sha256": digest.hexdigest(), "parts": parts}


def repeated(texts: Sequence[str]) -> Iterator[str]:
    """The texts, and then again and again in other orders, the same at every call."""
    yield from texts
    draw = random.Random(0)
    while True:
        for text in texts:
            lines = text.split("\n")
            draw.shuffle(lines)
            yield "\n".join(turned(line, draw.randrange(1, 8)) for line in lines)


def turned(line: str, n_words: int) -> str:
    """A line that begins with another of its words; what stands before the first word stays."""
    body = line.lstrip()
    words = body.split(" ")
    at = n_words % len(words)
    return line[: len(line) - len(body)] + " ".join(words[at:] + words[:at])
