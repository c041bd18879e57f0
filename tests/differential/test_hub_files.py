"""`tokenizer.json` files in the style of published ones: bpetok reads them, writes them and reads them
again, and `tokenizers` gives the same ids and texts.

How many generated strings each file gets follows ``BPETOK_TEST_EXAMPLES``: twenty for each example.
"""

import itertools
import os
from functools import cache

import pytest

import hub
from bpetok import Tokenizer

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

STRINGS = 20 * int(os.environ.get("BPETOK_TEST_EXAMPLES", "100"))


class Pair:
    """bpetok's reading of a file beside that of `tokenizers`."""

    def __init__(self, path) -> None:
        self.ours = Tokenizer.load(path)
        self.theirs = tokenizers.Tokenizer.from_file(str(path))
        self.blind = tokenizers.Tokenizer.from_file(str(path))
        self.blind.encode_special_tokens = True

    def same_ids(self, texts: list[str]) -> None:
        plain = self.theirs.encode_batch(texts, add_special_tokens=False)
        blind = self.blind.encode_batch(texts, add_special_tokens=False)
        for text, one, other in zip(texts, plain, blind, strict=True):
            assert self.ours.encode(text, allowed_special="all") == one.ids, text
            assert self.ours.encode_ordinary(text) == other.ids, text


@cache
def text_of(name: str) -> str:
    return hub.made(name)


@pytest.fixture(scope="module", params=hub.STYLES)
def pair(request, tmp_path_factory):
    path = tmp_path_factory.mktemp(request.param) / "tokenizer.json"
    path.write_text(text_of(request.param), "utf-8")
    return Pair(path)


@pytest.fixture(scope="module")
def again(pair, tmp_path_factory):
    """What bpetok writes of it, read by both."""
    path = tmp_path_factory.mktemp("again") / "tokenizer.json"
    pair.ours.save(path, "huggingface")
    return Pair(path)


@pytest.fixture(scope="module")
def texts(pair, real_texts):
    """Scripts, code, and generated strings with the added tokens of the file."""
    added = [token.content for token in pair.theirs.get_added_tokens_decoder().values()]
    return [
        "",
        *hub.declarations().values(),
        *(text[:5000] for text in real_texts[:20]),
        *hub.strings(STRINGS, 1, added[:40]),
    ]


def test_ids(pair, texts):
    pair.same_ids(texts)


def test_ids_of_what_is_written_and_read_again(pair, again, texts):
    again.same_ids(texts)
    for text in texts[:: max(1, len(texts) // 500)]:
        assert pair.ours.encode(text, allowed_special="all") == again.ours.encode(text, allowed_special="all")


def test_templates(pair, again, texts):
    some = texts[:: max(1, len(texts) // 300)]
    for each in (pair, again):
        for text, other in itertools.pairwise(some):
            assert each.ours.encode_with_template(text) == each.theirs.encode(text).ids
            assert each.ours.encode_with_template(text, other) == each.theirs.encode(text, other).ids


def test_texts_of_ids(pair, again, texts):
    if pair.theirs.decoder is None:
        pytest.skip("without a decoder, tokenizers puts a space between any two tokens, which is no text")
    some = texts[:: max(1, len(texts) // 500)]
    for each in (pair, again):
        for text in some:
            ids = each.theirs.encode(text).ids
            assert each.ours.decode(ids) == each.theirs.decode(ids, skip_special_tokens=False)
