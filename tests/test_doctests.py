"""The examples in docstrings, of Python and native modules alike."""

import doctest
import importlib
import pkgutil

import pytest

import bpetok

MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(bpetok.__path__, "bpetok.")
    if module.name not in ("bpetok.encodings.build",)
)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


def test_there_are_examples():
    counts = [doctest.testmod(importlib.import_module(name)).attempted for name in MODULES]
    assert sum(counts) > 40
