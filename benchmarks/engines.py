"""The libraries that are measured, behind the same few methods.

Every engine is used in the fastest way its documentation shows for a task, so methods are overridden where a
library has something better than the obvious. `threads` is how many may run in the batches; the process has
that many processors, and `THREADS` in its environment.

Libraries are imported where they are used, so that a process holds none but its own. Vocabularies come from
the files of `vocabularies.write`; a library that reads no files uses those it carries, and only has them for
some encodings. An engine that is not listed here is named ``module:Class``.
"""

import functools
import importlib
import importlib.util
import json
import os
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from bpetok_bench import vocabularies

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Ids = npt.NDArray[np.uint32]
    Flat = tuple[Ids, npt.NDArray[np.integer[Any]]]

THREADS = "RAYON_NUM_THREADS"  # read by everything written in Rust


class Engine:
    """A library with a vocabulary loaded.

    A method that a library has no answer for raises NotImplementedError, which is recorded.
    """

    library: ClassVar[str]  # as it is imported
    reads: ClassVar[tuple[str, ...]] = ()  # endings of the files of one's own that it reads
    has_encodings: ClassVar[bool] = True  # or reads the files that they are written to
    package: ClassVar[str] = ""  # as it is installed, where that is another name

    encode: Callable[[str], list[int]]
    decode: Callable[[list[int]], str]

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        self.threads = threads

    def encode_array(self, text: str) -> "Ids":
        import numpy as np

        return np.asarray(self.encode(text), np.uint32)

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        if self.threads > 1:
            raise NotImplementedError("it has no batches with threads")
        return list(map(self.encode, texts))

    def encode_flat(self, texts: list[str]) -> "Flat":
        """All ids in one array, and where those of each text begin and end."""
        if self.threads > 1:
            return joined(self.encode_batch(texts))
        return joined([self.encode_array(text) for text in texts])

    def count(self, text: str) -> int:
        return len(self.encode(text))


class Bpetok(Engine):
    library = "bpetok"
    reads = (".json", ".model")

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        self.threads = threads
        self.tokenizer = vocabularies.load(encoding, folder)
        self.decode = self.tokenizer.decode
        path = vocabularies.given(encoding, folder)
        # What those find that `tokenizer.json` is made for; SentencePiece finds no special tokens in text.
        found: Any = "all" if path is not None and path.suffix == ".json" else set()
        self.how: dict[str, Any] = {"allowed_special": found, "disallowed_special": ()}
        self.encode = (
            functools.partial(self.tokenizer.encode, **self.how) if found else self.tokenizer.encode_ordinary
        )

    def encode_array(self, text: str) -> "Ids":
        return self.tokenizer.encode_to_numpy(text, **self.how)

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer.encode_batch(texts, num_threads=self.threads, **self.how)

    def encode_flat(self, texts: list[str]) -> "Flat":
        return self.tokenizer.encode_flat(texts, num_threads=self.threads, **self.how)

    def count(self, text: str) -> int:
        return self.tokenizer.count(text, **self.how)


class Tiktoken(Engine):
    library = "tiktoken"

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import tiktoken
        from tiktoken.load import load_tiktoken_bpe

        # What tiktoken.get_encoding does once the file has been downloaded.
        os.environ["TIKTOKEN_CACHE_DIR"] = ""
        ranks = load_tiktoken_bpe(str(folder / f"{encoding}.tiktoken"))
        rest = json.loads((folder / f"{encoding}.json").read_text("utf-8"))
        self.threads = threads
        self.encoding = tiktoken.Encoding(encoding, mergeable_ranks=ranks, **rest)
        self.encode = self.encoding.encode_ordinary
        self.decode = self.encoding.decode

    def encode_array(self, text: str) -> "Ids":
        return self.encoding.encode_to_numpy(text, disallowed_special=())

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        if self.threads == 1:
            return super().encode_batch(texts)
        return self.encoding.encode_ordinary_batch(texts, num_threads=self.threads)

    def count(self, text: str) -> int:
        return len(self.encode_array(text))


class Tokenizers(Engine):
    library = "tokenizers"
    reads = (".json",)

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import tokenizers

        os.environ["TOKENIZERS_PARALLELISM"] = "true" if threads > 1 else "false"
        self.tokenizer = tokenizers.Tokenizer.from_file(str(json_of(encoding, folder)))
        self.decode = self.tokenizer.decode

    def encode(self, text: str) -> list[int]:
        # Without the offsets that its `encode` keeps.
        return self.encode_batch([text])[0]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return [each.ids for each in self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)]

    def encode_flat(self, texts: list[str]) -> "Flat":
        return joined(self.encode_batch(texts))


class Fastokens(Engine):
    library = "fastokens"
    reads = (".json",)

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import fastokens

        self.threads = threads
        path = vocabularies.given(encoding, folder)
        if path is not None:
            self.tokenizer = fastokens.Tokenizer.from_file(str(path))
        else:
            self.tokenizer = fastokens.Tokenizer.from_tiktoken(
                str(folder / f"{encoding}.tiktoken"),
                pattern=(folder / f"{encoding}.pattern").read_text("utf-8"),
                special_tokens={},
            )
        self.decode = self.tokenizer.decode

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids

    def encode_array(self, text: str) -> "Ids":
        return self.encode_flat([text])[0]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        if self.threads == 1:
            return super().encode_batch(texts)
        return [each.ids for each in self.tokenizer.encode_batch(texts)]

    def encode_flat(self, texts: list[str]) -> "Flat":
        return from_bytes(*self.tokenizer.encode_batch_flat(texts))

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode(text))


class Snaptokens(Engine):
    library = "snaptokens"
    reads = (".json",)

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import snaptokens

        self.tokenizer = snaptokens.Tokenizer.from_file(str(json_of(encoding, folder)))
        self.decode = self.tokenizer.decode

    def encode(self, text: str) -> list[int]:
        return self.tokenizer.encode(text).ids

    def encode_array(self, text: str) -> "Ids":
        return self.encode_flat([text])[0]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return rows(*self.encode_flat(texts))  # faster than its own `encode_batch`

    def encode_flat(self, texts: list[str]) -> "Flat":
        return from_bytes(*self.tokenizer.encode_batch_flat(texts))

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode(text))


class Gigatoken(Engine):
    library = "gigatoken"
    reads = (".json", ".model")
    schemes: ClassVar = {"gpt2": "gpt2", "r50k_base": "gpt2", "cl100k_base": "gpt4", "o200k_base": "o200k"}

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import gigatoken

        path = vocabularies.given(encoding, folder)
        self.parallel = threads > 1
        if path is not None:
            read = gigatoken.Tokenizer if path.suffix == ".json" else gigatoken.Tokenizer.from_sentencepiece
            self.tokenizer = read(path).backend
        elif encoding in self.schemes:
            path = folder / f"{encoding}.tiktoken"
            self.tokenizer = gigatoken.Tokenizer.from_tiktoken(path, self.schemes[encoding], {}).backend
        else:
            raise NotImplementedError(f"it has no pattern for {encoding}")
        self.encode_array = self.tokenizer.encode

    def encode(self, text: str) -> list[int]:
        if len(text) < 1000:  # from where the second way is the faster one
            return self.tokenizer.encode(text).tolist()
        return self.tokenizer.encode_batch_list([text], parallel=False)[0]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer.encode_batch_list(texts, parallel=self.parallel)

    def encode_flat(self, texts: list[str]) -> "Flat":
        layout = self.tokenizer.encode_batch(texts, parallel=self.parallel).layout
        return layout.content.data, layout.offsets.data

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode(text))

    def decode(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids).decode("utf-8", "replace")


class Quicktok(Engine):
    library = "quicktok"
    package = "quicktok-v1"

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import quicktok

        self.threads = threads
        self.tokenizer = quicktok.get_encoding(encoding)
        self.encode = self.tokenizer.encode_ordinary
        self.decode = self.tokenizer.decode
        self.count = self.tokenizer.count

    def encode_array(self, text: str) -> "Ids":
        return self.tokenizer.encode_batch([text], 1)[0]

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return super().encode_batch(texts) if self.threads == 1 else rows(*self.encode_flat(texts))

    def encode_flat(self, texts: list[str]) -> "Flat":
        return self.tokenizer.encode_batch(texts, self.threads)


class Toktok(Engine):
    library = "toktok"
    package = "toktok-rs"

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import toktok

        self.threads = threads
        self.tokenizer = toktok._encoding(encoding)  # what its documentation names for all but counting
        self.encode = self.tokenizer.encode_ordinary
        self.decode = self.tokenizer.decode
        self.count = self.tokenizer.count

    def encode_array(self, text: str) -> "Ids":
        return self.tokenizer.encode_to_numpy(text, disallowed_special=())

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return super().encode_batch(texts) if self.threads == 1 else rows(*self.encode_flat(texts))

    def encode_flat(self, texts: list[str]) -> "Flat":
        return self.tokenizer.encode_batch_to_numpy(texts, self.threads)


class Tuetoken(Engine):
    library = "tuetoken"
    reads = (".json",)

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import tuetoken

        self.threads = threads
        self.tokenizer = tuetoken.Tokenizer(str(json_of(encoding, folder)))
        self.encode = self.tokenizer.encode_ordinary
        self.decode = self.tokenizer.decode
        self.count = self.tokenizer.count_tokens

    def encode_array(self, text: str) -> "Ids":
        import numpy as np

        return np.frombuffer(self.tokenizer.encode_to_bytes(text), np.uint32)

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer.encode_ordinary_batch(texts, self.threads)

    def encode_flat(self, texts: list[str]) -> "Flat":
        found = self.tokenizer.encode_ordinary_to_buffer(texts, self.threads)
        return found["data"], found["offsets"]


class RsBpe(Engine):
    library = "rs_bpe"
    package = "rs-bpe"

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        from rs_bpe.bpe import openai

        if not hasattr(openai, encoding):
            raise NotImplementedError(f"it has no {encoding}")
        self.threads = threads
        self.tokenizer = getattr(openai, encoding)()
        self.options = openai.ParallelOptions(1, 100, threads)
        self.encode = self.tokenizer.encode
        self.decode = self.tokenizer.decode
        self.count = self.tokenizer.count

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        if self.threads == 1:
            return super().encode_batch(texts)
        return self.tokenizer.encode_batch_parallel(texts, self.options)[0]


class Splintr(Engine):
    library = "splintr"
    package = "splintr-rs"

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import splintr

        self.threads = threads
        self.tokenizer = splintr.Tokenizer.from_pretrained(encoding)
        self.encode = self.tokenizer.encode_ordinary
        self.decode = self.tokenizer.decode_lossy

    def encode_array(self, text: str) -> "Ids":
        import numpy as np

        return np.frombuffer(self.tokenizer.encode_flat(text), np.uint32)

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return super().encode_batch(texts) if self.threads == 1 else self.tokenizer.encode_batch(texts)

    def encode_flat(self, texts: list[str]) -> "Flat":
        return from_bytes(*self.tokenizer.encode_batch_flat(texts))

    def count(self, text: str) -> int:
        return len(self.tokenizer.encode_flat(text)) // 4


class SentencePiece(Engine):
    library = "sentencepiece"
    reads = (".model",)
    has_encodings = False

    def __init__(self, encoding: str, folder: Path, threads: int) -> None:
        import sentencepiece

        path = vocabularies.given(encoding, folder)
        self.threads = threads
        self.tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(path))
        self.encode = self.tokenizer.encode
        self.decode = self.tokenizer.decode

    def encode_batch(self, texts: list[str]) -> list[list[int]]:
        return self.tokenizer.encode(texts, num_threads=self.threads)


def json_of(encoding: str, folder: Path) -> Path:
    """The tokenizer.json that was given, or that an embedded encoding was written to."""
    return vocabularies.given(encoding, folder) or folder / f"{encoding}.tokenizer.json"


# ---- between the forms of a batch -----------------------------------------------------------------


def from_bytes(ids: bytes, offsets: bytes) -> "Flat":
    import numpy as np

    return np.frombuffer(ids, np.uint32), np.frombuffer(offsets, np.uint64)


def joined(texts: "Sequence[list[int] | Ids]") -> "Flat":
    import numpy as np

    offsets = np.zeros(len(texts) + 1, np.int64)
    np.cumsum([len(ids) for ids in texts], out=offsets[1:])
    return np.concatenate([np.asarray(ids, np.uint32) for ids in texts]), offsets


def rows(ids: "Ids", offsets: "npt.NDArray[np.integer[Any]]") -> list[list[int]]:
    found = ids.tolist()
    return [found[start:end] for start, end in pairwise(offsets.tolist())]


# ---- by name --------------------------------------------------------------------------------------

ENGINES: dict[str, type[Engine]] = {
    "bpetok": Bpetok,
    "tiktoken": Tiktoken,
    "tokenizers": Tokenizers,
    "fastokens": Fastokens,
    "gigatoken": Gigatoken,
    "snaptokens": Snaptokens,
    "toktok-rs": Toktok,
    "tuetoken": Tuetoken,
    "quicktok-v1": Quicktok,
    "splintr-rs": Splintr,
    "rs-bpe": RsBpe,
    "sentencepiece": SentencePiece,
}


def find(name: str, listed: Mapping[str, type[Any]] = ENGINES) -> Any:
    """A class that is listed, or one that is named ``module:Class``."""
    if name in listed:
        return listed[name]
    module, _, attribute = name.partition(":")
    if not attribute:
        raise ValueError(f"no engine is called {name!r}: use {', '.join(listed)} or module:Class")
    return getattr(importlib.import_module(module), attribute)


def is_installed(name: str, listed: Mapping[str, type[Any]] = ENGINES) -> bool:
    """Whether the library of an engine can be imported."""
    return importlib.util.find_spec(find(name, listed).library) is not None
