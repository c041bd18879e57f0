"""A tokenizer as data for the encoder that runs in a page.

The encoder (`assets/encoder.js`) cuts a text with a regular expression of JavaScript and merges by ranks or
by a list of pairs. What it could not do exactly is not left to it: `embed` then says why, and the page shows
samples that the library encoded.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.charsets import named, union
from bpetok.normalization import Normalizer
from bpetok.protocols import TokenizerLike

__all__ = ["blob", "classes", "embed", "javascript_pattern", "obstacle"]

_UNUSED = 0xFFFFFFFF
_LONG_S = "\u017f"  # which is an s to an expression that ignores case


def blob(data: bytes | npt.NDArray[Any]) -> str:
    """Bytes, or numbers in little-endian order, compressed (zlib) and in base64."""
    raw = data if isinstance(data, bytes) else data.astype(data.dtype.newbyteorder("<")).tobytes()
    return base64.b64encode(zlib.compress(raw)).decode()


def embed(tokenizer: TokenizerLike, name: str, entries: list[bytes | None]) -> dict[str, Any]:
    """What a page needs of a tokenizer, as plain data.

    Args:
        tokenizer: any; the page can encode with those of bpetok that `obstacle` finds nothing against.
        name: how it is called.
        entries: the bytes of each id, None for one that is not in use.

    Returns:
        `name`; `lengths` (uint32, 4294967295 for an id that is not in use) and `bytes`, as `blob`s;
        `encoder`: None, or what the encoder needs; `obstacle`: why it is None, or None.
    """
    lengths = np.array([_UNUSED if data is None else len(data) for data in entries], np.uint32)
    made: dict[str, Any] = {
        "name": name,
        "lengths": blob(lengths),
        "bytes": blob(b"".join(data or b"" for data in entries)),
        "encoder": None,
        "obstacle": obstacle(tokenizer),
    }
    if made["obstacle"] is None:
        made["encoder"] = _encoder(tokenizer)
    return made


def obstacle(tokenizer: Any) -> str | None:
    """Why a page cannot encode with a tokenizer exactly, or None."""
    pattern = getattr(tokenizer, "pattern", None)
    vocabulary = getattr(tokenizer, "vocabulary", None)
    if pattern is None or vocabulary is None:
        return "its way of encoding is not known to the page"
    if tokenizer.normalizer is not None and _steps(tokenizer.normalizer) is None:
        return "it normalizes texts in a way that the page does not know"
    if tokenizer.splits is not None or pattern.scanner is None or pattern.scanner.parameters["words"] > 1:
        return "it cuts texts by a pattern that the page does not know"
    if any(not token.special or token.normalized for token in tokenizer.added_tokens):
        return "it looks for added tokens"
    if vocabulary.unused or vocabulary.fuse_unknown == "text":
        return "its vocabulary has rules that the page does not know"
    if vocabulary.semantics != "ranks" and (_merges(vocabulary)[:, 1:] >= vocabulary.n_vocab).any():
        return "it merges characters that are no tokens"
    return None


def _merges(vocabulary: Any) -> npt.NDArray[np.uint32]:
    """Rank, left id, right id and the id that they become, in order of priority."""
    return np.frombuffer(vocabulary.tables.merge_rows(), np.uint32).reshape(-1, 4)


def _encoder(tokenizer: Any) -> dict[str, Any]:
    vocabulary = tokenizer.vocabulary
    by_ranks = vocabulary.semantics == "ranks"
    merges = None if by_ranks else _merges(vocabulary)
    counts = vocabulary.merge_counts
    if counts is not None and merges is not None:
        counts = counts[merges[:, 0]]
    return {
        "normalizer": [] if tokenizer.normalizer is None else _steps(tokenizer.normalizer),
        "pattern": javascript_pattern(tokenizer.pattern.scanner.parameters),
        "alphabet": vocabulary.alphabet,
        "merges": None if merges is None else blob(merges[:, 1:].T.copy()),
        "whole": vocabulary.takes_whole,
        "special": sorted(set(vocabulary.special_tokens.values())),
        "byteTokens": None if vocabulary.byte_tokens is None else list(vocabulary.byte_tokens),
        "unknown": vocabulary.unknown,
        "fuseUnknown": bool(vocabulary.fuse_unknown),
        "counts": None if counts is None else blob(np.asarray(counts, np.float64)),
    }


def _steps(normalizer: Normalizer) -> list[dict[str, Any]] | None:
    """What a normalizer does, as specs of the steps that the encoder of the page has; None where it lacks
    one."""
    spec = normalizer.spec()
    specs = spec["normalizers"] if spec["type"] == "Sequence" else [spec]
    for step in specs:
        plain = step["type"] == "Replace" and isinstance(step["pattern"].get("String"), str)
        mapless = step["type"] == "SentencePiece" and not step["charsmap"] and not step["symbols"]
        if not (step["type"] == "Prepend" or plain or mapless):
            return None
    return list(specs)


# ---- patterns ------------------------------------------------------------------------------------------


def javascript_pattern(parameters: Mapping[str, Any]) -> str:
    r"""The expression of JavaScript (flags `u` and `s`) for the settings of a native scanner.

    Classes of characters are named as in `classes`, which the page puts in their place: what the browser
    itself takes for a letter depends on its version of Unicode.

    >>> from bpetok.patterns import resolve
    >>> for part in javascript_pattern(resolve("r50k").scanner.parameters).split("|", 6)[4:]:
    ...     print(part)
     ?[\p{L}]+
     ?[\p{N}]+
     ?[^\p{Z}\p{L}\p{N}]+|[\p{Z}]+(?![^])|[\p{Z}]+(?![^\p{Z}])|[\p{Z}]+
    """
    word, ending = parameters["word"], f"(?:[sSdDmMtT{_LONG_S}]|[lL][lL]|[vV][eE]|[rR][eE])"
    if word == "whole":
        return ".+"
    if word == "spaced":
        return " [^ ]*|[^ ]+"
    parts = []
    if parameters["contractions"] == "exact":
        parts.append("'(?:[sdmt]|ll|ve|re)")
    elif parameters["contractions"] == "any-case":
        parts.append("'" + ending)
    prefix = r"[^\r\n\p{L}\p{N}]?"
    if word == "plain":
        parts.append(r" ?[\p{L}]+")
    elif word == "prefixed":
        parts.append(prefix + (r"[\p{L}\p{M}]+" if parameters["word_marks"] else r"[\p{L}]+"))
    else:
        upper, lower = r"[\p{Lu}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lo}\p{M}]"
        attached = f"(?:'{ending})?" if parameters["contractions"] == "attached" else ""
        parts += [f"{prefix}{upper}*{lower}+{attached}", f"{prefix}{upper}+{lower}*{attached}"]
    repeat = "+" if parameters["digits"] == 0 else f"{{1,{parameters['digits']}}}"
    parts.append(f"{' ?' if parameters['number_space'] else ''}[\\p{{N}}]{repeat}")
    tail = {"none": "", "newlines": r"[\r\n]*", "newlines-slashes": r"[\r\n/]*"}[parameters["tail"]]
    marks = "" if parameters["punctuation_marks"] else r"\p{M}"
    parts.append(rf" ?[^\p{{Z}}\p{{L}}{marks}\p{{N}}]+{tail}")
    if parameters["end_space"]:
        parts.append(r"[\p{Z}]+(?![^])")
    if parameters["newlines"]:
        parts.append(r"[\p{Z}]*[\r\n]+")
    if parameters["numbers_apart"]:
        parts.append(r"[\p{Z}]+(?=[\p{N}])")
    return "|".join([*parts, r"[\p{Z}]+(?![^\p{Z}])", r"[\p{Z}]+"])


def classes() -> dict[str, str]:
    """The classes of `javascript_pattern`, as ranges to stand in brackets: Z is white space, Lu has title
    case and Lo modifiers with it."""
    general = {
        "L": ("Lu", "Ll", "Lt", "Lm", "Lo"),
        "Lu": ("Lu", "Lt"),
        "Ll": ("Ll",),
        "Lo": ("Lm", "Lo"),
        "M": ("Mn", "Mc", "Me"),
        "N": ("Nd", "Nl", "No"),
        "Z": ("space",),
    }
    return {
        name: "".join(
            f"\\u{{{first:x}}}" if first == last else f"\\u{{{first:x}}}-\\u{{{last:x}}}"
            for first, last in union(map(named, parts))
        )
        for name, parts in general.items()
    }
