"""Files in tiktoken's format, read by tiktoken's own loader: the same ranks, the same ids."""

import pytest
from hypothesis import given

import strategies
from bpetok import get_encoding, train
from bpetok.formats import load, save

tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed")
from tiktoken.load import load_tiktoken_bpe  # noqa: E402


def theirs(path, tokenizer):
    """tiktoken's `Encoding` over the ranks that it reads from a file."""
    return tiktoken.Encoding(
        tokenizer.name,
        pat_str=tokenizer.pattern.source,
        mergeable_ranks=load_tiktoken_bpe(str(path)),
        special_tokens=dict(tokenizer.vocabulary.special_tokens),
    )


@pytest.fixture(scope="module", params=["gpt2", "p50k_edit", "cl100k_base", "o200k_harmony", "trained"])
def pair(request, tmp_path_factory):
    """A tokenizer that went through a file, and tiktoken's reading of the same file."""
    if request.param == "trained":
        texts = ["the cat sat on the mat, the cats can't sit; naïve 12345\n\n東京"] * 3
        tokenizer = train(texts, vocab_size=330, pattern="o200k", special_tokens=["<s>", "<|endoftext|>"])
    else:
        tokenizer = get_encoding(request.param)
    path = tmp_path_factory.mktemp("ranks") / "file"
    save(tokenizer, path, "tiktoken")
    assert load_tiktoken_bpe(str(path)) == tokenizer.vocabulary.ranks()
    return load(path), theirs(path, tokenizer)


@given(text=strategies.hostile_text())
def test_ids_are_tiktokens(pair, text):
    ours, encoding = pair
    assert ours.encode_ordinary(text) == encoding.encode_ordinary(text)
    assert ours.encode(text, allowed_special="all") == encoding.encode(text, allowed_special="all")


def test_ids_are_tiktokens_on_real_files(pair, real_texts):
    ours, encoding = pair
    for text in real_texts:
        assert ours.encode_ordinary(text) == encoding.encode_ordinary(text)
