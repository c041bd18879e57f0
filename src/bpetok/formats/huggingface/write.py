"""From a tokenizer to a `tokenizer.json`."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bpetok import decoding, normalization, splits
from bpetok.added_tokens import AddedToken
from bpetok.bytelevel import spell, unspell
from bpetok.errors import FormatError
from bpetok.formats.checks import MAX_TOKEN, check_texts, shorten
from bpetok.formats.huggingface.added_tokens import dump_added_tokens, ids_given
from bpetok.formats.huggingface.parts import dump_decoder, dump_normalizer, dump_pre_tokenizer, dump_template
from bpetok.formats.huggingface.read import can_be_piece
from bpetok.formats.huggingface.spaces import Steps, marked
from bpetok.formats.huggingface.vocabulary import BYTE_TOKENS, missing_bytes
from bpetok.normalization import Normalizer
from bpetok.oniguruma import Expression
from bpetok.patterns import METASPACE, WHOLE, recognise
from bpetok.splits import UNDERLINE, Step

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer
    from bpetok.vocabulary import Vocabulary

__all__ = ["dump", "portable"]

_END = r"(?![\s\S])"  # the end of the text in every engine, JavaScript's included
_NORMALIZERS = (
    normalization.NFC, normalization.NFD, normalization.NFKC, normalization.NFKD, normalization.Lowercase,
    normalization.Nmt, normalization.Prepend, normalization.Replace, normalization.Strip,
    normalization.StripAccents,
)  # fmt: skip


def dump(tokenizer: Tokenizer, where: str) -> bytes:
    """A `tokenizer.json` with which `tokenizers` gives the same ids on every text.

    Raises:
        FormatError: the format cannot hold the tokenizer exactly.
    """
    where = f"cannot write {where}"
    check_texts(tokenizer, where)
    vocabulary = tokenizer.vocabulary
    tokens = vocabulary.tokens()
    if tokens and max(map(len, tokens.values())) > MAX_TOKEN:
        raise FormatError(f"{where}: a token has more than {MAX_TOKEN} bytes; train with max_token_length")
    said = {token.text: token for token in tokenizer.added_tokens}
    added = [said.get(text, AddedToken(text, token)) for text, token in vocabulary.special_tokens.items()]
    added.sort(key=lambda token: token.id)
    steps = Steps(_normalizer(tokenizer.normalizer, where), _splits(tokenizer, where))
    if vocabulary.alphabet == "bytes":
        _need_bytes(vocabulary, where)
        texts = {token: spell(data) for token, data in tokens.items()}
        decoder: tuple[decoding.Step, ...] = (decoding.ByteLevel(),)
    else:
        if vocabulary.semantics == "scores":
            _check_scores(vocabulary, where)
        spaced = marked(steps, added, tokens.values())
        texts = _character_texts(vocabulary, tokens, spaced is not None, bool(steps.splits), where)
        decoder = _decoder(tokenizer, spaced is not None)
        steps = spaced or steps
        if any(isinstance(step, splits.Metaspace) and step.plain for step in steps.splits):
            raise FormatError(
                f"{where}: U+2581 becomes a space in the middle of other steps, which the format cannot say; "
                "save as 'native'"
            )
    vocab = {text: token for token, text in texts.items()}
    if len(vocab) < len(texts):
        token = next(token for token, text in texts.items() if vocab[text] != token)
        raise FormatError(
            f"{where}: tokens {token} and {vocab[texts[token]]} are both spelled {texts[token]!r} here"
        )
    _check_specials(added, vocab, vocabulary, where)
    unknown = _unknown(vocabulary, texts, added, where)
    inside = _inside(added, vocab, unknown)
    for each in inside:
        _check_no_piece(each, vocab, tokenizer, where)
    vocab |= {token.text: token.id for token in inside}
    texts = {token: text for text, token in vocab.items()} | {token.id: token.text for token in added}
    document = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": dump_added_tokens(added),
        "normalizer": dump_normalizer(steps.normalizer),
        "pre_tokenizer": dump_pre_tokenizer(steps.splits),
        "post_processor": dump_template(tokenizer.template, texts),
        "decoder": dump_decoder(decoder),
    }
    settings = {
        "type": "BPE",
        "dropout": tokenizer.dropout,
        "unk_token": unknown,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": bool(vocabulary.fuse_unknown),
        "byte_fallback": vocabulary.byte_tokens is not None,
        "ignore_merges": vocabulary.takes_whole,
    }
    return _json(document, settings, vocab, vocabulary)


def _json(
    document: dict[str, Any], settings: dict[str, Any], vocab: Mapping[str, int], vocabulary: Vocabulary
) -> bytes:
    """The file: a line for each entry and each merge, which `json` writes only slowly."""
    quote = json.JSONEncoder(ensure_ascii=False).encode
    texts = {token: quote(text) for text, token in sorted(vocab.items(), key=lambda item: item[1])}
    entries = ",\n".join(f"{text}: {token}" for token, text in texts.items())
    rows = ",\n".join(f"[{texts[left]}, {texts[right]}]" for left, right in vocabulary.merges().tolist())
    start = json.dumps(settings, ensure_ascii=False)[:-1]
    model = f'{start}, "vocab": {{\n{entries}\n}}, "merges": [\n{rows}\n]}}'
    head = json.dumps(document, ensure_ascii=False, indent=1)
    return f'{head[:-2]},\n "model": {model}\n}}\n'.encode()


# ---- steps ---------------------------------------------------------------------------------------------


def _normalizer(normalizer: Normalizer | None, where: str) -> tuple[Normalizer, ...]:
    """The steps of a normalizer, each of which the format knows."""
    if normalizer is None:
        return ()
    if isinstance(normalizer, normalization.Sequence):
        return tuple(step for part in normalizer.steps for step in _normalizer(part, where))
    if not isinstance(normalizer, _NORMALIZERS):
        raise FormatError(
            f"{where}: `tokenizers` has no normalizer that does exactly what {type(normalizer).__name__} "
            "does; save as "
            "'native'"
        )
    return (normalizer,)


def _splits(tokenizer: Tokenizer, where: str) -> tuple[Step, ...]:
    """The steps that cut a text into pieces; the last one spells bytes in the byte-level alphabet."""
    source = tokenizer.pattern.source
    steps: tuple[Step, ...]
    if tokenizer.splits is not None:
        steps = tokenizer.splits.steps
    elif source == WHOLE:
        steps = ()
    elif source == METASPACE:
        steps = (splits.Split(" ", "MergedWithNext"),)
    else:
        pattern = portable(source)
        if pattern is None:
            raise FormatError(
                f"{where}: `tokenizers` reads the split pattern {shorten(source)} by the rules of another "
                "regular-expression engine, and equal pieces cannot be promised; save as 'native', or use a "
                "named pattern"
            )
        steps = (splits.Split(Expression(pattern), "Isolated"),)
    spelled = bool(steps) and isinstance(steps[-1], splits.ByteLevel)
    if tokenizer.vocabulary.alphabet == "bytes":
        return steps if spelled else (*steps, splits.ByteLevel(add_prefix_space=False, use_regex=False))
    if spelled:
        raise FormatError(
            f"{where}: ByteLevel would spell characters as bytes, and the vocabulary merges characters"
        )
    return steps


def portable(source: str) -> str | None:
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


def _decoder(tokenizer: Tokenizer, marks: bool) -> tuple[decoding.Step, ...]:
    """The steps of the decoder of a tokenizer of characters.

    Args:
        tokenizer: the tokenizer.
        marks: whether its spaces are written as U+2581.
    """
    policy = tokenizer.decoder
    to_space = decoding.Replace(UNDERLINE, " ")
    if isinstance(policy, decoding.Steps):
        if policy.plain == marks:
            return policy.steps
        return (to_space if marks else decoding.Replace(" ", UNDERLINE), *policy.steps)
    steps: tuple[decoding.Step, ...] = (to_space,) if marks or policy is not None else ()
    if tokenizer.vocabulary.byte_tokens is not None:
        steps += (decoding.ByteFallback(),)
    steps += (decoding.Fuse(),)
    if isinstance(policy, decoding.SentencePiece) and policy.prefix:
        steps += (decoding.Strip(" ", 1, 0),)
    return steps


# ---- vocabulary ----------------------------------------------------------------------------------------


def _need_bytes(vocabulary: Vocabulary, where: str) -> None:
    """See that every text has ids: `tokenizers` drops what has none, and bpetok raises an error."""
    if missing := missing_bytes(vocabulary.tokens().values()):
        raise FormatError(
            f"{where}: the vocabulary has no token for byte {missing[0]:#04x} and {len(missing) - 1} others, "
            "so some texts have no ids; train with all 256 bytes"
        )


def _character_texts(
    vocabulary: Vocabulary, tokens: Mapping[int, bytes], marks: bool, cut: bool, where: str
) -> dict[int, str]:
    """Id to text of the tokens that are no added ones.

    Args:
        vocabulary: the vocabulary.
        tokens: its tokens.
        marks: whether to write spaces as U+2581.
        cut: whether texts are cut into pieces.
        where: the file.
    """
    if vocabulary.unused:
        raise FormatError(
            f"{where}: {len(vocabulary.unused)} pieces are unused, which the format cannot say; save as "
            "'native'"
        )
    if vocabulary.byte_tokens is None and vocabulary.unknown is None:
        raise FormatError(
            f"{where}: characters that are in no token have no ids; `tokenizers` would leave them out. Give "
            "the vocabulary "
            "an unknown token or byte tokens"
        )
    if vocabulary.byte_tokens is None and vocabulary.fuse_unknown == "text" and cut:
        raise FormatError(
            f"{where}: unknown characters are one token across pieces, and in the format in a piece only"
        )
    texts = dict(zip(vocabulary.byte_tokens or (), BYTE_TOKENS, strict=False))
    for token, data in tokens.items():
        text = data.decode()
        texts[token] = text.replace(" ", UNDERLINE) if marks else text
    for _, left, right, token in vocabulary.tables.merges():
        if texts.get(left, "") + texts.get(right, "") != texts[token]:
            raise FormatError(
                f"{where}: {tokens[token]!r} is made of a character that is no token; save as 'native'"
            )
    return texts


def _check_scores(vocabulary: Vocabulary, where: str) -> None:
    """See that no two tokens that are merged have equal scores: their place in the text decides then, which a
    list of merges cannot say. Of scores that differ, each token is made by one pair only."""
    scores = vocabulary.scores()
    seen: dict[float, int] = {}
    for *_, token in vocabulary.tables.merges():
        if seen.setdefault(scores[token], token) != token:
            raise FormatError(
                f"{where}: tokens {seen[scores[token]]} and {token} have equal scores, which a list of "
                "merges cannot say; save as 'sentencepiece'"
            )


def _unknown(
    vocabulary: Vocabulary, texts: Mapping[int, str], added: list[AddedToken], where: str
) -> str | None:
    """The text of the unknown token; None where there is none."""
    if vocabulary.unknown is None:
        return None
    for token in added:
        if token.id == vocabulary.unknown:
            return token.text
    if vocabulary.unknown not in texts:
        raise FormatError(
            f"{where}: the unknown token, {vocabulary.unknown}, has no text: make it a special token"
        )
    return texts[vocabulary.unknown]


def _check_specials(
    added: list[AddedToken], vocab: Mapping[str, int], vocabulary: Vocabulary, where: str
) -> None:
    """See that each text has one id, and each id one text."""
    by_id: dict[int, str] = {token: text for text, token in vocab.items()}
    for text, token in ((each.text, each.id) for each in added):
        if vocab.get(text, token) != token:
            spelled = unspell(text) if vocabulary.alphabet == "bytes" else text
            raise FormatError(
                f"{where}: special token {text!r} is how the format spells the bytes {spelled!r}, "
                f"which are token {vocab[text]}; name it otherwise"
            )
        if by_id.setdefault(token, text) != text:
            raise FormatError(
                f"{where}: id {token} belongs to special token {text!r} and to {by_id[token]!r}; here an id "
                "has one text, so save as 'native' or 'tiktoken'"
            )


def _inside(added: list[AddedToken], vocab: Mapping[str, int], unknown: str | None) -> list[AddedToken]:
    """The added tokens that must be in the vocabulary: that for unknown characters, and those to which
    `tokenizers`, which numbers added tokens on its own, would give another id. The fewer the better: what is
    there can be met in merging."""
    known = {token.text: token.id for token in added if token.text in vocab or token.text == unknown}
    inside = [token for token in added if token.text == unknown and unknown not in vocab]
    while True:
        n_entries = len(vocab) + len(inside)
        given = ids_given(added, known, n_entries)
        wrong = [token for token, ids in zip(added, given, strict=True) if ids != {token.id}]
        if not wrong:
            return inside
        more = [token for token in wrong if token.id < n_entries] or wrong[:1]
        inside += more
        known |= {token.text: token.id for token in more}


def _inserted(tokenizer: Tokenizer) -> str:
    """All that the normalizer can put into a text, and more: its settings."""
    return "" if tokenizer.normalizer is None else repr(tokenizer.normalizer.spec())


def _check_no_piece(token: AddedToken, vocab: Mapping[str, int], tokenizer: Tokenizer, where: str) -> None:
    """See that no text is taken for an added token that must be in the vocabulary: as a whole piece,
    where these are looked up, or as a character."""
    if token.text in vocab:
        return
    # What is always found in a text, as it is given, is never left to the model.
    if not (token.special or token.single_word or token.normalized) and token.text not in _inserted(
        tokenizer
    ):
        return
    vocabulary = tokenizer.vocabulary
    pattern = tokenizer.pattern.source if tokenizer.splits is None else tokenizer.splits
    is_bytes = vocabulary.alphabet == "bytes"
    data = unspell(token.text) if is_bytes else token.text.encode()
    if (not is_bytes and len(token.text) == 1) or (
        vocabulary.takes_whole and data is not None and can_be_piece(data, pattern)
    ):
        raise FormatError(
            f"{where}: special token {token.text!r} spells a piece of ordinary text, and the format would "
            "take "
            "the one for the other, unless the ids of special tokens follow those of the others without a gap"
        )
