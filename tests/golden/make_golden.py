"""Make the files in this folder anew: ``python tests/golden/make_golden.py``.

They pin down what the formats of this release look like. When a test says that they differ, either the
change is a mistake, or the format has a new version and the old files stay beside the new ones.
"""

from pathlib import Path

import numpy as np

from bpetok import Tokenizer, Vocabulary, decoding, normalization
from bpetok.added_tokens import AddedToken
from bpetok.formats import save
from bpetok.oniguruma import Expression
from bpetok.splits import Metaspace, Split, Splits
from bpetok.templates import Template

FOLDER = Path(__file__).parent
FILES = {"native": "toy.bpetok.json", "tiktoken": "toy.tiktoken", "huggingface": "toy.tokenizer.json"}
# Files of the native format's second version: characters merged by a list, and by scores.
SECOND = {"merges": "toy-merges.bpetok.json", "scores": "toy-scores.bpetok.json"}
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


def make_second(semantics: str) -> Tokenizer:
    """A tokenizer of characters that uses every part of the native format."""
    texts = [" ", "a", "b", "c", "\u00e9", "\u6771", "ab", "abc", " a", "\u00e9\u6771"]
    tokens = {260 + at: text.encode() for at, text in enumerate(texts)}
    specials = {"<s>": 256, "</s>": 257, "<unk>": 258, "<tool>": 300}
    scores = {260 + at: -0.5 * at for at in range(len(texts))}
    vocabulary = Vocabulary.from_characters(
        tokens,
        special_tokens=specials,
        byte_tokens=range(256),
        unknown=258,
        fuse_unknown=True,
        **(
            {"scores": scores, "unused": [268]}
            if semantics == "scores"
            else {"merges": [(261, 262), (266, 263), (260, 261), (264, 265)], "ignore_merges": True}
        ),
    )
    return Tokenizer.from_vocabulary(
        "toy",
        Splits((Metaspace(prepend_scheme="always"), Split(Expression("[0-9]"), "Isolated"))),
        vocabulary,
        provenance={"made_by": "tests/golden/make_golden.py"},
        normalizer=normalization.Sequence((normalization.NFC(), normalization.Replace("\t", "  "))),
        added_tokens=[AddedToken("<tool>", 300, special=False, lstrip=True)],
        template=Template((256, "A"), (256, "A", 257, "B")),
        decoder=decoding.Steps(
            (
                decoding.Replace("\u2581", " "),
                decoding.ByteFallback(),
                decoding.Fuse(),
                decoding.Strip(" ", 1, 0),
            ),
            plain=True,
        ),
        chat_template="{% for m in messages %}\n{{ m }}{% endfor %}",
        dropout=0.1,
    )


if __name__ == "__main__":
    for semantics, name in SECOND.items():
        save(make_second(semantics), FOLDER / name)
    for format, name in FILES.items():
        save(make(), FOLDER / name, format)
