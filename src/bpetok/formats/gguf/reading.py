"""From the metadata of a GGUF file to a tokenizer that gives the ids of llama.cpp's `llama_tokenize`.

`encode_ordinary` does what it does with `parse_special=false`, and `encode(..., allowed_special="all")` what
it does with true. llama.cpp normalizes no text, whatever the model's own library does.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Container, Mapping
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from bpetok.added_tokens import AddedToken
from bpetok.decoding import SentencePiece as Decoder
from bpetok.errors import FormatError
from bpetok.formats.checks import MAX_ID, MAX_TOKEN, build, shorten
from bpetok.formats.gguf.container import read_metadata
from bpetok.formats.gguf.kinds import CONTROL_TEXTS, PRE_TOKENIZERS, RETYPED, ROLES
from bpetok.formats.huggingface.model import read_model
from bpetok.formats.huggingface.read import can_be_piece
from bpetok.formats.huggingface.vocabulary import BYTE_TOKENS, read_bytes
from bpetok.formats.sentencepiece.model import Type
from bpetok.normalization_spm import SPACE, SentencePiece
from bpetok.patterns import NAMED
from bpetok.templates import Template
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["read"]

T = TypeVar("T")
_GENERAL = ("general.architecture", "general.name")
_SPECIAL = (Type.CONTROL, Type.UNKNOWN, Type.USER_DEFINED)


def read(file: IO[bytes], path: str, *, name: str | None = None) -> Tokenizer:
    """The tokenizer of a file.

    Args:
        file: the file.
        path: its name.
        name: how to call the tokenizer; as the file says, or as the file is called, if not given.

    Raises:
        FormatError: the file is damaged, holds no tokenizer that merges, or one that llama.cpp cuts into
            pieces in ways that are not the same here.
    """
    metadata = read_metadata(file, path, lambda key: key.startswith("tokenizer.") or key in _GENERAL)
    _check_name(metadata, path)
    model = _get(metadata, "tokenizer.ggml.model", str, path)
    texts = _texts(metadata, path)
    kinds = _kinds(metadata, texts, path)
    added = [
        AddedToken(texts[token], token, special=kind != Type.USER_DEFINED)
        for token, kind in enumerate(kinds)
        if kind in _SPECIAL
    ]
    _check_overlaps([token.text for token in added], path)
    if name is None:
        name = metadata.get("general.name") or Path(path).stem
    if model == "gpt2":
        parts = _merging_bytes(metadata, texts, kinds, added, path)
    elif model == "llama":
        parts = _merging_characters(metadata, texts, kinds, added, path)
    else:
        raise FormatError(
            f"{path}: 'tokenizer.ggml.model' is {shorten(model)}: only the kinds 'gpt2' and 'llama' merge "
            "pairs in a way that can be read"
        )
    add_bos = parts.pop("add_bos")
    kept = {key: value for key, value in metadata.items() if isinstance(value, str | int)}
    chat_template = kept.pop("tokenizer.chat_template", None)
    return build(
        path,
        name,
        **parts,
        added_tokens=[token for token in added if not token.special],
        template=_template(metadata, add_bos, len(texts), path),
        chat_template=chat_template if isinstance(chat_template, str) else None,
        provenance={"gguf": kept},
    )


def _get(metadata: Mapping[str, Any], key: str, kind: type[T], path: str, default: T | None = None) -> T:
    """A value, which must be there (unless there is a default) and of a type."""
    value = metadata.get(key, default)
    if value is None:
        raise FormatError(f"{path} has no {key!r}: it holds no tokenizer, or a part of one")
    if not isinstance(value, kind):
        raise FormatError(f"{path}: {key!r} is {shorten(value)}; it must be a {kind.__name__}")
    return value


def _numbers(metadata: Mapping[str, Any], key: str, default: T, count: int, path: str) -> list[T]:
    """A number for each token; the default where there are none."""
    values = metadata.get(key)
    if values is None:
        return [default] * count
    if not isinstance(values, array) or len(values) != count:
        raise FormatError(f"{path}: {key!r} must have a number for each of the {count} tokens")
    return list(values)


def _check_name(metadata: Mapping[str, Any], path: str) -> None:
    """See that nothing is done because of what the model is called."""
    what = " ".join(str(metadata.get(key, "")).lower() for key in (*_GENERAL, "tokenizer.ggml.pre"))
    for model in ("phi-3", "phi3", "modern-bert", "jina-v2-", "nomic-bert-moe", "jina-bert-v3"):
        if model in what:
            raise FormatError(
                f"{path} is of the model {model}: llama.cpp takes white space off beside its special tokens, "
                "which the file does not say"
            )


def _texts(metadata: Mapping[str, Any], path: str) -> list[str]:
    texts = _get(metadata, "tokenizer.ggml.tokens", list, path)
    if len(texts) > MAX_ID + 1:
        raise FormatError(f"{path} has {len(texts)} tokens; at most {MAX_ID + 1} are possible")
    seen: dict[str, int] = {}
    for token, text in enumerate(texts):
        if not text or len(text) > MAX_TOKEN // 4:
            raise FormatError(f"{path}: token {token} has {len(text)} characters; it must have 1 or more")
        if seen.setdefault(text, token) != token:
            raise FormatError(f"{path}: tokens {seen[text]} and {token} are both {shorten(text)}")
    return texts


def _kinds(metadata: Mapping[str, Any], texts: list[str], path: str) -> list[int]:
    """The type of each token, with those that llama.cpp takes for control tokens because of their text."""
    kinds = _numbers(metadata, "tokenizer.ggml.token_type", int(Type.NORMAL), len(texts), path)
    if unknown := set(kinds) - set(Type):
        raise FormatError(f"{path}: a token is of type {min(unknown)}; known are the types 1 to 6")
    ids = {text: token for token, text in enumerate(texts)}
    if by_name := sorted(RETYPED & ids.keys()):
        raise FormatError(
            f"{path}: llama.cpp changes the type of {shorten(by_name[0])} because of the tokens beside it, "
            "which differs with its versions"
        )
    control = set(CONTROL_TEXTS)
    for role, names in ROLES.items():
        found = [text for text in names if text in ids]
        if f"tokenizer.ggml.{role}_token_id" in metadata:
            continue
        if len(found) > 1 and any(kinds[ids[text]] != Type.CONTROL and text not in control for text in found):
            raise FormatError(
                f"{path}: tokens {shorten(found[0])} and {shorten(found[1])} are for the same role, and "
                f"which of them llama.cpp takes is left to chance: set 'tokenizer.ggml.{role}_token_id'"
            )
        control.update(found)
    for text in control & ids.keys():
        kinds[ids[text]] = Type.CONTROL
    return kinds


def _check_overlaps(texts: list[str], path: str) -> None:
    """See that no end of a special token is the beginning of another: llama.cpp looks for the longest in the
    whole text first, and bpetok goes from left to right. Runs of one character are found alike."""
    ordered = sorted(texts)
    longest = min(sorted(map(len, texts))[-2:], default=0)  # of all but one: only with that can it overlap
    for text in texts:
        run = set(text) if len(set(text)) == 1 else None
        # What begins with any end of a run begins with its character.
        for size in range(1, min(len(text), longest if run is None else 2)):
            end = text[-size:]
            for at in range(bisect_left(ordered, end), len(ordered)):
                other = ordered[at]
                if not other.startswith(end):
                    break
                if other not in (text, end) and set(other) != run:
                    raise FormatError(
                        f"{path}: the special tokens {shorten(text)} and {shorten(other)} can overlap, and "
                        "which of them is found then depends on the order of the search"
                    )


def _template(metadata: Mapping[str, Any], add_bos: bool, n_tokens: int, path: str) -> Template | None:
    """What goes around a text with `add_special=true`."""
    around: list[list[int]] = []
    for what, default in (("bos", add_bos), ("eos", False)):
        key = f"tokenizer.ggml.{what}_token_id"
        around.append([])
        if _get(metadata, f"tokenizer.ggml.add_{what}_token", int, path, int(default)):
            token = _get(metadata, key, int, path)
            if not 0 <= token < n_tokens:
                raise FormatError(f"{path}: {key!r} is {token}, which is no token")
            around[-1].append(token)
    before, behind = around
    if not before and not behind:
        return None
    return Template((*before, "A", *behind), (*before, "A", *behind, *before, "B", *behind))


# ---- byte-level merges ---------------------------------------------------------------------------------


def _merging_bytes(
    metadata: Mapping[str, Any], texts: list[str], kinds: list[int], added: list[AddedToken], path: str
) -> dict[str, Any]:
    pre = _get(metadata, "tokenizer.ggml.pre", str, path)
    if pre not in PRE_TOKENIZERS:
        raise FormatError(
            f"{path}: 'tokenizer.ggml.pre' is {shorten(pre)}: how llama.cpp cuts a text for it is not known "
            "to be the same here; load the model's tokenizer.json"
        )
    if Type.BYTE in kinds:
        token = kinds.index(Type.BYTE)
        raise FormatError(
            f"{path}: token {token} is of the type for bytes, which the kind 'gpt2' does not have"
        )
    pattern, ignore_merges, add_bos = PRE_TOKENIZERS[pre]
    rows = _get(metadata, "tokenizer.ggml.merges", list, path)
    if len(set(rows)) < len(rows) or any(
        not isinstance(row, str) or row.startswith("#version") for row in rows
    ):
        raise FormatError(f"{path}: 'tokenizer.ggml.merges' has a merge twice, or one that begins a header")
    vocab = {text: token for token, text in enumerate(texts)}
    document = {"model": {"vocab": vocab, "merges": rows, "ignore_merges": ignore_merges}}
    model = read_model(document, path)
    make = read_bytes(model, added, lambda data: can_be_piece(data, pattern), path)
    return {"pattern": pattern, "make": make, "add_bos": add_bos}


# ---- SentencePiece's scores ----------------------------------------------------------------------------


def _merging_characters(
    metadata: Mapping[str, Any], texts: list[str], kinds: list[int], added: list[AddedToken], path: str
) -> dict[str, Any]:
    """llama.cpp merges whatever joins to the text of a token, be it a control token."""
    ids = {text: token for token, text in enumerate(texts)}
    if missing := [text for text in BYTE_TOKENS if text not in ids]:
        raise FormatError(f"{path} has no token {missing[0]}: there must be one for each byte")
    bytes_only = {ids[text] for text in BYTE_TOKENS}
    scores = _numbers(metadata, "tokenizer.ggml.scores", 0.0, len(texts), path)
    tokens: dict[int, bytes] = {}
    for token, (text, kind) in enumerate(zip(texts, kinds, strict=True)):
        merged = kind in (Type.NORMAL, Type.UNUSED) or _is_joined(text, ids)
        if token in bytes_only or kind == Type.BYTE:
            if token not in bytes_only or _is_joined(text, ids):
                raise FormatError(
                    f"{path}: token {token}, {shorten(text)}, is for a byte, and text can become it"
                )
        elif merged:
            if " " in text:
                raise FormatError(
                    f"{path}: token {token}, {shorten(text)}, holds a space, which no text has here"
                )
            tokens[token] = text.replace(SPACE, " ").encode()

    if SPACE not in ids or ids[SPACE] not in tokens:
        raise FormatError(f"{path} has no token {SPACE!r}: a space would be spelled by the bytes of U+2581")

    def make() -> Vocabulary:
        return Vocabulary.from_characters(
            tokens,
            scores={token: scores[token] for token in tokens},
            special_tokens={token.text: token.id for token in added},
            byte_tokens=[ids[text] for text in BYTE_TOKENS],
        )

    prefix = bool(_get(metadata, "tokenizer.ggml.add_space_prefix", int, path, 1))
    return {
        "pattern": NAMED["whole"],
        "make": make,
        "add_bos": True,
        "normalizer": SentencePiece(add_dummy_prefix=prefix, remove_extra_whitespaces=False),
        "decoder": Decoder(prefix=prefix),
    }


def _is_joined(text: str, ids: Container[str]) -> bool:
    """Whether merging may make a text: of two parts that are characters or tokens."""
    if len(text) == 1:
        return True
    if " " in text:
        return False
    return any(
        (at == 1 or text[:at] in ids) and (at == len(text) - 1 or text[at:] in ids)
        for at in range(1, len(text))
    )
