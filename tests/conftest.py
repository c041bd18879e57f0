"""What the tests share: the Hypothesis budget, encodings beside tiktoken's, and real files.

``BPETOK_TEST_EXAMPLES`` is how many examples each property gets (default 60). Properties draw the same
examples on every run, unless ``BPETOK_TEST_SEED`` is a number, which then seeds them; the report's header
says which. A failure prints the blob that reproduces it.
"""

import functools
import os
import sys
import sysconfig
from pathlib import Path

import hypothesis
import pytest

from peers import ENCODINGS, tiktoken_encoding

EXAMPLES = int(os.environ.get("BPETOK_TEST_EXAMPLES", "60"))
SEED = os.environ.get("BPETOK_TEST_SEED")

hypothesis.settings.register_profile(
    "bpetok",
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=SEED is None,
    database=None,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow, hypothesis.HealthCheck.data_too_large],
)
hypothesis.settings.load_profile("bpetok")


def pytest_report_header() -> str:
    return f"bpetok: {EXAMPLES} examples a property, seed {SEED or 'fixed (derandomized)'}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if SEED is not None:
        for item in items:
            test = getattr(item, "obj", None)
            if hypothesis.is_hypothesis_test(test):
                hypothesis.seed(int(SEED))(getattr(test, "__func__", test))


@pytest.fixture(scope="session", params=ENCODINGS)
def encodings(request: pytest.FixtureRequest):
    """(ours, tiktoken's) of every embedded encoding in turn."""
    import bpetok

    return bpetok.get_encoding(request.param), tiktoken_encoding(request.param)


@pytest.fixture(scope="session", params=("gpt2", "cl100k_base", "o200k_base"))
def main_encodings(request: pytest.FixtureRequest):
    """(ours, tiktoken's) of the three encodings with vocabularies and patterns of their own."""
    import bpetok

    return bpetok.get_encoding(request.param), tiktoken_encoding(request.param)


def _some(paths: list[Path], most: int) -> list[Path]:
    """`most` of the paths, evenly spread."""
    return paths[:: max(1, len(paths) // most)][:most]


@functools.cache
def text_files() -> tuple[Path, ...]:
    """Text files that machines have: Python's own sources, and documentation and translations."""
    library = Path(sysconfig.get_path("stdlib"))
    found = _some(sorted(library.glob("*.py")) + sorted(library.glob("encodings/*.py")), 40)
    for folder, kinds in (
        ("/usr/share/doc", ("*/copyright", "*/*.txt", "*/*.md", "*/*.html")),
        ("/usr/share/perl", ("*/*.pm",)),
        ("/usr/share/locale", ("*/LC_MESSAGES/*.mo",)),
        ("/usr/share/i18n/locales", ("*",)),
    ):
        for kind in kinds:
            found += _some(sorted(path for path in Path(folder).glob(kind) if path.is_file()), 12)
    return tuple(path for path in found if path.stat().st_size < 200_000)


@pytest.fixture(scope="session")
def real_texts() -> list[str]:
    """The texts of `text_files`, what is not UTF-8 in them replaced."""
    texts = []
    for path in text_files():
        try:
            texts.append(path.read_text("utf-8", "replace"))
        except OSError:
            continue
    if not texts:
        pytest.skip(f"no text files found on this machine ({sys.platform})")
    return texts
