"""Steps as plain data and back: what files hold of them.

A step is a frozen dataclass. Its spec is a dict with its type and a key for each field, in the form that a
`tokenizer.json` has where it has such a step.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, ClassVar

from bpetok.errors import PreparationError
from bpetok.oniguruma import Expression

__all__ = ["Plain", "from_spec"]

_MOST_NESTED = 32
_TYPES = {"str": str, "bool": bool, "int": int}


class Plain:
    """A dataclass with a spec. Fields are str, bool, int, `str | Expression`, or a tuple of such dataclasses;
    those of any other type are str, and checked when the object is made."""

    #: The type in the spec, where that is not the name of the class.
    kind: ClassVar[str] = ""
    #: The keys of fields that have another one than their name.
    keys: ClassVar[Mapping[str, str]] = {}

    def spec(self) -> dict[str, Any]:
        """The step as plain data."""
        made: dict[str, Any] = {"type": self.kind or type(self).__name__}
        for each in dataclasses.fields(self):  # type: ignore[arg-type]
            value = getattr(self, each.name)
            if isinstance(value, Expression):
                value = {"Regex": value.source}
            elif str(each.type) == "str | Expression":
                value = {"String": value}
            elif isinstance(value, tuple):
                value = [step.spec() for step in value]
            made[self.keys.get(each.name, each.name)] = value
        return made


def from_spec(spec: Any, known: Mapping[str, type], what: str, depth: int = 0) -> Any:
    """The step that a spec is of.

    Args:
        spec: plain data.
        known: the classes by the type in their specs.
        what: what they are, for messages.
        depth: how many sequences this one is in.

    Raises:
        PreparationError: it is of no known type, or a part of it is missing, wrong or not known.
    """
    kind = spec.get("type") if isinstance(spec, Mapping) else None
    if not isinstance(kind, str) or kind not in known:
        raise PreparationError(f"a {what} of type {str(kind)[:60]!r} is not known: {', '.join(known)} are")
    if depth > _MOST_NESTED:
        raise PreparationError(f"the {what}s are nested more than {_MOST_NESTED} deep")
    cls = known[kind]
    values = {}
    names = set()
    for each in dataclasses.fields(cls):
        key = cls.keys.get(each.name, each.name)  # type: ignore[attr-defined]
        names.add(key)
        value = spec.get(key)
        annotated = str(each.type)
        if annotated == "str | Expression":
            value = _pattern(value, kind)
        elif annotated.startswith("tuple["):
            if not isinstance(value, list):
                raise PreparationError(f"{key!r} of the {what} {kind} must be a list")
            value = tuple(from_spec(step, known, what, depth + 1) for step in value)
        elif type(value) is not _TYPES.get(annotated, str):
            raise PreparationError(f"{key!r} of the {what} {kind} is missing or of another type")
        values[each.name] = value
    if unknown := spec.keys() - names - {"type"}:
        raise PreparationError(f"the {what} {kind} has no part {str(min(unknown, key=str))[:60]!r}")
    return cls(**values)


def _pattern(value: Any, kind: str) -> str | Expression:
    if isinstance(value, Mapping) and len(value) == 1:
        ((form, source),) = value.items()
        if form in ("String", "Regex") and isinstance(source, str):
            return source if form == "String" else Expression(source)
    raise PreparationError(f"the pattern of {kind} must be {{'String': ...}} or {{'Regex': ...}}")
