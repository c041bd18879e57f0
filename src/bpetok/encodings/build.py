"""Make the embedded encodings from published `.tiktoken` files.

Usage, from the project's root: ``python src/bpetok/encodings/build.py FOLDER [--check]``

FOLDER holds ``gpt2.tiktoken``, ``cl100k_base.tiktoken`` and ``o200k_base.tiktoken``, or each with
``.gz`` behind it: lines of base64 and rank. Their SHA-256 is compared with the one that tiktoken's
``openai_public.py`` states. ``p50k_base`` is GPT-2's vocabulary and 24 tokens of 2 to 25 spaces; its file
is composed from that and must have the published hash too. ``--check`` writes nothing and exits 1 when a
file here differs from what would be written.
"""

import base64
import gzip
import hashlib
import sys
from pathlib import Path

from bpetok.encodings import SHA256
from bpetok.vocabulary import Vocabulary

SOURCES = {"r50k_base": "gpt2", "cl100k_base": "cl100k_base", "o200k_base": "o200k_base"}
TARGET = Path(__file__).parent


def read(folder: Path, name: str) -> bytes:
    """The published file, unpacked."""
    plain = folder / f"{name}.tiktoken"
    return (
        plain.read_bytes()
        if plain.exists()
        else gzip.decompress((folder / f"{name}.tiktoken.gz").read_bytes())
    )


def main(arguments: list[str]) -> int:
    """Write the four binaries, or with ``--check`` compare them."""
    folder = Path(next(argument for argument in arguments if not argument.startswith("-")))
    files = {name: read(folder, source) for name, source in SOURCES.items()}
    spaces = (b"%s %d\n" % (base64.b64encode(b" " * n), 50255 + n) for n in range(2, 26))
    files["p50k_base"] = files["r50k_base"] + b"".join(spaces)
    differing = 0
    for name, data in files.items():
        if hashlib.sha256(data).hexdigest() != SHA256[name]:
            raise SystemExit(f"{name}: the file does not have the published SHA-256 {SHA256[name]}")
        lines = (line.split() for line in data.splitlines())
        ranks = {base64.b64decode(token): int(rank) for token, rank in lines}
        blob = Vocabulary.from_ranks(ranks, {}).tables.to_binary()
        if Vocabulary.from_binary(blob, {}, name).ranks() != ranks:
            raise SystemExit(f"{name}: the compact form does not give the same ranks")
        path = TARGET / f"{name}.bin"
        if "--check" in arguments:
            differing += not path.exists() or path.read_bytes() != blob
        else:
            path.write_bytes(blob)
        print(f"{name}: {len(ranks)} tokens, {len(blob)} bytes")
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
