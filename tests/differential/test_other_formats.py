"""tekken.json against mistral-common, and minbpe's models against what minbpe's encoder does."""

import json
from itertools import pairwise
from pathlib import Path

import pytest
import regex

from bpetok import get_encoding
from bpetok.errors import FormatError
from bpetok.formats import load

TEXTS = ("", "hello world  x\n\n", "naïve 東京 Ελλάδα 12345 can't", "a" * 300, "<s>[INST] \t\r\n é\u0301")
PATTERN = get_encoding("cl100k_base").pattern.source


def test_tekken_gives_the_ids_of_mistral_common():
    mistral_common = pytest.importorskip("mistral_common", reason="mistral-common is not installed")
    tekken = pytest.importorskip("mistral_common.tokens.tokenizers.tekken")
    path = Path(mistral_common.__file__).parent / "data" / "tekken_240911.json"
    ours, theirs = load(path), tekken.Tekkenizer.from_file(path)
    for text in TEXTS:
        assert ours.encode_ordinary(text) == theirs.encode(text, bos=False, eos=False)
    assert ours.n_vocab == theirs.n_words
    assert ours.encode("</s>", allowed_special="all") == [theirs.eos_id]
    assert ours.provenance["tekken"]["image"] == {"image_patch_size": 16, "max_image_size": 1024}


def test_a_tekken_file_that_is_not_known_is_refused(tmp_path):
    path = tmp_path / "tekken.json"
    config = {"version": "v99", "default_num_special_tokens": 0, "default_vocab_size": 256, "pattern": "a"}
    for change, word in (
        ({}, "v99"),
        ({"version": "v13"}, "no 'special_tokens'"),
        ({"version": "v3"}, "do not fit"),
    ):
        path.write_text(
            json.dumps({"config": config | change, "vocab": [{}] * (256 * ("v13" in str(change)))})
        )
        with pytest.raises(FormatError, match=word):
            load(tmp_path)


def minbpe(text, merges):
    """The lowest pair first, at every place."""
    ids = list(text.encode())
    while found := [pair for pair in pairwise(ids) if pair in merges]:
        pair = min(found, key=merges.__getitem__)
        at = 0
        while at < len(ids) - 1:
            if (ids[at], ids[at + 1]) == pair:
                ids[at : at + 2] = [merges[pair]]
            at += 1
    return ids


@pytest.mark.parametrize("pattern", ["", PATTERN])
def test_minbpe_gives_the_ids_of_its_encoder(tmp_path, pattern):
    pairs = [(97, 97), (256, 97), (32, 120), (104, 101), (259, 108), (108, 111), (260, 261), (256, 256)]
    merges = {pair: 256 + at for at, pair in enumerate(pairs)}
    path = tmp_path / "x.model"
    lines = ["minbpe v1", pattern, "1", "<end> 900", *(f"{left} {right}" for left, right in pairs)]
    path.write_text("\n".join(lines) + "\n", "utf-8")
    ours = load(path)
    for text in TEXTS:
        pieces = regex.findall(pattern, text) if pattern else [text]
        assert ours.encode_ordinary(text) == [token for piece in pieces for token in minbpe(piece, merges)]
    assert ours.encode("a<end>", allowed_special="all") == [97, 900]


@pytest.mark.parametrize("merge", ["1 256", "1", "x y", "-1 2", "1 2\n1 2", "97 97\n" + "256 256\n" * 2])
def test_a_damaged_minbpe_model_is_refused(tmp_path, merge):
    path = tmp_path / "x.model"
    path.write_text(f"minbpe v1\n\n0\n{merge}\n")
    with pytest.raises(FormatError):
        load(path)
