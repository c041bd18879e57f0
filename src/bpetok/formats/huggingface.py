r"""The `tokenizer.json` of Hugging Face's `tokenizers`: byte-level BPE, where ids are exactly the same.

Tokens are spelled in GPT-2's byte-level alphabet, one character a byte. The split pattern is run there by
Oniguruma, whose syntax differs: `{1,3}+` is a repeated repeat, and `$` is the end of a line. So patterns
cross over only when they are of the families that bpetok knows alternative by alternative, and are written
in a spelling that means the same everywhere.

Parts that would give other ids than bpetok's are refused by name, in both directions.
"""

from __future__ import annotations

import functools
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bpetok.bytelevel import BYTE_OF, spell, unspell
from bpetok.errors import FormatError, VocabularyError
from bpetok.formats.checks import MAX_ID, MAX_TOKEN, build, check_texts, field, is_id, is_text, shorten
from bpetok.formats.file import File
from bpetok.patterns import GPT2, recognise
from bpetok.pretokenize import split
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "looks_like", "read"]

# Bytes that are in no UTF-8: a vocabulary can do without them.
_NEVER = {0xC0, 0xC1, *range(0xF5, 0x100)}
_END = r"(?![\s\S])"  # the end of the text in every engine, JavaScript's included
_BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


# ---- writing -----------------------------------------------------------------------------------------


def dump(tokenizer: Tokenizer, where: str) -> bytes:
    """A `tokenizer.json` with which `tokenizers` gives the same ids on every text.

    Raises:
        FormatError: the format cannot hold the tokenizer exactly.
    """
    where = f"cannot write {where}"
    check_texts(tokenizer, where)
    vocabulary = tokenizer.vocabulary
    pattern = _portable(tokenizer.pattern.source)
    if pattern is None:
        raise FormatError(
            f"{where}: `tokenizers` reads the split pattern {shorten(tokenizer.pattern.source)} by the rules "
            "of another regular-expression engine, and equal pieces cannot be promised; save as 'native', or "
            "use a named pattern"
        )
    tokens = vocabulary.tokens()
    _need_bytes(tokens.values(), where)
    if max(map(len, tokens.values())) > MAX_TOKEN:
        raise FormatError(f"{where}: a token has more than {MAX_TOKEN} bytes; train with max_token_length")
    whole = vocabulary.semantics == "ranks" or vocabulary.ignore_merges
    vocab = {spell(data): token for token, data in tokens.items()}
    specials = dict(sorted(vocabulary.special_tokens.items(), key=lambda item: item[1]))
    _check_specials(specials, vocab, where)
    if _ids_given(specials, vocab) != specials:
        # `tokenizers` numbers added tokens on its own, unless they are in the vocabulary.
        _check_no_pieces(specials, vocab, pattern if whole else None, where)
        vocab |= specials
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {
                "id": token,
                "content": text,
                "single_word": False,
                "lstrip": False,
                "rstrip": False,
                "normalized": False,
                "special": True,
            }
            for text, token in specials.items()
        ],
        "normalizer": None,
        "pre_tokenizer": {
            "type": "Sequence",
            "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False},
                _BYTE_LEVEL,
            ],
        },
        "post_processor": None,
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
    }
    settings = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": whole,
    }
    # A line for each entry and each merge, which `json` writes only slowly. An id has one text by now.
    quote = json.JSONEncoder(ensure_ascii=False).encode
    texts = {token: quote(text) for text, token in sorted(vocab.items(), key=lambda item: item[1])}
    entries = ",\n".join(f"{text}: {token}" for token, text in texts.items())
    rows = ",\n".join(f"[{texts[left]}, {texts[right]}]" for left, right in vocabulary.merges().tolist())
    model = f'{json.dumps(settings)[:-1]}, "vocab": {{\n{entries}\n}}, "merges": [\n{rows}\n]}}'
    head = json.dumps(document, ensure_ascii=False, indent=1)
    return f'{head[:-2]},\n "model": {model}\n}}\n'.encode()


def _portable(source: str) -> str | None:
    """A spelling of a natively served pattern without what engines read differently; None for others.

    A quantifier is possessive only where nothing could be given back, else the pattern would not be
    served natively: the plain one matches the same. `\\s+$` matters only before an alternative that
    would take the last newlines apart from what is behind them.
    """
    scanner = recognise(source)
    if scanner is None:
        return None
    plain = re.sub(r"(\{\d+,\d+\}|[+*?])\+", r"\1", source)
    return plain.replace(r"|\s+$|", rf"|\s+{_END}|" if scanner.parameters["newlines"] else "|")


def _need_bytes(tokens: Any, where: str) -> None:
    """See that every text has ids: `tokenizers` drops what has none, and bpetok raises an error."""
    missing = sorted(set(range(256)) - _NEVER - {data[0] for data in tokens if len(data) == 1})
    if missing:
        raise FormatError(
            f"{where}: the vocabulary has no token for byte {missing[0]:#04x} and {len(missing) - 1} others, "
            "so some texts have no ids; train with all 256 bytes"
        )


def _check_specials(specials: dict[str, int], vocab: dict[str, int], where: str) -> None:
    by_id: dict[int, str] = {token: text for text, token in vocab.items()}
    for text, token in specials.items():
        if vocab.get(text, token) != token:
            raise FormatError(
                f"{where}: special token {text!r} is how the format spells the bytes {unspell(text)!r}, "
                f"which are token {vocab[text]}; name it otherwise"
            )
        if by_id.setdefault(token, text) != text:
            raise FormatError(
                f"{where}: id {token} belongs to special token {text!r} and to {by_id[token]!r}; here an id "
                "has one text, so save as 'native' or 'tiktoken'"
            )


def _check_no_pieces(
    specials: dict[str, int], vocab: dict[str, int], pattern: str | None, where: str
) -> None:
    """See that no piece of a text is spelled like a special token that must be in the vocabulary, where
    whole pieces are looked up (`pattern` is given)."""
    for text in specials:
        if pattern is not None and text not in vocab and _can_be_piece(text, pattern):
            raise FormatError(
                f"{where}: special token {text!r} spells a piece of ordinary text, and the format would take "
                "the one for the other, unless the ids of special tokens follow those of the others without "
                "a gap"
            )


def _can_be_piece(text: str, pattern: str) -> bool:
    """Whether some text has a piece that is spelled like this. Taken alone, such a piece is one too: the
    patterns look at what is in front of nothing, and behind only for white space."""
    data = unspell(text)
    try:
        return data is not None and split(data.decode(), _ours(pattern)) == [data.decode()]
    except UnicodeDecodeError:
        return False


def _ids_given(specials: dict[str, int], vocab: dict[str, int]) -> dict[str, int]:
    """The ids that `tokenizers` gives to added tokens, which it takes in the order of the ids they claim:
    that of an equal entry of the vocabulary; else the next one behind those given so far, and not below
    the *number* of entries."""
    given = {}
    following = len(vocab)
    for text in sorted(specials, key=specials.__getitem__):
        given[text] = vocab.get(text, following)
        if is_id(given[text]):
            following = max(following, given[text] + 1)
    return given


# ---- reading -----------------------------------------------------------------------------------------


def looks_like(file: File) -> bool:
    """Whether a file is a JSON object that has a model."""
    return "model" in file.document


def read(file: File) -> Tokenizer:
    """The tokenizer in a `tokenizer.json`.

    Raises:
        FormatError: a part is damaged, or would give other ids than bpetok's.
    """
    document, path = file.document, file.path
    for key in ("truncation", "padding", "normalizer"):
        if document.get(key) is not None:
            _refuse(path, key, document[key], "it changes the ids of some texts; load a file without it")
    _check_postprocessor(document.get("post_processor"), path)
    if _kind(document.get("decoder")) not in (None, "ByteLevel"):
        _refuse(path, "decoder", document["decoder"], "only byte-level tokenizers can be read")
    pattern = _pattern(document.get("pre_tokenizer"), path)
    model = field(document, "model", dict, path)
    _check_model(model, path)
    vocab = field(model, "vocab", dict, path)
    pairs = [_pair(row, at, path) for at, row in enumerate(field(model, "merges", list, path))]
    ignore_merges = model.get("ignore_merges", False)
    specials = _added_tokens(document, path)
    used = {part for left, right in pairs for part in (left, right, left + right)}
    tokens: dict[int, bytes] = {}
    for text, token in vocab.items():
        if text not in specials or (
            text in used
            or (len(text) == 1 and text in BYTE_OF)
            or (ignore_merges and _can_be_piece(text, pattern))
        ):
            _add_token(tokens, text, token, path)
    _need_bytes(tokens.values(), path)
    _check_ids(specials, vocab, tokens, path)
    make = functools.partial(_link, tokens, vocab, pairs, specials, ignore_merges)
    return build(path, Path(path).stem, pattern, make)


def _add_token(tokens: dict[int, bytes], text: str, token: int, path: str) -> None:
    """Take over an entry of the vocabulary."""
    if not is_id(token):
        raise FormatError(
            f"{path}: 'vocab' gives {shorten(text)} the id {shorten(token)}; ids are integers from 0 to "
            f"{MAX_ID}"
        )
    data = unspell(text)
    if not data or len(data) > MAX_TOKEN:
        raise FormatError(
            f"{path}: 'vocab' has {shorten(text)}, which spells no token of 1 to {MAX_TOKEN} bytes in the "
            "byte-level alphabet; only byte-level vocabularies can be read"
        )
    if tokens.setdefault(token, data) != data:
        raise FormatError(f"{path}: 'vocab' gives id {token} to two tokens, {shorten(text)} is the second")


def _check_ids(specials: dict[str, int], vocab: dict[str, int], tokens: dict[int, bytes], path: str) -> None:
    """See that the added tokens get the ids that they claim, and that no other token has them."""
    for text, token in _ids_given(specials, vocab).items():
        if token != specials[text]:
            raise FormatError(
                f"{path}: 'added_tokens' says that {shorten(text)} has id {specials[text]}, and `tokenizers` "
                f"gives it {shorten(token)}, from 'vocab': correct one of them"
            )
        if token in tokens and tokens[token] != unspell(text):
            raise FormatError(
                f"{path}: id {token} belongs to special token {shorten(text)} and to another token"
            )


def _link(
    tokens: dict[int, bytes],
    vocab: dict[str, int],
    pairs: list[tuple[str, str]],
    specials: dict[str, int],
    ignore_merges: bool,
) -> Vocabulary:
    merges = []
    for at, (left, right) in enumerate(pairs):
        if left not in vocab or right not in vocab:
            missing = right if left in vocab else left
            raise VocabularyError(f"merge {at} of 'merges' needs {shorten(missing)}, which is not in 'vocab'")
        merges.append((vocab[left], vocab[right]))
    return Vocabulary.from_merges(tokens, merges, specials, ignore_merges=ignore_merges)


def _kind(part: object) -> object:
    """The type of a part; None when there is no such part."""
    if isinstance(part, dict):
        return part.get("type", "of no type")
    return None if part is None else shorten(part)


def _refuse(path: str, key: str, part: object, why: str) -> None:
    raise FormatError(f"{path}: {key!r} is {_kind(part)!s:.60}: {why}")


def _check_postprocessor(part: object, path: str) -> None:
    """Byte-level post-processing changes offsets only; any other kind adds ids."""
    parts = part.get("processors") if isinstance(part, dict) and part.get("type") == "Sequence" else [part]
    if not isinstance(parts, list):
        raise FormatError(f"{path}: 'processors' of 'post_processor' is {shorten(parts)}; it must be a list")
    for one in parts:
        if _kind(one) not in (None, "ByteLevel"):
            _refuse(path, "post_processor", one, "it adds tokens to every text; load a file without it")


def _pattern(part: object, path: str) -> str:
    """The split pattern that a pre-tokenizer stands for."""
    parts = part.get("pretokenizers") if isinstance(part, dict) and part.get("type") == "Sequence" else [part]
    if not isinstance(parts, list) or not all(isinstance(one, dict) for one in parts):
        raise FormatError(f"{path}: 'pre_tokenizer' is {shorten(part)}; a byte-level one is needed")
    kinds = [one.get("type") for one in parts]
    if kinds not in (["ByteLevel"], ["Split", "ByteLevel"]):
        raise FormatError(
            f"{path}: 'pre_tokenizer' is {shorten(' + '.join(map(str, kinds)))}; only ByteLevel, and Split + "
            "ByteLevel, can be read with the same ids"
        )
    splits = len(parts) == 1
    if parts[-1].get("add_prefix_space") is not False or parts[-1].get("use_regex", True) is not splits:
        raise FormatError(
            f"{path}: 'ByteLevel' of 'pre_tokenizer' must have add_prefix_space false and use_regex "
            f"{str(splits).lower()} here; other settings change the pieces"
        )
    if splits:
        return GPT2
    source = parts[0].get("pattern")
    source = source.get("Regex") if isinstance(source, dict) and len(source) == 1 else None
    if not isinstance(source, str):
        raise FormatError(f"{path}: 'Split' of 'pre_tokenizer' has no pattern of the kind 'Regex'")
    # The patterns that can be read match every character, so that both spellings give the matches.
    behavior = (parts[0].get("behavior"), parts[0].get("invert", False))
    if behavior not in (("Isolated", False), ("Removed", True)):
        raise FormatError(
            f"{path}: 'Split' of 'pre_tokenizer' has behavior {shorten(behavior[0])} and invert "
            f"{shorten(behavior[1])}; only Isolated, and Removed with invert, can be read"
        )
    if "$" in source or re.search(r"\{[\d,]*\}\+", source) or recognise(_ours(source)) is None:
        raise FormatError(
            f"{path}: the split pattern {shorten(source)} is none whose pieces bpetok can promise to be "
            "equal in the regular-expression engine of `tokenizers`"
        )
    return _ours(source)


def _ours(source: str) -> str:
    r"""A pattern of theirs in our spelling: the end of the text is `$` with us."""
    return re.sub(r"\|(\\s\+\+?)(?:\\z|\(\?!\[\\s\\S\]\))\|", r"|\1$|", source)


def _check_model(model: dict[str, Any], path: str) -> None:
    if model.get("type", "BPE") != "BPE":
        _refuse(path, "model", model, "only BPE models can be read")
    neutral: dict[str, tuple[object, ...]] = {
        "dropout": (None, 0.0),
        "unk_token": (None,),
        "continuing_subword_prefix": (None, ""),
        "end_of_word_suffix": (None, ""),
        "byte_fallback": (None, False),
    }
    for key, values in neutral.items():
        if model.get(key) not in values:
            _refuse(path, key, model[key], "it changes the ids of some texts and cannot be reproduced here")
    if not isinstance(model.get("ignore_merges", False), bool):
        _refuse(path, "ignore_merges", model["ignore_merges"], "it must be true or false")


def _added_tokens(document: dict[str, Any], path: str) -> dict[str, int]:
    """Text to id of the added tokens, all of which must be plain special ones."""
    specials: dict[str, int] = {}
    ids = set()
    normalized = set()
    for at, added in enumerate(field({"added_tokens": [], **document}, "added_tokens", list, path)):
        where = f"{path}: entry {at} of 'added_tokens'"
        if not isinstance(added, dict):
            raise FormatError(f"{where} is {shorten(added)}; it must be an object")
        text, token = field(added, "content", str, where), field(added, "id", int, where)
        if not text or not is_text(text) or not is_id(token) or text in specials or token in ids:
            raise FormatError(
                f"{where} is {shorten(text)} with id {token}: text and id must be given once, the text not "
                f"be empty, the id be from 0 to {MAX_ID}"
            )
        if added.get("special") is not True:
            raise FormatError(
                f"{where}, {shorten(text)}, is not special: it is found in any text, and bpetok has no such "
                "tokens"
            )
        for key in ("single_word", "lstrip", "rstrip"):
            if added.get(key, False) is not False:
                raise FormatError(
                    f"{where}, {shorten(text)}, has {key}: it takes more or less than its own text"
                )
        normalized.add(added.get("normalized", False) is not False)
        specials[text] = token
        ids.add(token)
    if len(normalized) > 1:
        raise FormatError(f"{path}: 'added_tokens' differ in 'normalized', and are then found in two passes")
    return specials


def _pair(row: object, at: int, path: str) -> tuple[str, str]:
    """The two parts of a merge, in either spelling: "a b" or ["a", "b"]."""
    parts = row.split(" ") if isinstance(row, str) else row
    if not (
        isinstance(parts, list) and len(parts) == 2 and all(isinstance(part, str) and part for part in parts)
    ):
        raise FormatError(f"{path}: merge {at} of 'merges' is {shorten(row)}; it must be a pair of tokens")
    return parts[0], parts[1]
