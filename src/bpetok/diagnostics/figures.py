"""Figures with their intervals, and reports as plain data and back."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from bpetok.errors import FormatError

__all__ = ["Figure", "figures_of", "from_plain", "to_plain"]

T = TypeVar("T")


@dataclasses.dataclass(frozen=True, slots=True)
class Figure:
    """A number, and where it is an estimate, the bounds of its 95 % interval."""

    value: float
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        interval = "" if self.low is None else f" [{self.low:.4g}, {self.high:.4g}]"
        return f"{self.value:.4g}{interval}"


def figures_of(
    values: npt.NDArray[np.float64], low: npt.NDArray[np.float64], high: npt.NDArray[np.float64]
) -> list[Figure | None]:
    """A figure for each value; None for one that is not defined (NaN)."""

    def figure(value: float, low: float, high: float) -> Figure | None:
        if not math.isfinite(value):
            return None
        known = math.isfinite(low) and math.isfinite(high)
        return Figure(value, low, high) if known else Figure(value)

    return [*map(figure, values.tolist(), low.tolist(), high.tolist())]


def to_plain(value: Any) -> Any:
    """Dataclasses, tuples and mappings as dicts and lists; floats to seven digits.

    Fields whose metadata says `plain=False` are left out.
    """
    if dataclasses.is_dataclass(value):
        return {
            field.name: to_plain(getattr(value, field.name))
            for field in dataclasses.fields(value)
            if field.metadata.get("plain", True)
        }
    if isinstance(value, Mapping):
        return {str(key): to_plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [to_plain(each) for each in value]
    return float(f"{value:.7g}") if isinstance(value, float) else value


def from_plain(kind: type[T], plain: Any, where: str = "report") -> T:
    """What `to_plain` was given, as its type.

    Raises:
        FormatError: the data is of another shape; `where` tells the place.
    """
    found: T = _value(kind, plain, where)
    return found


def _value(kind: Any, plain: Any, where: str) -> Any:
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        if not isinstance(plain, dict):
            raise FormatError(f"{where}: {kind.__name__} should be an object, not {type(plain).__name__}")
        hints = typing.get_type_hints(kind)
        given = {}
        for field in dataclasses.fields(kind):
            if field.name in plain:
                given[field.name] = _value(hints[field.name], plain[field.name], f"{where}.{field.name}")
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                raise FormatError(f"{where}: {field.name!r} is missing: make the report again")
        return kind(**given)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (typing.Union, types.UnionType):
        if plain is None:
            return None
        (inner,) = (each for each in arguments if each is not type(None))
        return _value(inner, plain, where)
    if origin is tuple:
        if not isinstance(plain, list):
            raise FormatError(f"{where}: should be a list, not {type(plain).__name__}")
        return tuple(_value(arguments[0], each, f"{where}[{at}]") for at, each in enumerate(plain))
    if origin is dict or origin is Mapping:
        if not isinstance(plain, dict):
            raise FormatError(f"{where}: should be an object, not {type(plain).__name__}")
        return {key: _value(arguments[1], each, f"{where}.{key}") for key, each in plain.items()}
    if kind is float and isinstance(plain, int) and not isinstance(plain, bool):
        return float(plain)
    if not isinstance(plain, kind) or (kind is int and isinstance(plain, bool)):
        raise FormatError(f"{where}: should be {kind.__name__}, not {type(plain).__name__}")
    return plain
