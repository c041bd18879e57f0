"""Make the files in this folder anew: ``python tests/golden/make_golden.py``.

They pin down what the formats of this release look like. When a test says that they differ, either the
change is a mistake, or the format has a new version and the old files stay beside the new ones.
"""

from pathlib import Path

import numpy as np

from bpetok import Tokenizer, Vocabulary
from bpetok.formats import save

FOLDER = Path(__file__).parent
FILES = {"native": "toy.bpetok.json", "tiktoken": "toy.tiktoken", "huggingface": "toy.tokenizer.json"}
PARTS = ["th", "the", "an", "and", " the", " and", "in", "ing", " c", " ca", "\u00e9", "\n\n", "  "]


def make() -> Tokenizer:
    """A tokenizer that uses every part of the formats."""
    tokens = [bytes([byte]) for byte in range(256)]
    merges = []
    for at, part in enumerate(PARTS):
        data = part.encode()
        cut = next(n for n in range(len(data) - 1, 0, -1) if data[:n] in tokens and data[n:] in tokens)
        merges.append((tokens.index(data[:cut]), tokens.index(data[cut:])))
        assert len(tokens) == 256 + at
        tokens.append(data)
    vocabulary = Vocabulary.from_merges(
        tokens,
        merges,
        {"<|endoftext|>": 269, "<\u00e9>": 270},
        merge_counts=np.arange(1300, 0, -100),
    )
    provenance = {"made_by": "tests/golden/make_golden.py", "numbers": [1, 0.5, None, True]}
    return Tokenizer.from_vocabulary("toy", "cl100k", vocabulary, provenance=provenance)


if __name__ == "__main__":
    for format, name in FILES.items():
        save(make(), FOLDER / name, format)
