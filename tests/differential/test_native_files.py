"""Tokenizers of other libraries' files, as native files: everything comes back, and the same ids."""

import pytest

import hub
from bpetok import Tokenizer
from bpetok.formats import load, save
from files import everything

MODELS = (
    "data/tokenizer.model.v1",
    "data/mistral_instruct_tokenizer_240216.model.v2",
    "data/mistral_instruct_tokenizer_240323.model.v3",
    "data/mistral_instruct_tokenizer_241114.model.v7",
)


def comes_back(tokenizer: Tokenizer, folder) -> None:
    save(tokenizer, folder / "native")
    back = load(folder / "native")
    assert everything(back) == everything(tokenizer)
    save(back, folder / "again")
    assert (folder / "again").read_bytes() == (folder / "native").read_bytes()
    texts = [*hub.declarations().values(), *hub.strings(200, 5, tokenizer.vocabulary.special_tokens)]
    for text in texts:
        ids = tokenizer.encode_with_template(text)
        assert back.encode_with_template(text) == ids
        assert back.decode(ids) == tokenizer.decode(ids)
    assert back.encode_with_template(*texts[:2]) == tokenizer.encode_with_template(*texts[:2])


@pytest.mark.parametrize("style", hub.STYLES)
def test_a_tokenizer_json_comes_back(tmp_path, style):
    path = tmp_path / "tokenizer.json"
    path.write_text(hub.made(style), "utf-8")
    comes_back(load(path), tmp_path)


@pytest.mark.parametrize("file", MODELS)
def test_a_model_of_sentencepiece_comes_back(tmp_path, file):
    comes_back(load(hub.packaged("mistral_common", file), add_bos=True), tmp_path)


def test_a_tekken_file_comes_back(tmp_path):
    comes_back(load(hub.packaged("mistral_common", "data/tekken_240911.json")), tmp_path)
