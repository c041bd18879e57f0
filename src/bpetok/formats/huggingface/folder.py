"""A folder as `transformers` saves a tokenizer: `tokenizer.json`, beside it `tokenizer_config.json` with
the names of special tokens (which is the end of a text, which is padding), and chat templates.

`transformers` adds a special token that is named and is none in `tokenizer.json`; so does reading here.
What else `tokenizer_config.json` holds changes no ids of the class `PreTrainedTokenizerFast`. It is kept
in the tokenizer's `provenance`, under "transformers", and written again.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from bpetok.added_tokens import AddedToken
from bpetok.errors import FormatError, MissingExtraError
from bpetok.formats.checks import field, is_text, parse_json, read_file, shorten
from bpetok.formats.file import File
from bpetok.formats.huggingface.added_tokens import FLAGS, dump_added_tokens, ids_given, read_added_tokens
from bpetok.formats.huggingface.read import read as read_alone
from bpetok.formats.huggingface.write import dump as dump_alone

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

__all__ = ["dump", "looks_like", "paths", "read", "to_transformers"]

TOKENIZER = "tokenizer.json"
CONFIG = "tokenizer_config.json"
NAMES = "special_tokens_map.json"
TEMPLATE = "chat_template.jinja"
TEMPLATES = "additional_chat_templates"
OLD = "added_tokens.json"
TEKKEN = "tekken.json"  # which `load` prefers

# The roles of special tokens, in the order in which `transformers` adds what is missing.
ROLES = ("bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token")
EXTRA = ("extra_special_tokens", "additional_special_tokens")
CLASS = "PreTrainedTokenizerFast"
# What is written from the tokenizer itself.
_OWN = {"added_tokens_decoder", "chat_template", "tokenizer_class"}


# ---- reading -------------------------------------------------------------------------------------------


def looks_like(file: File) -> bool:
    """Whether a file is a JSON object that has a model, and its folder was named instead of it."""
    return file.folder is not None and not isinstance(file.document.get("model", 0), int)


def read(file: File) -> Tokenizer:
    """The tokenizer of a `tokenizer.json` and the files beside it.

    Raises:
        FormatError: a file is damaged, or two of them contradict each other.
    """
    folder, document = os.path.dirname(file.path), file.document
    config, names = (_object(os.path.join(folder, name)) for name in (CONFIG, NAMES))
    where = os.path.join(folder, CONFIG)
    if "added_tokens_decoder" in config:
        _check_decoder(document, config["added_tokens_decoder"], where)
    else:
        config |= names  # older folders: these are the names that count
    _add_named(document, config, where)
    templates = _chat_templates(folder, config.get("chat_template"), where)
    chat_template = templates.pop("default", None)
    kept = {key: value for key, value in config.items() if key not in _OWN}
    kept |= {"chat_template": templates} if templates else {}
    return read_alone(
        file,
        name=os.path.basename(os.path.realpath(folder)),
        provenance={"transformers": kept} if kept else None,
        chat_template=chat_template,
    )


def _object(path: str) -> dict[str, Any]:
    """The JSON object in a file; an empty one where there is no file."""
    if not os.path.isfile(path):
        return {}
    document = parse_json(read_file(path), path)
    if not isinstance(document, dict):
        raise FormatError(f"{path} is {shorten(document)}; it must hold an object")
    return document


def _content(value: object) -> object:
    """The text of a token, which may stand alone or with its flags."""
    return value.get("content") if isinstance(value, dict) else value


def _check_decoder(document: dict[str, Any], decoder: object, where: str) -> None:
    """See that the added tokens of `tokenizer_config.json` are those of `tokenizer.json`: otherwise
    `transformers` changes the latter."""
    if not isinstance(decoder, dict):
        raise FormatError(f"{where}: 'added_tokens_decoder' is {shorten(decoder)}; it must be an object")
    known = {str(token.id): token for token in read_added_tokens(document, where)}
    for token, row in decoder.items():
        own = known.get(token)
        if not isinstance(row, dict):
            raise FormatError(f"{where}: id {shorten(token)} of 'added_tokens_decoder' is {shorten(row)}")
        if (
            own is None
            or _content(row) != own.text
            or any(row.get(flag, False) != getattr(own, flag) for flag in FLAGS)
        ):
            raise FormatError(
                f"{where}: 'added_tokens_decoder' gives token {shorten(token)}, {shorten(_content(row))}, "
                "another text or "
                f"other flags than {TOKENIZER} does: make them agree, or load {TOKENIZER} by itself"
            )


def _add_named(document: dict[str, Any], config: Mapping[str, Any], where: str) -> None:
    """Add the tokens that are named as special and are none yet to the added tokens of a `tokenizer.json`."""
    tokens = read_added_tokens(document, where)
    vocab = field(field(document, "model", dict, where), "vocab", dict, where)
    known = {token.text for token in tokens}
    for value in _named(config, where):
        text = _content(value)
        if not isinstance(text, str) or not is_text(text) or not text:
            raise FormatError(f"{where} names the special token {shorten(text)}; it must be a text")
        if text in known:
            continue
        flags = value if isinstance(value, dict) else {}
        token = AddedToken(
            text, 0, **{flag: bool(flags.get(flag, False)) for flag in FLAGS if flag != "special"}
        )
        *_, ids = ids_given([*tokens, token], vocab, len(vocab))
        tokens.append(dataclasses.replace(token, id=max(ids)))
        known.add(text)
    document["added_tokens"] = dump_added_tokens(tokens)


def _named(config: Mapping[str, Any], where: str) -> Iterator[Any]:
    """The special tokens that a configuration names, as text or with flags."""
    own = (key for key, value in config.items() if key.endswith("_token") and isinstance(value, str))
    for role in dict.fromkeys((*ROLES, *own)):
        if config.get(role) is not None:
            yield config[role]
    for key in EXTRA:
        values = config.get(key) or []
        if not isinstance(values, list | dict):
            raise FormatError(f"{where}: {key!r} is {shorten(values)}; it must be a list or an object")
        yield from values.values() if isinstance(values, dict) else values


def _chat_templates(folder: str, configured: object, where: str) -> dict[str, str]:
    """The chat templates by name. Files of their own come before `tokenizer_config.json`."""
    files = {"default": os.path.join(folder, TEMPLATE)}
    files |= {
        name[:-6]: os.path.join(folder, TEMPLATES, name)
        for name in _listed(folder)
        if name.endswith(".jinja")
    }
    if found := {name: _text(path) for name, path in files.items() if os.path.isfile(path)}:
        return found
    if isinstance(configured, list) and all(isinstance(row, dict) for row in configured):
        configured = {row.get("name"): row.get("template") for row in configured}
    if configured is None or isinstance(configured, str):
        configured = {} if configured is None else {"default": configured}
    if isinstance(configured, dict) and all(is_text(text) for pair in configured.items() for text in pair):
        return configured
    raise FormatError(
        f"{where}: 'chat_template' is {shorten(configured)}; it must be a text, or texts by name"
    )


def _listed(folder: str) -> list[str]:
    """What the folder of further chat templates holds."""
    more = os.path.join(folder, TEMPLATES)
    return sorted(os.listdir(more)) if os.path.isdir(more) else []


def _text(path: str) -> str:
    try:
        return read_file(path).decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"{path} is not valid UTF-8 at byte {error.start}") from None


# ---- writing -------------------------------------------------------------------------------------------


def paths(folder: str) -> list[str]:
    """The files that `dump` always writes; chat templates come to these."""
    return [os.path.join(folder, name) for name in (TOKENIZER, CONFIG, NAMES)]


def dump(tokenizer: Tokenizer, folder: str) -> dict[str, bytes]:
    """The files of a folder in which `transformers` finds the tokenizer: path to content.

    Raises:
        FormatError: `tokenizer.json` cannot hold the tokenizer exactly, or the folder holds a file of
            another one that would be read with it, or before it.
    """
    config = config_of(tokenizer)
    files = {
        TOKENIZER: dump_alone(tokenizer, os.path.join(folder, TOKENIZER)),
        CONFIG: _json(config),
        NAMES: _json({role: config[role] for role in ROLES if config.get(role) is not None}),
    }
    for name, text in config.pop("chat_template", {}).items():
        if not re.fullmatch(r"[\w-]+", name) or not is_text(text):
            raise FormatError(
                f"cannot write {folder}: the chat template {shorten(name)} is no text or no name for a file"
            )
        files[TEMPLATE if name == "default" else f"{TEMPLATES}/{name}.jinja"] = text.encode()
    for name in (TEKKEN, TEMPLATE, OLD, *(f"{TEMPLATES}/{name}" for name in _listed(folder))):
        if name not in files and os.path.lexists(os.path.join(folder, name)):
            raise FormatError(
                f"cannot write {folder}: it holds {name} of another tokenizer, which would be read with this "
                "one or in its place; remove it, or save to a new folder"
            )
    return {os.path.join(folder, name): data for name, data in files.items()}


def config_of(tokenizer: Tokenizer) -> dict[str, Any]:
    """What `tokenizer_config.json` holds for a tokenizer, and its chat templates by name.

    The roles of special tokens are those that the tokenizer came with. Otherwise the template tells what
    begins and what ends a text, and the vocabulary what stands for unknown characters.
    """
    stored = tokenizer.provenance.get("transformers")
    config = {"clean_up_tokenization_spaces": False, **(stored if isinstance(stored, dict) else {})}
    for role, token in _roles(tokenizer).items():
        config.setdefault(role, token)
    flags = {token.text: token for token in tokenizer.added_tokens}
    specials = sorted(tokenizer.vocabulary.special_tokens.items(), key=lambda item: item[1])
    rows = dump_added_tokens(flags.get(text, AddedToken(text, token)) for text, token in specials)
    templates = dict(config.pop("chat_template", {}))
    if tokenizer.chat_template is not None:
        templates["default"] = tokenizer.chat_template
    return {
        **config,
        "added_tokens_decoder": {str(row.pop("id")): row for row in rows},
        "chat_template": templates,
        "tokenizer_class": CLASS,
    }


def _roles(tokenizer: Tokenizer) -> dict[str, str]:
    """What special tokens are there for, as far as the tokenizer tells."""
    specials = tokenizer.vocabulary.special_tokens
    texts: dict[object, str] = {token: text for text, token in specials.items()}
    single = tokenizer.template.single if tokenizer.template is not None else ("A",)
    at = single.index("A")
    roles = {
        "bos_token": texts.get(single[0]) if at else None,
        "eos_token": texts.get(single[-1]) if at < len(single) - 1 else None,
        "unk_token": texts.get(tokenizer.vocabulary.unknown),
    }
    if "<|endoftext|>" in specials and roles["eos_token"] is None:
        roles["eos_token"] = "<|endoftext|>"
    return {role: text for role, text in roles.items() if text is not None}


def to_transformers(tokenizer: Tokenizer, config: Mapping[str, Any]) -> Any:
    """A fast tokenizer of `transformers` with the same ids.

    Raises:
        FormatError: `tokenizer.json` cannot hold the tokenizer exactly.
        MissingExtraError: `transformers` is not installed.
    """
    try:
        import tokenizers
        import transformers
    except ImportError as error:
        raise MissingExtraError(
            "a tokenizer of `transformers` needs that package: pip install 'bpetok[hf]'"
        ) from error
    backend = tokenizers.Tokenizer.from_str(dump_alone(tokenizer, "a tokenizer of `transformers`").decode())
    made = config_of(tokenizer)
    del made["added_tokens_decoder"]  # which the backend has
    templates = made.pop("chat_template")
    if templates:
        made["chat_template"] = templates["default"] if templates.keys() == {"default"} else templates
    made |= config
    return getattr(transformers, made.pop("tokenizer_class"))(tokenizer_object=backend, **made)


def _json(document: Mapping[str, Any]) -> bytes:
    return (json.dumps(document, ensure_ascii=False, indent=2) + "\n").encode()
