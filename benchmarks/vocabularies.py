"""The vocabularies that bpetok embeds, written in the forms that other libraries read.

So all engines have the same tokens and nothing is downloaded. A ``.tiktoken`` file holds tokens and ranks, a
``.json`` file beside it tiktoken's pattern and special tokens, and a ``.tokenizer.json`` file all in the form
of Hugging Face's libraries. That one has no special tokens: the libraries that read it cannot be told to take
their text as ordinary text, which is what is measured.

A file of one's own, a ``tokenizer.json`` or a SentencePiece ``.model``, is measured as it is. There, special
tokens in the text are found, as the libraries that such files are made for do.
"""

import base64
import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import bpetok

# As in the published tokenizer.json files: by this spelling other libraries know the pattern.
CL100K = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)


GIVEN = {".json": ".given.json", ".model": ".given.model"}  # a user's file, by its ending


def prepare(encoding: str, folder: Path) -> str:
    """All files of an encoding, or of a tokenizer's file, which is then called by its name."""
    if not is_file(encoding):
        write(encoding, folder)
        return encoding
    path = Path(encoding)
    name = path.parent.name if path.stem == "tokenizer" and path.parent.name else path.stem
    shutil.copyfile(path, folder / (name + GIVEN[path.suffix]))
    return name


def is_file(encoding: str) -> bool:
    """Whether this is the path of a tokenizer's file that can be measured."""
    return Path(encoding).suffix in GIVEN and Path(encoding).is_file()


def given(encoding: str, folder: Path) -> Path | None:
    """The file that a name stands for; None for an embedded encoding."""
    found = (folder / (encoding + ending) for ending in GIVEN.values())
    return next((path for path in found if path.exists()), None)


def load(encoding: str, folder: Path) -> "bpetok.Tokenizer":
    """bpetok's tokenizer of an encoding, or of a file that was given."""
    import bpetok

    path = given(encoding, folder)
    return bpetok.get_encoding(encoding) if path is None else bpetok.Tokenizer.load(path)


def write(encoding: str, folder: Path) -> None:
    """All files of an encoding."""
    import bpetok

    tokenizer = bpetok.get_encoding(encoding)
    vocabulary = tokenizer.vocabulary
    ranks = sorted(vocabulary.ranks().items(), key=lambda item: item[1])
    lines = (b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranks)
    (folder / f"{encoding}.tiktoken").write_bytes(b"".join(lines))
    rest = {"pat_str": tokenizer.pattern.source, "special_tokens": dict(vocabulary.special_tokens)}
    (folder / f"{encoding}.json").write_text(json.dumps(rest), "utf-8")
    (folder / f"{encoding}.pattern").write_text(published(tokenizer), "utf-8")
    document = huggingface(vocabulary, published(tokenizer))
    (folder / f"{encoding}.tokenizer.json").write_text(json.dumps(document), "utf-8")


def published(tokenizer: "bpetok.Tokenizer") -> str:
    """The split pattern as Hugging Face's files have it."""
    return CL100K if tokenizer.pattern.name == "cl100k" else plain(tokenizer.pattern.source)


def plain(pattern: str) -> str:
    """A pattern for the regular expressions of `tokenizers`.

    They read `{1,3}+` as a repetition of a repetition, and `$` as before a newline too.
    """
    return re.sub(r"(\{\d,\d\}|[+*?])\+", r"\1", pattern).replace("$", r"\z")


def huggingface(vocabulary: "bpetok.Vocabulary", pattern: str) -> dict[str, Any]:
    """The content of a tokenizer.json."""
    spelled = {token: spell(data) for token, data in vocabulary.tokens().items()}
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": True,
            "vocab": {text: token for token, text in spelled.items()},
            "merges": [[spelled[left], spelled[right]] for left, right in vocabulary.merges().tolist()],
        },
    }


def split_by(pattern: str) -> Any:
    """The pre-tokenizer of `tokenizers` for a split pattern."""
    from tokenizers import Regex, pre_tokenizers

    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(plain(pattern)), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


VISIBLE = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
HIDDEN = [byte for byte in range(256) if byte not in VISIBLE]
SPELLING = {
    **{byte: chr(byte) for byte in VISIBLE},
    **{byte: chr(256 + at) for at, byte in enumerate(HIDDEN)},
}
BYTE_OF = {char: byte for byte, char in SPELLING.items()}


def spell(data: bytes) -> str:
    """Bytes in the alphabet of `tokenizers`' byte-level models."""
    return "".join(map(SPELLING.__getitem__, data))
