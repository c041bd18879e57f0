"""From a tokenizer to a SentencePiece model with which SentencePiece gives the same ids on every text."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from bpetok import decoding
from bpetok.errors import VocabularyError
from bpetok.formats.checks import check_texts, shorten
from bpetok.formats.merging import refuse
from bpetok.formats.sentencepiece import model
from bpetok.formats.sentencepiece.model import BPE, Model, Piece, Trainer, Type, serialize
from bpetok.normalization import Normalizer, Prepend, Replace, Sequence
from bpetok.normalization_spm import SPACE, SentencePiece
from bpetok.patterns import NAMED
from bpetok.vocabulary import Vocabulary

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["check_decoder", "check_pattern", "dump", "normalizer_of", "scores_of"]


def dump(tokenizer: Tokenizer, where: str) -> bytes:
    """A model of type BPE with which SentencePiece gives the same ids on every text.

    A template, a chat template and dropout are no part of a model, and are left out.

    Raises:
        FormatError: the format cannot hold the tokenizer exactly.
    """
    where = f"cannot write {where}"
    check_texts(tokenizer, where)
    vocabulary = tokenizer.vocabulary
    if vocabulary.alphabet != "characters":
        refuse(
            where,
            "its merging starts from bytes, and that of SentencePiece from characters: train one with "
            "alphabet='characters'",
        )
    if vocabulary.ignore_merges:
        refuse(
            where, "a piece that is a token is that token without merging, which SentencePiece does not do"
        )
    normalizer = normalizer_of(tokenizer.normalizer, where)
    check_pattern(tokenizer, where)
    _check_symbols(tokenizer, normalizer, where)
    check_decoder(tokenizer.decoder, normalizer, where)
    pieces = _pieces(tokenizer, normalizer.escape_whitespaces, where)
    return serialize(
        Model(
            pieces,
            _trainer(tokenizer, pieces, normalizer.treat_whitespace_as_suffix),
            model.Normalizer(
                name=normalizer.name,
                precompiled_charsmap=normalizer.charsmap,
                add_dummy_prefix=normalizer.add_dummy_prefix,
                remove_extra_whitespaces=normalizer.remove_extra_whitespaces,
                escape_whitespaces=normalizer.escape_whitespaces,
            ),
        )
    )


# ---- before and after merging ------------------------------------------------------------------------

_TO_SPACE = Replace(SPACE, " ")


def normalizer_of(normalizer: Normalizer | None, where: str) -> SentencePiece:
    """What does to any text what the tokenizer's own steps do.

    Raises:
        FormatError: SentencePiece has nothing that does.
    """
    if isinstance(normalizer, SentencePiece):
        return normalizer
    steps = list(normalizer.steps if isinstance(normalizer, Sequence) else [normalizer] if normalizer else [])
    escape = _TO_SPACE in steps
    prefix = Prepend(" ") in steps
    if set(steps) - {_TO_SPACE, Prepend(" ")} or len(steps) != escape + prefix:
        refuse(
            where,
            f"SentencePiece has no normalizer {normalizer!r}, only maps of characters of its own: load one "
            "of its models for these",
        )
    return SentencePiece(add_dummy_prefix=prefix, remove_extra_whitespaces=False, escape_whitespaces=escape)


def check_pattern(tokenizer: Tokenizer, where: str) -> None:
    """See that merging in pieces is merging in the whole text.

    Raises:
        FormatError: it is not.
    """
    source = tokenizer.pattern.source
    if source == NAMED["whole"]:
        return
    if source != NAMED["metaspace"]:
        refuse(where, f"SentencePiece cuts no text, and the split pattern is {shorten(source)}")
    for token, data in tokenizer.vocabulary.tokens().items():
        if b" " in data[1:]:
            refuse(where, f"token {token}, {shorten(data)}, spans words, which the split pattern parts")


def _check_symbols(tokenizer: Tokenizer, normalizer: SentencePiece, where: str) -> None:
    """See that what is found by its own text is found by SentencePiece in the same places."""
    user_defined = {}
    for token in tokenizer.added_tokens:
        if token.lstrip or token.rstrip or token.single_word:
            refuse(where, f"the added token {shorten(token.text)} takes more or less than its own text")
        if not token.special:
            user_defined[token.text] = token
    if not user_defined:
        return
    plain = SentencePiece(add_dummy_prefix=False, remove_extra_whitespaces=False)
    spelled = {plain(symbol) if normalizer.escape_whitespaces else symbol for symbol in normalizer.symbols}
    if isinstance(tokenizer.normalizer, SentencePiece):
        exact = user_defined.keys() == spelled and all(token.normalized for token in user_defined.values())
    else:
        # Without a prefix, what is between two symbols is the same whether it is normalized with them or not.
        exact = not normalizer.add_dummy_prefix and all(SPACE not in text for text in user_defined)
    if not exact:
        refuse(where, "SentencePiece finds symbols in the normalized text, and keeps them from the map")


def check_decoder(decoder: decoding.Decoder | None, normalizer: SentencePiece, where: str) -> None:
    """See that text comes back as from SentencePiece; bytes that are no UTF-8 do not count.

    Raises:
        FormatError: it does not.
    """
    prefix = normalizer.add_dummy_prefix or normalizer.remove_extra_whitespaces
    if isinstance(decoder, decoding.SentencePiece):
        same = decoder.prefix == prefix and decoder.all_spaces == normalizer.remove_extra_whitespaces
    elif isinstance(decoder, decoding.Steps):
        strip = (decoding.Strip(" ", 1, 0),) if prefix else ()
        steps = (decoding.Replace(SPACE, " "), decoding.ByteFallback(), decoding.Fuse(), *strip)
        same = decoder.steps == steps and not normalizer.remove_extra_whitespaces
    else:
        same = decoder is None and not prefix
    if not same:
        refuse(
            where,
            f"SentencePiece takes {'a' if prefix else 'no'} space off the beginning of decoded text, and "
            f"{decoder!r} does otherwise",
        )


# ---- pieces ------------------------------------------------------------------------------------------


def _pieces(tokenizer: Tokenizer, escape: bool, where: str) -> list[Piece]:
    vocabulary = tokenizer.vocabulary
    unknown = _unknown(vocabulary, where)
    scores = scores_of(vocabulary, where)
    made: dict[int, Piece] = {}
    always = {token.id for token in tokenizer.added_tokens if not token.special}
    for text, token in vocabulary.special_tokens.items():
        if token == unknown:
            kind = Type.UNKNOWN
        elif token in always:
            kind, text = Type.USER_DEFINED, text.replace(" ", SPACE) if escape else text
        else:
            kind = Type.CONTROL
        if made.setdefault(token, (text, 0.0, kind))[0] != text:
            refuse(where, f"id {token} has two special tokens")
    for byte, token in enumerate(vocabulary.byte_tokens or ()):
        made[token] = (f"<0x{byte:02X}>", 0.0, Type.BYTE)
    for token, data in vocabulary.tokens().items():
        if made.get(token, ("", 0.0, 0))[2] == Type.BYTE:
            continue
        try:
            text = data.decode()
        except UnicodeDecodeError:
            refuse(where, f"token {token}, {shorten(data)}, is no UTF-8")
        if SPACE in text:
            refuse(
                where,
                f"token {token}, {shorten(text)}, holds U+2581, which SentencePiece takes for a space",
            )
        text = text.replace(" ", SPACE) if escape else text
        kind = Type.UNUSED if token in vocabulary.unused else Type.NORMAL
        if token in made:
            refuse(where, f"id {token} is {shorten(text)} and the special token {shorten(made[token][0])}")
        made[token] = (text, scores[token], kind)
    missing = set(range(vocabulary.n_vocab)) - made.keys()
    if missing:
        refuse(
            where, f"the id of a piece is its place, and {len(missing)} ids such as {min(missing)} have none"
        )
    if escape and vocabulary.byte_tokens is not None and b" " not in vocabulary.tokens().values():
        refuse(where, "no token is a space, and SentencePiece would spell it by the bytes of U+2581")
    texts: dict[str, int] = {}
    for token in range(vocabulary.n_vocab):
        text = made[token][0]
        if texts.setdefault(text, token) != token:
            refuse(where, f"ids {texts[text]} and {token} are both spelled {shorten(text)}")
    return [made[token] for token in range(vocabulary.n_vocab)]


def _unknown(vocabulary: Vocabulary, where: str) -> int:
    """The id of the piece for the unknown, which every model has."""
    if vocabulary.byte_tokens is not None:
        found = vocabulary.unknown
        if found is None:
            found = vocabulary.special_tokens.get("<unk>")
    else:
        found = vocabulary.unknown
        if found is not None and vocabulary.fuse_unknown != "text":
            refuse(where, "unknown characters side by side are one id in SentencePiece, and several here")
    if found is None or found not in vocabulary.special_tokens.values():
        refuse(where, "a model must have a piece for the unknown: a special token '<unk>'")
    return found


def scores_of(vocabulary: Vocabulary, where: str) -> dict[int, float]:
    """Id to a score that 32 bits hold; scores order tokens as their merges do.

    Raises:
        FormatError: a list of merges says what no scores can say.
    """
    if vocabulary.semantics == "scores":
        scores = vocabulary.scores()
        if all(struct.unpack("<f", struct.pack("<f", score))[0] == score for score in scores.values()):
            return scores
        ranks = {score: rank for rank, score in enumerate(sorted(set(scores.values()), reverse=True))}
        return {token: -float(ranks[score]) for token, score in scores.items()}
    tokens = vocabulary.tokens()
    ids = {data: token for token, data in tokens.items()}
    pairs = [tuple(pair) for pair in vocabulary.merges().tolist()]
    order: dict[int, int] = {}
    for left, right in pairs:
        order.setdefault(ids[tokens[left] + tokens[right]], len(order))
    for token in tokens:
        order.setdefault(token, len(order))
    scores = {token: -float(rank) for token, rank in order.items()}
    byte_tokens = vocabulary.byte_tokens
    try:
        by_scores = Vocabulary.from_characters(
            {token: data for token, data in tokens.items() if token not in set(byte_tokens or ())},
            scores=scores,
            special_tokens=vocabulary.special_tokens,
            byte_tokens=byte_tokens,
            unknown=vocabulary.unknown,
            unused=vocabulary.unused,
        )
    except VocabularyError as error:
        refuse(where, f"its merges have no equivalent scores: {error}")
    # Of all pairs that join to a token, merging by scores only ever reaches one, the canonical pair (see
    # docs/architecture.md). So the list gives the same where it has these in the same order; its other pairs
    # are never side by side.
    wanted = [tuple(pair) for pair in by_scores.merges().tolist()]
    canonical = set(wanted)
    if [pair for pair in pairs if pair in canonical] != wanted:
        refuse(
            where,
            "SentencePiece merges whatever joins to a piece, and by this list of merges a token is built of "
            "other parts, or in another order",
        )
    return scores


def _trainer(tokenizer: Tokenizer, pieces: list[Piece], suffix: bool) -> Trainer:
    """What readers ask a model about itself."""
    stated = tokenizer.provenance.get("sentencepiece")
    stated = stated if isinstance(stated, dict) else {}
    control = {text: token for token, (text, _, kind) in enumerate(pieces) if kind == Type.CONTROL}
    names = {
        what: text if isinstance(text := stated.get(f"{what}_piece"), str) and text in control else default
        for what, default in [("bos", "<s>"), ("eos", "</s>"), ("pad", "<pad>")]
    }
    unknown = next(token for token, piece in enumerate(pieces) if piece[2] == Type.UNKNOWN)
    surface = getattr(tokenizer.decoder, "unknown", Trainer.unk_surface)
    return Trainer(
        model_type=BPE,
        vocab_size=len(pieces),
        treat_whitespace_as_suffix=suffix,
        byte_fallback=tokenizer.vocabulary.byte_tokens is not None,
        unk_id=unknown,
        bos_id=control.get(names["bos"], -1),
        eos_id=control.get(names["eos"], -1),
        pad_id=control.get(names["pad"], -1),
        unk_surface=surface,
        unk_piece=pieces[unknown][0],
        bos_piece=names["bos"],
        eos_piece=names["eos"],
        pad_piece=names["pad"],
    )
