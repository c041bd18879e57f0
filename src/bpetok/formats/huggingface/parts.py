"""The parts around the model, between a `tokenizer.json` and the steps of bpetok: normalizer, pre-tokenizer,
post-processor and decoder.

The steps of bpetok say what they are in nearly the words of this format (`spec`). What is here are the
differences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from bpetok import decoding
from bpetok.decoding import decoder_from
from bpetok.errors import FormatError, PatternError, PreparationError
from bpetok.formats.checks import field, is_id, shorten
from bpetok.normalization import Normalizer, Sequence, normalizer_from
from bpetok.splits import Step, splits_from
from bpetok.templates import Part, Template

__all__ = [
    "dump_decoder",
    "dump_normalizer",
    "dump_pre_tokenizer",
    "dump_template",
    "read_decoder",
    "read_normalizer",
    "read_pre_tokenizer",
    "read_template",
]

T = TypeVar("T")
Json = dict[str, Any]


def _made(part: str, path: str, make: Callable[[Any], T], spec: object) -> T:
    """What `make` makes of a part, the refusals of which are the file's fault."""
    if not isinstance(spec, dict):
        raise FormatError(f"{path}: {part!r} is {shorten(spec)}; it must be an object or null")
    try:
        return make(spec)
    except (PreparationError, PatternError) as error:
        raise FormatError(f"{path}: {part!r} cannot be read with the same ids: {error}") from error


def _parts(spec: object, key: str, path: str) -> list[Json]:
    """The members of a part that may be a sequence, and sequences in it; none where there is no part."""
    if spec is None:
        return []
    if not isinstance(spec, dict):
        raise FormatError(f"{path}: {key[:-1]!r} is {shorten(spec)}; it must be an object or null")
    if spec.get("type") != "Sequence":
        return [spec]
    return [part for member in field(spec, key, list, path) for part in _parts(member, key, path)]


# ---- normalizers ---------------------------------------------------------------------------------------


def read_normalizer(spec: object, path: str) -> tuple[Normalizer, ...]:
    """The steps of a normalizer.

    Raises:
        FormatError: one is damaged, not known, or not the same here.
    """
    return tuple(
        _made("normalizer", path, normalizer_from, part) for part in _parts(spec, "normalizers", path)
    )


def dump_normalizer(steps: tuple[Normalizer, ...]) -> Json | None:
    """Steps as a file has them."""
    if len(steps) < 2:
        return steps[0].spec() if steps else None
    return Sequence(steps).spec()


# ---- pre-tokenizers ------------------------------------------------------------------------------------


def read_pre_tokenizer(spec: object, path: str) -> tuple[Step, ...]:
    """The steps of a pre-tokenizer.

    Raises:
        FormatError: one is damaged, not known, or not the same here.
    """
    parts = [_ours(part, path) for part in _parts(spec, "pretokenizers", path)]
    return _made("pre_tokenizer", path, splits_from, {"type": "Sequence", "pretokenizers": parts}).steps


def _ours(spec: Json, path: str) -> Json:
    """A pre-tokenizer in bpetok's words."""
    kind = spec.get("type")
    if kind == "ByteLevel":
        field(spec, "trim_offsets", bool, f"{path}: ByteLevel")
        return {"use_regex": True} | {key: value for key, value in spec.items() if key != "trim_offsets"}
    if kind == "Punctuation":
        return {"behavior": "Isolated"} | spec
    if kind == "Metaspace":
        return {**_metaspace(spec, path), "plain": False}
    return spec


def _metaspace(spec: Json, path: str) -> Json:
    """A Metaspace with what a file may leave out; older ones say beside the scheme whether there is a
    prefix."""
    known = {"type", "replacement", "prepend_scheme", "split"}
    if spec.get("add_prefix_space") is False and spec.get("prepend_scheme") != "never":
        raise FormatError(
            f"{path}: 'add_prefix_space' of Metaspace is false, and 'prepend_scheme' is not 'never'"
        )
    made = {"prepend_scheme": "always", "split": True, **spec}
    made["split"] = True if made["split"] is None else made["split"]
    return {
        key: value
        for key, value in made.items()
        if key in known or key not in ("add_prefix_space", "str_rep")
    }


def dump_pre_tokenizer(steps: tuple[Step, ...]) -> Json | None:
    """Steps as a file has them."""
    parts = [_theirs(step.spec()) for step in steps]
    if len(parts) < 2:
        return parts[0] if parts else None
    return {"type": "Sequence", "pretokenizers": parts}


def _theirs(spec: Json) -> Json:
    """A pre-tokenizer in the format's words."""
    if spec["type"] == "ByteLevel":
        return {**spec, "trim_offsets": True}
    return {key: value for key, value in spec.items() if key != "plain"}


# ---- templates -----------------------------------------------------------------------------------------


def read_template(spec: object, path: str) -> Template | None:
    """What a post-processor puts around texts; None for nothing.

    Raises:
        FormatError: it is damaged, not known, or does not have each text once.
    """
    found = [
        _made("post_processor", path, lambda part: _template(part, path), part)
        for part in _parts(spec, "processors", path)
        if part.get("type") != "ByteLevel"  # which changes spans only
    ]
    if len(found) > 1:
        raise FormatError(
            f"{path}: 'post_processor' has {len(found)} templates one in another; one can be read"
        )
    return found[0] if found else None


def _template(spec: Json, path: str) -> Template:
    kind = spec.get("type")
    if kind in ("BertProcessing", "RobertaProcessing"):
        begin, end = (_special(spec.get(key), key, path) for key in ("cls", "sep"))
        between = (end, end) if kind == "RobertaProcessing" else (end,)
        pair = (begin, "A", *between, "B", end)
        types = None if kind == "RobertaProcessing" else (0, 0, 0, 1, 1)
        return Template((begin, "A", end), pair, (0, 0, 0), types or (0,) * len(pair))
    if kind != "TemplateProcessing":
        raise FormatError(f"{path}: 'post_processor' is {shorten(kind)}, which is not known")
    where = f"{path}: TemplateProcessing"
    tokens = field(spec, "special_tokens", dict, where)
    made: list[tuple[Part, ...] | tuple[int, ...]] = []
    for key, texts in (("single", ["A"]), ("pair", ["A", "B"])):
        rows = [row for part in field(spec, key, list, where) for row in _rows(part, tokens, where)]
        if sorted(row for row, _ in rows if isinstance(row, str)) != texts:
            raise FormatError(f"{where}: {key!r} must have {' and '.join(texts)} once")
        made += [tuple(row for row, _ in rows), tuple(number for _, number in rows)]
    single, single_types, pair, pair_types = made
    return Template(single, pair, single_types, pair_types)  # type: ignore[arg-type]


def _special(value: object, key: str, path: str) -> int:
    if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and is_id(value[1])):
        raise FormatError(
            f"{path}: {key!r} of 'post_processor' is {shorten(value)}; it must be a text and an id"
        )
    return int(value[1])


def _rows(part: object, tokens: Json, where: str) -> list[tuple[Part, int]]:
    """A part of a template: the ids, or the letter of a text, each with its segment number."""
    ((kind, what),) = part.items() if isinstance(part, dict) and len(part) == 1 else ((None, None),)
    name, number = (what.get("id"), what.get("type_id")) if isinstance(what, dict) else (None, None)
    if type(number) is not int or number < 0:
        raise FormatError(f"{where} has the part {shorten(part)}, which has no 'type_id'")
    if kind == "Sequence" and name in ("A", "B"):
        return [(name, number)]
    if kind == "SpecialToken" and isinstance(name, str) and isinstance(tokens.get(name), dict):
        ids = tokens[name].get("ids")
        if isinstance(ids, list) and all(map(is_id, ids)):
            return [(token, number) for token in ids]
    raise FormatError(
        f"{where} has the part {shorten(what)}, which is no text and no token of 'special_tokens'"
    )


def dump_template(template: Template | None, texts: Mapping[int, str]) -> Json | None:
    """A template as a file has it.

    Args:
        template: what to write.
        texts: id to text of the tokens.
    """
    if template is None:
        return None

    def parts(row: tuple[Part, ...], types: tuple[int, ...]) -> list[Json]:
        return [
            {"Sequence": {"id": part, "type_id": number}}
            if isinstance(part, str)
            else {"SpecialToken": {"id": texts[part], "type_id": number}}
            for part, number in zip(row, types, strict=True)
        ]

    return {
        "type": "TemplateProcessing",
        "single": parts(template.single, template.single_types),
        "pair": parts(template.pair, template.pair_types),
        "special_tokens": {
            texts[token]: {"id": texts[token], "ids": [token], "tokens": [texts[token]]}
            for token in sorted(template.ids)
        },
    }


# ---- decoders ------------------------------------------------------------------------------------------


def read_decoder(spec: object, path: str) -> tuple[decoding.Step, ...]:
    """The steps of a decoder.

    Raises:
        FormatError: one is damaged, not known, or not the same here.
    """
    parts = []
    for part in _parts(spec, "decoders", path):
        if part.get("type") == "ByteLevel":
            part = {"type": "ByteLevel"}
        elif part.get("type") == "Metaspace":
            part = _metaspace(part, path)
        parts.append(part)
    made = _made("decoder", path, decoder_from, {"type": "Steps", "steps": parts, "plain": False})
    steps: tuple[decoding.Step, ...] = made.steps  # type: ignore[attr-defined]
    return steps


def dump_decoder(steps: tuple[decoding.Step, ...]) -> Json | None:
    """Steps as a file has them."""
    parts = [
        {**step.spec(), "add_prefix_space": True, "trim_offsets": True, "use_regex": True}
        if isinstance(step, decoding.ByteLevel)
        else step.spec()
        for step in steps
    ]
    if len(parts) < 2:
        return parts[0] if parts else None
    return {"type": "Sequence", "decoders": parts}
