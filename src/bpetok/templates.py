"""What is put around the ids of a text, or of two: a token for the beginning, one that separates, and so on.

>>> template = Template(single=(1, "A"), pair=(1, "A", 2, "B"))
>>> template.apply([10, 11]), template.apply([10, 11], [12])
([1, 10, 11], [1, 10, 11, 2, 12])
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bpetok.errors import PreparationError

__all__ = ["Template", "template_from"]

Part = int | Literal["A", "B"]


@dataclass(frozen=True)
class Template:
    """A sequence of ids and places for the texts; `TemplateProcessing` in `tokenizers`.

    Args:
        single: of one text: ids, and "A" where the text's ids go.
        pair: of two texts, with "A" and "B"; the second follows the first when it is not given.
        single_types: for each part of `single` the segment number, `token_type_ids`; 0 when not given.
        pair_types: for each part of `pair`; 0, and 1 for "B", when not given.
    """

    single: tuple[Part, ...] = ("A",)
    pair: tuple[Part, ...] = ("A", "B")
    single_types: tuple[int, ...] = ()
    pair_types: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, allowed in (("single", ("A",)), ("pair", ("A", "B"))):
            parts = tuple(getattr(self, name))
            for part in parts:
                if not (part in allowed if isinstance(part, str) else type(part) is int and part >= 0):
                    raise PreparationError(
                        f"{part!r:.60} is no part of a template for a {name}: ids and "
                        f"{' and '.join(map(repr, allowed))} are"
                    )
            default = tuple(int(part == "B") for part in parts)
            types = tuple(getattr(self, f"{name}_types")) or default
            if len(types) != len(parts) or not all(type(each) is int and each >= 0 for each in types):
                raise PreparationError(f"a template for a {name} needs one type for each part")
            object.__setattr__(self, name, parts)
            object.__setattr__(self, f"{name}_types", types)

    @property
    def ids(self) -> frozenset[int]:
        """The ids that it adds."""
        return frozenset(part for part in (*self.single, *self.pair) if isinstance(part, int))

    def apply(self, ids: Sequence[int], pair: Sequence[int] | None = None) -> list[int]:
        """The ids with what the template adds."""
        return [token for token, _ in self._filled(ids, pair)]

    def types(self, ids: Sequence[int], pair: Sequence[int] | None = None) -> list[int]:
        """The segment number of each id of `apply`."""
        return [each for _, each in self._filled(ids, pair)]

    def _filled(self, ids: Sequence[int], pair: Sequence[int] | None) -> Iterable[tuple[int, int]]:
        parts, types = (self.single, self.single_types) if pair is None else (self.pair, self.pair_types)
        for part, number in zip(parts, types, strict=True):
            if isinstance(part, int):
                yield part, number
            else:
                for token in ids if part == "A" or pair is None else pair:
                    yield token, number

    def spec(self) -> dict[str, Any]:
        """The template as plain data."""
        return {
            "single": list(self.single),
            "pair": list(self.pair),
            "single_types": list(self.single_types),
            "pair_types": list(self.pair_types),
        }


def template_from(spec: Mapping[str, Any]) -> Template:
    """The template of plain data.

    Raises:
        PreparationError: a part is missing, of another type, or not known.
    """
    names = {"single", "pair", "single_types", "pair_types"}
    if not isinstance(spec, Mapping) or spec.keys() != names:
        raise PreparationError(f"a template has the parts {', '.join(sorted(names))}")
    if not all(isinstance(spec[name], list) for name in names):
        raise PreparationError("the parts of a template are lists")
    return Template(**{name: tuple(spec[name]) for name in names})
