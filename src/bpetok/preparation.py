"""From a text to what the merge engine takes: added tokens found, the rest normalized, spaces put in.

The order is that of `tokenizers`: tokens are looked for in the text as it is; what is between them is
normalized, each part by itself; tokens that are looked for in normalized text are found there; what is left
is cut into pieces by the pattern, or by `Splits`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from bpetok._text import as_utf8, has_any, repaired
from bpetok.added_tokens import AddedToken, Finder
from bpetok.errors import PreparationError, VocabularyError
from bpetok.normalization import Normalizer
from bpetok.splits import Splits

__all__ = ["Part", "Preparation"]

# The id of a token and its text; or TEXT and text for the pattern, or the pieces of a text; or LATER and text
# for the pattern, in which `Preparation.later` are still to be found.
Part = tuple[int, str | list[str]]
TEXT, LATER = -1, -2


class Preparation:
    """The steps before the engine of one tokenizer. Immutable.

    Args:
        special_tokens: text to id of all tokens that are found.
        added_tokens: how those are found that are not found just as they stand.
        normalizer: what is done to the text between the tokens.
        splits: what cuts it, where it is no pattern.
    """

    def __init__(
        self,
        special_tokens: Mapping[str, int],
        added_tokens: Iterable[AddedToken],
        normalizer: Normalizer | None,
        splits: Splits | None,
    ) -> None:
        by_text = {token.text: token for token in added_tokens}
        raw: dict[str, tuple[AddedToken, int]] = {}
        normalized: dict[str, tuple[AddedToken, int]] = {}
        for place, (text, token) in enumerate(special_tokens.items()):
            added = by_text.get(text, AddedToken(text, token))
            if not added.normalized:
                raw[text] = added, place
                continue
            wanted = text if normalizer is None else normalizer.spelling(text)
            if not wanted or wanted in normalized:
                raise VocabularyError(
                    f"the added token {text!r} is {wanted!r} when normalized, "
                    + ("as another one is" if wanted else "so it is nowhere to be found")
                )
            normalized[wanted] = added, place
        self._raw = Finder(raw)
        self._odd = Finder({text: each for text, each in raw.items() if not each[0].plain})
        self._normalized = Finder(normalized)
        self._none = bytes(len(special_tokens))
        self._normalizer = normalizer
        self._native = splits.native() if splits is not None else None
        self._unlike = self._native.unlike if self._native is not None else ()
        self._splits = splits
        moved = normalizer is not None and (normalized or not normalizer.keeps_start)
        if splits is not None and splits.knows_first and moved:
            raise PreparationError(
                "Metaspace with the prepend scheme 'first' is not exact behind a normalizer that can remove "
                "the beginning of a text, or with added tokens that are looked for in normalized text"
            )
        straight = splits is None or (
            self._native is not None and not (self._native.old or self._native.prefix)
        )
        # Whether those of normalized text are found as they are spelled, so that the engine can find them.
        self._plain = (
            straight
            and self._normalized.plain
            and all(wanted == token.text for wanted, (token, _) in normalized.items())
        )
        self._later = sum(0xFF << 8 * place for _, place in normalized.values())
        #: Whether a text that the normalizer leaves as it is can go to the engine as it is.
        self._direct = (
            straight
            and (not normalized or (self._plain and _in_any_order(raw, normalized)))
            and (normalizer is None or normalizer.leaves_parts)
        )

    @property
    def needed(self) -> bool:
        """Whether any text must be prepared."""
        return not self._direct or self._normalizer is not None or bool(self._odd or self._unlike)

    def __call__(self, text: str, mask: bytes | None) -> list[Part] | None:
        """The parts of a text, in order; None where it can go to the engine as it is, tokens included.

        Args:
            text: any text; surrogates are repaired.
            mask: a byte for each special token, nonzero where it is looked for; None for none of them.
        """
        normal = None
        if self._direct:
            normal = text if self._normalizer is None else self._normalizer(text)
            if normal is text and not self._is_odd(text, mask) and not self._needs_steps(text):
                return None
        return self.parts(text, mask, later=self._plain and not self._unlike, normal=normal)

    def parts(
        self, text: str, mask: bytes | None, *, later: bool = False, normal: str | None = None
    ) -> list[Part]:
        """The parts of a text, in order.

        Args:
            text: any text; surrogates are repaired.
            mask: a byte for each special token, nonzero where it is looked for; None for none of them.
            later: whether tokens that are looked for in normalized text are left for later.
            normal: the whole text as the normalizer makes it, where that is known.
        """
        mask = mask or self._none
        text = repaired(text)
        data = as_utf8(text)
        parts: list[Part] = []
        for token, start, end in self._raw.parts(data, mask):
            whole = end - start == len(data)
            part = text if whole else data[start:end].decode()
            if token >= 0:
                parts.append((token, part))
            else:
                if self._normalizer is not None:
                    part = normal if whole and normal is not None else self._normalizer(part)
                self._between(part, mask, start == 0, later, parts)
        return parts

    def later(self, mask: bytes | None) -> bytes:
        """Of the marks of tokens, those that are looked for in normalized text."""
        both = int.from_bytes(mask or self._none, "little") & self._later
        return both.to_bytes(len(self._none), "little")

    def _between(self, text: str, mask: bytes, first: bool, later: bool, parts: list[Part]) -> None:
        """Append the parts of a text between tokens that are found in it as it is, after normalization."""
        if not len(self._normalized):
            self._put(text, first, parts)
            return
        if later:
            if text:
                parts.append((LATER, text))
            return
        data = text.encode()
        for token, start, end in self._normalized.parts(data, mask):
            if token >= 0:
                parts.append((token, data[start:end].decode()))
            else:
                self._put(data[start:end].decode(), first and start == 0, parts)

    def _is_odd(self, text: str, mask: bytes | None) -> bool:
        """Whether a token that is looked for, and has rules of its own, is in this text."""
        return len(self._odd) > 0 and self._odd.any(as_utf8(text), mask or self._none)

    def _needs_steps(self, text: str) -> bool:
        """Whether no pattern says where this text is cut."""
        if self._native is None:
            return self._splits is not None
        return bool(self._unlike) and has_any(text, self._unlike)

    def _put(self, text: str, first: bool, parts: list[Part]) -> None:
        """Append a text without tokens."""
        if not text:
            return
        if self._splits is not None and self._needs_steps(text):
            parts.append((TEXT, self._splits.pieces(text, first)))
            return
        if self._native is not None:
            old, new, prefix, only_first, *_ = self._native
            if old:
                text = text.replace(old, new)
            if prefix and (first or not only_first) and not text.startswith(prefix):
                text = prefix + text
        parts.append((TEXT, text))


def _in_any_order(raw: Iterable[str], normalized: Iterable[str]) -> bool:
    """Whether looking for all tokens at once, the leftmost first and then the longest, finds what looking for
    those of the raw text before the others finds: where no raw one begins within another, nor where another
    begins that is longer. It is seen from the first bytes of the raw ones, whether they can.
    """
    before = {text.encode() for text in raw}
    firsts = {data[0] for data in before}
    others = [text.encode() for text in normalized]
    return not any(
        firsts.intersection(data[1:]) or any(data[:end] in before for end in range(1, len(data)))
        for data in others
    )
