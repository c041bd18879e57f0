"""From a tokenizer to a GGUF file without weights, with which llama.cpp gives the same ids."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bpetok.bytelevel import spell
from bpetok.errors import FormatError
from bpetok.formats.checks import check_texts, is_text, shorten
from bpetok.formats.gguf import reading
from bpetok.formats.gguf.container import write_metadata
from bpetok.formats.gguf.kinds import PRE_TOKENIZERS
from bpetok.formats.huggingface.vocabulary import BYTE_TOKENS, missing_bytes
from bpetok.formats.merging import check_plain, merge_list, refuse
from bpetok.formats.sentencepiece.model import Type
from bpetok.formats.sentencepiece.writing import check_decoder, check_pattern, normalizer_of, scores_of
from bpetok.normalization_spm import SPACE, SentencePiece
from bpetok.patterns import recognise

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["dump"]

PREFIX = "tokenizer.ggml."
# Texts that are for a role wherever they occur. What no file says, llama.cpp takes for granted.
_ROLES = {
    "bos": ("<s>", "<|begin_of_text|>", "<bos>"),
    "eos": ("</s>", "<|endoftext|>", "<|end_of_text|>", "<eos>"),
    "unknown": ("<unk>",),
}


def dump(tokenizer: Tokenizer, path: str) -> bytes:
    """A GGUF file with which llama.cpp gives the same ids on every text.

    What a file that the tokenizer came from says of single tokens (which is padding, which ends a turn) is
    kept.

    Raises:
        FormatError: the format or llama.cpp cannot hold the tokenizer exactly.
    """
    where = f"cannot write {path}"
    check_texts(tokenizer, where)
    texts = _special_texts(tokenizer, where)
    if tokenizer.vocabulary.alphabet == "bytes":
        values = _merging_bytes(tokenizer, texts, where)
    else:
        values = _merging_characters(tokenizer, texts, where)
    values |= _around(tokenizer, where)
    if tokenizer.chat_template is not None:
        if not is_text(tokenizer.chat_template):
            refuse(where, "its chat template holds a lone surrogate")
        values["tokenizer.chat_template"] = tokenizer.chat_template
    for key, value in _stored(tokenizer).items():
        if key.startswith(PREFIX) and key.endswith("_token_id") and type(value) is int and value in texts:
            values.setdefault(key, value)
    for role, names in _ROLES.items():
        for name in names:
            if name in tokenizer.vocabulary.special_tokens:
                values.setdefault(f"{PREFIX}{role}_token_id", tokenizer.vocabulary.special_tokens[name])
    data = write_metadata(
        {
            "general.architecture": "llama" if values[PREFIX + "model"] == "llama" else "gpt2",
            "general.name": tokenizer.name,
            **values,
        }
    )
    _check(data, tokenizer, where)
    return data


def _special_texts(tokenizer: Tokenizer, where: str) -> dict[int, tuple[str, Type]]:
    """Id to text and type of what is found by its own text."""
    always = {}
    for each in tokenizer.added_tokens:
        if each.lstrip or each.rstrip or each.single_word or each.normalized:
            refuse(where, f"the added token {shorten(each.text)} takes more or less than its own text")
        always[each.id] = not each.special
    made: dict[int, tuple[str, Type]] = {}
    for text, token in tokenizer.vocabulary.special_tokens.items():
        kind = Type.USER_DEFINED if always.get(token) else Type.CONTROL
        if token == tokenizer.vocabulary.unknown or text in _ROLES["unknown"]:
            kind = Type.UNKNOWN
        if made.setdefault(token, (text, kind))[0] != text:
            refuse(where, f"id {token} has two special tokens")
    return made


def _merging_bytes(tokenizer: Tokenizer, specials: dict[int, tuple[str, Type]], where: str) -> dict[str, Any]:
    check_plain(tokenizer, where, "llama.cpp", added=True)
    vocabulary = tokenizer.vocabulary
    pre = _pre(tokenizer, where)
    pairs = vocabulary.merges().tolist()
    if not PRE_TOKENIZERS[pre].ignore_merges:
        merge_list(tokenizer, where, f"llama.cpp, for {pre!r},", added=True)
    if missing := missing_bytes(vocabulary.tokens().values()):
        refuse(where, f"there is no token for byte {missing[0]:#04x} and {len(missing) - 1} others")
    made = {token: (spell(data), Type.NORMAL) for token, data in vocabulary.tokens().items()}
    texts, kinds = _dense(made, specials, where)
    return {
        PREFIX + "model": "gpt2",
        PREFIX + "pre": pre,
        PREFIX + "tokens": texts,
        PREFIX + "token_type": kinds,
        PREFIX + "merges": [f"{texts[left]} {texts[right]}" for left, right in pairs],
    }


def _pre(tokenizer: Tokenizer, where: str) -> str:
    """The pre-tokenizer that does what the split pattern says, and makes tokens in the same way."""
    vocabulary = tokenizer.vocabulary
    whole = vocabulary.takes_whole
    known = _stored(tokenizer).get(PREFIX + "pre")
    pieces = _parameters(tokenizer.pattern.source)
    fitting = [pre for pre, each in PRE_TOKENIZERS.items() if _parameters(each.pattern) == pieces]
    if not fitting or pieces is None:
        refuse(
            where,
            f"llama.cpp does not cut texts by the split pattern {shorten(tokenizer.pattern.source)}: train "
            "with 'gpt2', or with a pattern of bpetok.formats.gguf.PRE_TOKENIZERS",
        )
    return min(fitting, key=lambda pre: (PRE_TOKENIZERS[pre].ignore_merges != whole, pre != known))


def _parameters(pattern: str) -> object:
    """What a pattern does, however it is spelled; None if it is not natively served."""
    scanner = recognise(pattern)
    if scanner is None:
        return None
    # Where newlines are white space like any other, that at the end of a text is one piece in any case.
    end_space = scanner.parameters["end_space"] and scanner.parameters["newlines"]
    return scanner.parameters | {"end_space": end_space}


def _stored(tokenizer: Tokenizer) -> dict[str, Any]:
    """What the file said that the tokenizer came from."""
    stored = tokenizer.provenance.get("gguf")
    return stored if isinstance(stored, dict) else {}


def _merging_characters(
    tokenizer: Tokenizer, specials: dict[int, tuple[str, Type]], where: str
) -> dict[str, Any]:
    vocabulary = tokenizer.vocabulary
    if vocabulary.ignore_merges or vocabulary.unused or vocabulary.byte_tokens is None:
        refuse(
            where,
            "llama.cpp merges characters with tokens for all bytes, takes no piece as a whole and no token "
            "apart: this vocabulary does otherwise",
        )
    check_pattern(tokenizer, where)
    normalizer = normalizer_of(tokenizer.normalizer, where)
    check_decoder(tokenizer.decoder, normalizer, where)
    only_spaces = SentencePiece(
        name=normalizer.name,
        add_dummy_prefix=normalizer.add_dummy_prefix,
        remove_extra_whitespaces=False,
    )
    if normalizer != only_spaces:
        refuse(where, f"llama.cpp does no more than put a space before a text, and here it is {normalizer!r}")
    scores = scores_of(vocabulary, where)
    made = {
        token: (data.decode(errors="replace").replace(" ", SPACE), Type.NORMAL)
        for token, data in vocabulary.tokens().items()
    }
    made |= {token: (BYTE_TOKENS[byte], Type.BYTE) for byte, token in enumerate(vocabulary.byte_tokens)}
    texts, kinds = _dense(made, specials, where)
    return {
        PREFIX + "model": "llama",
        PREFIX + "tokens": texts,
        PREFIX + "scores": [float(scores.get(token, 0.0)) for token in range(len(texts))],
        PREFIX + "token_type": kinds,
        PREFIX + "add_space_prefix": normalizer.add_dummy_prefix,
    }


def _dense(
    made: dict[int, tuple[str, Type]], specials: dict[int, tuple[str, Type]], where: str
) -> tuple[list[str], list[int]]:
    """The texts and the types of all ids."""
    rows = made | specials
    for token, (text, _) in specials.items():
        if made.get(token, (text,))[0] != text:
            refuse(where, f"id {token} is {shorten(made[token][0])} and the special token {shorten(text)}")
    if missing := set(range(len(rows))) - rows.keys():
        refuse(where, f"the id of a token is its place in this format, and id {min(missing)} has none")
    ordered = [rows[token] for token in range(len(rows))]
    return [text for text, _ in ordered], [int(kind) for _, kind in ordered]


def _around(tokenizer: Tokenizer, where: str) -> dict[str, Any]:
    """What goes around a text, which this format always says."""
    single = tokenizer.template.single if tokenizer.template is not None else ("A",)
    at = single.index("A")
    before, behind = single[:at], single[at + 1 :]
    if len(before) > 1 or len(behind) > 1:
        refuse(where, "its template puts more than one token before or behind a text")
    values: dict[str, Any] = {}
    for what, tokens in (("bos", before), ("eos", behind)):
        values[f"{PREFIX}add_{what}_token"] = bool(tokens)
        if tokens:
            values[f"{PREFIX}{what}_token_id"] = tokens[0]
    return values


def _check(data: bytes, tokenizer: Tokenizer, where: str) -> None:
    """See that the file reads back as the same tokenizer: llama.cpp changes types of tokens by name."""
    try:
        again = reading.read(io.BytesIO(data), where)
    except FormatError as error:
        refuse(where, f"llama.cpp would read it in another way: {error}")
    ours, theirs = _found(tokenizer), _found(again)
    for token in range(tokenizer.n_vocab):
        if ours(token) != theirs(token):
            text = shorten(tokenizer.vocabulary.token_bytes(token))
            refuse(where, f"llama.cpp finds token {token}, {text}, in other texts than bpetok does")


def _found(tokenizer: Tokenizer) -> Callable[[int], object]:
    """How text becomes an id: whether by merging, or by its own text, or always."""
    tokens = tokenizer.vocabulary.tokens()
    specials = {token: text for text, token in tokenizer.vocabulary.special_tokens.items()}
    return lambda token: (tokens.get(token), specials.get(token), tokenizer.is_special_token(token))
