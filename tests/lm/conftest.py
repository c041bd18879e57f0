"""What the tests of the language models share: a word list, and its split."""

import importlib.util
from pathlib import Path

import pytest

WORDS = str(Path(__file__).parents[1] / "data" / "words.txt")


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    if importlib.util.find_spec("torch") is None:
        yield
        return
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def entries():
    from bpetok.lm.words import load_words

    return load_words(WORDS)


@pytest.fixture(scope="session")
def split(entries):
    from bpetok.lm.words import split_words

    return split_words(entries, test=0.25, validation=0.1)
