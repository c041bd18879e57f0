"""Texts that tokenizers are measured on: the same segments in many languages.

`load_corpus("phrasebook")` comes with the package, `load_corpus("udhr")` is there after `bpetok data add
udhr`, and any TSV, JSON lines or Parquet file with a language, a segment and a text in each row can be read.
"""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok._text import repaired
from bpetok.corpus.compression import open_bytes, split_suffix
from bpetok.diagnostics.scripts import COMMON, SCRIPTS, scripts_of
from bpetok.errors import CorpusError, MissingExtraError

__all__ = ["Language", "ParallelCorpus", "load_corpus"]

_PHRASEBOOK = Path(__file__).parent / "phrasebook"
_ISO_15924 = {
    "Arab": "Arabic", "Armn": "Armenian", "Beng": "Bengali", "Cyrl": "Cyrillic", "Deva": "Devanagari",
    "Ethi": "Ethiopic", "Geor": "Georgian", "Grek": "Greek", "Gujr": "Gujarati", "Guru": "Gurmukhi",
    "Hang": "Hangul", "Hans": "Han", "Hant": "Han", "Hebr": "Hebrew", "Jpan": "Hiragana", "Khmr": "Khmer",
    "Knda": "Kannada", "Laoo": "Lao", "Latn": "Latin", "Mlym": "Malayalam", "Mymr": "Myanmar",
    "Orya": "Oriya", "Sinh": "Sinhala", "Taml": "Tamil", "Telu": "Telugu", "Thai": "Thai",
}  # fmt: skip
_ARTICLES = tuple(f"art{number}" for number in range(1, 31))


@dataclass(frozen=True)
class Language:
    """One language of a corpus, or one of several versions in it.

    Attributes:
        code: what it is called by; no other has the same.
        name: in English.
        script: the Unicode name of the script that it is written in.
        iso639_3: of the language, where the corpus says.
        latitude, longitude: of where it is spoken, in degrees, where the corpus says.
    """

    code: str
    name: str
    script: str
    iso639_3: str | None = None
    latitude: float | None = None
    longitude: float | None = None


@dataclass(frozen=True)
class ParallelCorpus:
    """Segments in several languages; the same segment says the same in each.

    Attributes:
        name: how reports call it.
        note: what a reader of figures must know of it.
        languages: in the order of their codes.
        segments: what the segments are called, in their order.
        texts: all texts, those of a language side by side and in the order of segments.
        language_of: for each text the number of its language.
        segment_of: for each text the number of its segment.
    """

    name: str
    note: str
    languages: tuple[Language, ...]
    segments: tuple[str, ...]
    texts: tuple[str, ...]
    language_of: npt.NDArray[np.int64]
    segment_of: npt.NDArray[np.int64]

    @classmethod
    def of(
        cls,
        rows: Iterable[tuple[str, str, str]],
        *,
        name: str = "corpus",
        note: str = "",
        languages: Mapping[str, Language] | None = None,
    ) -> ParallelCorpus:
        """A corpus of (language, segment, text) rows in any order.

        Args:
            rows: languages by their codes.
            name: how reports call it.
            note: what a reader of figures must know of it.
            languages: what is known of languages, by their codes. A script that is not said ("") is that of
                most of a language's letters.

        Raises:
            CorpusError: there are no rows, a language has a segment twice, or a text is empty.

        >>> corpus = ParallelCorpus.of([("eng", "1", "Good day"), ("deu", "1", "Guten Tag")])
        >>> [language.code for language in corpus.languages], corpus.texts
        (['deu', 'eng'], ('Guten Tag', 'Good day'))
        """
        found: dict[str, dict[str, str]] = {}
        order: dict[str, int] = {}
        for language, segment, text in rows:
            if not text.strip():
                raise CorpusError(
                    f"{name}: segment {segment!r} of {language!r} is empty: leave such rows out"
                )
            if segment in found.setdefault(language, {}):
                raise CorpusError(f"{name}: {language!r} has segment {segment!r} twice")
            order.setdefault(segment, len(order))
            found[language][segment] = repaired(text)
        if not found:
            raise CorpusError(f"{name}: there is no text to measure on")
        codes = sorted(found)
        texts: list[str] = []
        language_of: list[int] = []
        segment_of: list[int] = []
        for number, code in enumerate(codes):
            for segment in sorted(found[code], key=order.__getitem__):
                texts.append(found[code][segment])
                language_of.append(number)
                segment_of.append(order[segment])
        known = {code: (languages or {}).get(code) or Language(code, code, "") for code in codes}
        unsaid = [code for code in codes if not known[code].script]
        numbers = scripts_of(["".join(found[code].values()) for code in unsaid]).tolist()
        for code, number in zip(unsaid, numbers, strict=True):
            known[code] = replace(known[code], script=COMMON if number < 0 else SCRIPTS[number])
        described = tuple(known[code] for code in codes)
        return cls(
            name, note, described, tuple(order), tuple(texts), np.array(language_of), np.array(segment_of)
        )

    @functools.cached_property
    def sha256(self) -> str:
        """Of all languages' codes, segments and texts."""
        digest = hashlib.sha256()
        for language, segment, text in zip(self.language_of, self.segment_of, self.texts, strict=True):
            row = (self.languages[language].code, self.segments[segment], text)
            digest.update(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        return digest.hexdigest()

    def table(self, counts: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        """Counts of texts as an array of shape (languages, segments), 0 where a language lacks a segment."""
        table = np.zeros((len(self.languages), len(self.segments)))
        table[self.language_of, self.segment_of] = counts
        return table

    @functools.cached_property
    def present(self) -> npt.NDArray[np.bool_]:
        """Which language has which segment, shape (languages, segments)."""
        return self.table(np.ones(len(self.texts))) > 0

    def number(self, code: str) -> int:
        """The number of a language, by its code, or by what stands before "_" in it.

        Raises:
            CorpusError: there is no such language, or more than one.
        """
        codes = [language.code for language in self.languages]
        if code in codes:
            return codes.index(code)
        alike = [number for number, each in enumerate(codes) if each.partition("_")[0] == code]
        if len(alike) == 1:
            return alike[0]
        which = [codes[number] for number in alike] or codes
        more = ", ..." if len(which) > 20 else ""
        raise CorpusError(f"{self.name} has no language {code!r}: name one of {', '.join(which[:20])}{more}")

    def subset(self, codes: Iterable[str]) -> ParallelCorpus:
        """The corpus with some of its languages only.

        Raises:
            CorpusError: there is no such language.
        """
        kept = {self.number(code) for code in codes}
        rows = [
            (self.languages[language].code, self.segments[segment], text)
            for language, segment, text in zip(self.language_of, self.segment_of, self.texts, strict=True)
            if language in kept
        ]
        known = {language.code: language for language in self.languages}
        return ParallelCorpus.of(rows, name=self.name, note=self.note, languages=known)


def load_corpus(name: str | os.PathLike[str] = "phrasebook") -> ParallelCorpus:
    """A corpus by its name or its path.

    Args:
        name: "phrasebook", "udhr", or the path of a file: `.tsv`, `.jsonl` or `.parquet`, or one of the first
            two compressed with gzip. A row has `language`, `segment` and `text`, and may have `name` and
            `script` of its language. A line of JSON may also be a whole version, with `code`, and its
            texts by segment in `segments`.

    Raises:
        CorpusError: the file cannot be read, or a row lacks something.
        MissingExtraError: pyarrow is needed and not installed.
    """
    if name == "phrasebook":
        return _phrasebook()
    if name == "udhr":
        from bpetok.diagnostics.data import find

        return _declaration(find("udhr"))
    path = Path(name)
    if not path.exists():
        raise CorpusError(f"no corpus {os.fspath(name)!r}: not a file, and neither phrasebook nor udhr")
    return _of_records(_records(path), path.name)


@functools.cache
def _phrasebook() -> ParallelCorpus:
    languages = {}
    rows = []
    for line in (_PHRASEBOOK / "languages.tsv").read_text("utf-8").splitlines():
        code, name = line.split("\t")
        iso639_3, _, script = code.partition("_")
        languages[code] = Language(code, name, _ISO_15924[script], iso639_3)
        lines = (_PHRASEBOOK / f"{code}.txt").read_text("utf-8").splitlines()
        rows += [(code, str(number), text) for number, text in enumerate(lines, 1)]
    note = (
        "Thirty everyday sentences, written in English and translated by machine. Small: take differences "
        "between languages as a first look, and measure on text of your own."
    )
    return ParallelCorpus.of(rows, name="phrasebook", note=note, languages=languages)


def _declaration(path: Path) -> ParallelCorpus:
    """The thirty articles of the Declaration of Human Rights."""
    records = [
        {**record, "segments": {key: text for key, text in record["segments"].items() if key in _ARTICLES}}
        for record in _records(path)
    ]
    note = (
        "The thirty articles of the Universal Declaration of Human Rights. Legal language: names, numbers "
        "and everyday words are rare in it."
    )
    corpus = _of_records((record for record in records if record["segments"]), "udhr", _ARTICLES)
    return replace(corpus, note=note)


def _of_records(
    records: Iterable[Mapping[str, Any]], where: str, order: Iterable[str] = ()
) -> ParallelCorpus:
    """A corpus of what a file holds: rows, or versions with all their segments."""
    languages: dict[str, Language] = {}
    rows: list[tuple[str, str, str]] = []
    for number, record in enumerate(records, 1):
        segments = record.get("segments")
        code = record.get("language") if segments is None else record.get("code")
        if segments is None:
            segments = {record.get("segment"): record.get("text")}
        if not isinstance(code, str) or not isinstance(segments, Mapping):
            raise CorpusError(
                f"{where}: row {number} has no language: give each a language, segment and text"
            )
        for segment, text in segments.items():
            if segment is None or not isinstance(text, str):
                raise CorpusError(
                    f"{where}: row {number} has no segment or no text: give each a language, segment and text"
                )
            rows.append((code, str(segment), text))
        if code not in languages:
            languages[code] = Language(
                code,
                str(record.get("name") or code),
                str(record.get("script") or ""),
                record.get("iso639_3"),
                _number(record.get("latitude")),
                _number(record.get("longitude")),
            )
    rank = {segment: at for at, segment in enumerate(order)}
    rows.sort(key=lambda row: rank.get(row[1], len(rank)))
    return ParallelCorpus.of(rows, name=where, languages=languages)


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float | str) and value != "" else None


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a file."""
    kind, _ = split_suffix(os.fspath(path))
    if kind == ".parquet":
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise MissingExtraError(
                f'{path}: reading Parquet needs pyarrow: install it with pip install "bpetok[data]"'
            ) from error
        try:
            yield from pyarrow.parquet.read_table(path).to_pylist()
        except (pyarrow.ArrowException, OSError) as error:
            raise CorpusError(f"{path}: not a whole Parquet file ({error}): get the file again") from error
        return
    if kind not in (".tsv", ".jsonl", ".ndjson"):
        raise CorpusError(f"{path}: not .tsv, .jsonl or .parquet: name the file by what it holds")
    with open_bytes(os.fspath(path)) as stream:
        data = stream.read()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorpusError(
            f"{path}: not UTF-8 ({error.reason} at byte {error.start}): convert the file to UTF-8"
        ) from error
    if kind == ".tsv":
        yield from csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE)
        return
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield _parsed(line, f"{path}:{number}")


def _parsed(line: str, where: str) -> dict[str, Any]:
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not a line of JSON ({error})") from error
    if not isinstance(record, dict):
        raise CorpusError(f"{where}: not a JSON object: give each line a language, segment and text")
    return record
