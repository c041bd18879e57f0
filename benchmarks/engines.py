"""The libraries that are measured, behind the same few methods.

An engine's `prepare` is called once in the process that directs, and writes the vocabulary in the form that
the library reads; the vocabulary is always the one that bpetok embeds, so nothing is downloaded. All else
happens in a process of the engine's own. Libraries are imported where they are used, so that a process holds
none but its own.

An engine that is not listed here is named ``module:Class``.
"""

import base64
import importlib
import importlib.util
import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt


class Engine(Protocol):
    """A library with a vocabulary loaded."""

    library: ClassVar[str]

    @staticmethod
    def prepare(encoding: str, folder: Path) -> None: ...

    def __init__(self, encoding: str, folder: Path) -> None: ...

    @property
    def encode(self) -> Callable[[str], list[int]]: ...

    def encode_array(self, text: str) -> "npt.NDArray[np.uint32]": ...


class Bpetok:
    library: ClassVar[str] = "bpetok"

    @staticmethod
    def prepare(encoding: str, folder: Path) -> None:
        pass

    def __init__(self, encoding: str, folder: Path) -> None:
        import bpetok

        self.tokenizer = bpetok.get_encoding(encoding)
        self.encode = self.tokenizer.encode_ordinary

    def encode_array(self, text: str) -> "npt.NDArray[np.uint32]":
        return self.tokenizer.encode_to_numpy(text, disallowed_special=())


class Tiktoken:
    library: ClassVar[str] = "tiktoken"

    @staticmethod
    def prepare(encoding: str, folder: Path) -> None:
        import bpetok

        tokenizer = bpetok.get_encoding(encoding)
        ranks = sorted(tokenizer.vocabulary.ranks().items(), key=lambda item: item[1])
        lines = (b"%s %d\n" % (base64.b64encode(token), rank) for token, rank in ranks)
        (folder / f"{encoding}.tiktoken").write_bytes(b"".join(lines))
        rest = {
            "pat_str": tokenizer.pattern.source,
            "special_tokens": dict(tokenizer.vocabulary.special_tokens),
        }
        (folder / f"{encoding}.json").write_text(json.dumps(rest), "utf-8")

    def __init__(self, encoding: str, folder: Path) -> None:
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe

        # What tiktoken.get_encoding does once the file has been downloaded.
        os.environ["TIKTOKEN_CACHE_DIR"] = ""
        ranks = load_tiktoken_bpe(str(folder / f"{encoding}.tiktoken"))
        rest = json.loads((folder / f"{encoding}.json").read_text("utf-8"))
        self.encoding = tiktoken.Encoding(encoding, mergeable_ranks=ranks, **rest)
        self.encode = self.encoding.encode_ordinary

    def encode_array(self, text: str) -> "npt.NDArray[np.uint32]":
        return self.encoding.encode_to_numpy(text, disallowed_special=())


class Tokenizers:
    library: ClassVar[str] = "tokenizers"

    @staticmethod
    def prepare(encoding: str, folder: Path) -> None:
        import tokenizers

        import bpetok

        tokenizer = bpetok.get_encoding(encoding)
        vocabulary = tokenizer.vocabulary
        spelled = {token: spell(data) for token, data in vocabulary.tokens().items()}
        merges = [(spelled[left], spelled[right]) for left, right in vocabulary.merges().tolist()]
        model = tokenizers.models.BPE(
            vocab={text: token for token, text in spelled.items()}, merges=merges, ignore_merges=True
        )
        theirs = tokenizers.Tokenizer(model)
        theirs.pre_tokenizer = split_by(tokenizer.pattern.source)
        theirs.save(str(folder / f"{encoding}.tokenizer.json"))

    def __init__(self, encoding: str, folder: Path) -> None:
        import tokenizers

        self.tokenizer = tokenizers.Tokenizer.from_file(str(folder / f"{encoding}.tokenizer.json"))

    def encode(self, text: str) -> list[int]:
        # The fastest way to ids: without the offsets that `encode` keeps.
        return self.tokenizer.encode_batch_fast([text], add_special_tokens=False)[0].ids

    def encode_array(self, text: str) -> "npt.NDArray[np.uint32]":
        import numpy as np

        return np.asarray(self.encode(text), np.uint32)


def split_by(pattern: str) -> Any:
    """The pre-tokenizer of `tokenizers` for a split pattern."""
    from tokenizers import Regex, pre_tokenizers

    # Its regular expressions read `{1,3}+` as a repetition of a repetition, and `$` as before a newline too.
    plain = re.sub(r"(\{\d,\d\}|[+*?])\+", r"\1", pattern).replace("$", r"\z")
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(plain), "isolated"),
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


ENGINES: dict[str, type[Engine]] = {"bpetok": Bpetok, "tiktoken": Tiktoken, "tokenizers": Tokenizers}


def find(name: str, listed: Mapping[str, type[Any]] = ENGINES) -> Any:
    """A class that is listed, or one that is named ``module:Class``."""
    if name in listed:
        return listed[name]
    module, _, attribute = name.partition(":")
    if not attribute:
        raise SystemExit(f"no engine is called {name!r}: use {', '.join(listed)} or module:Class")
    return getattr(importlib.import_module(module), attribute)


def installed(listed: Mapping[str, type[Any]] = ENGINES) -> list[str]:
    """The names of the classes whose library is installed."""
    return [name for name, each in listed.items() if importlib.util.find_spec(each.library)]
