"""GPT-2's vocab.json and merges.txt against `tokenizers` and `transformers`."""

import contextlib
import functools
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from bpetok import Tokenizer, get_encoding, train
from bpetok.errors import FormatError
from bpetok.formats import load, paths, save

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

LINES = ["the cat sat on the mat, the cats can't sit; naïve 12345\n\n東京"] * 3
RANKS = {bytes([byte]): byte for byte in range(256)}


def own(**options) -> Tokenizer:
    settings = {"vocab_size": 330, "pattern": "gpt2", "special_tokens": ["<|endoftext|>", "<é>"], **options}
    return train(LINES, **settings)


@pytest.fixture(scope="module", params=["gpt2", "own"])
def written(request, tmp_path_factory):
    """A tokenizer, and the folder that it was written to."""
    ours = get_encoding("gpt2") if request.param == "gpt2" else own()
    folder = tmp_path_factory.mktemp("files") / "folder"
    save(ours, folder, "gpt2")
    return ours, folder


@pytest.fixture(scope="module")
def pair(written):
    ours, folder = written
    files = (str(folder / "vocab.json"), str(folder / "merges.txt"))
    return ours, load(folder), tokenizers.ByteLevelBPETokenizer(*files)


@given(text=strategies.hostile_text())
def test_ids_are_those_of_tokenizers(pair, text):
    ours, again, theirs = pair
    ids = theirs.encode(text).ids
    assert ours.encode_ordinary(text) == ids
    assert again.encode_ordinary(text) == ids


def test_transformers_reads_the_folder(written):
    transformers = pytest.importorskip("transformers", reason="transformers is not installed")
    ours, folder = written
    theirs = transformers.GPT2Tokenizer.from_pretrained(str(folder))
    for text in ("hello<|endoftext|> world", "the cats can't   sit\n\n 東京", ""):
        assert theirs(text).input_ids == ours.encode(text, allowed_special={"<|endoftext|>"})


def test_what_transformers_saves_is_read(tmp_path):
    """`save_model` of `tokenizers` writes the two files, as `transformers` did in its old folders."""
    ours = own()
    ours.save(tmp_path / "tokenizer.json", "huggingface")
    theirs = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    (tmp_path / "files").mkdir()
    theirs.model.save(str(tmp_path / "files"))
    again = load(tmp_path / "files", special_tokens=dict(ours.vocabulary.special_tokens))
    for text in (*LINES, "<é>the<|endoftext|>"):
        assert again.encode(text, allowed_special="all") == theirs.encode(text).ids


@pytest.mark.parametrize("start", ["", "vocab.json", "merges.txt"])
def test_either_file_stands_for_both(written, start):
    ours, folder = written
    again = load(folder / start)
    assert again.name == "folder"
    assert again.vocabulary.tokens() == ours.vocabulary.tokens()
    assert again.vocabulary.special_tokens == ours.vocabulary.special_tokens
    assert again.vocabulary.merges().tolist() == ours.vocabulary.merges().tolist()
    assert again.pattern == ours.pattern
    assert sorted(map(str, folder.iterdir())) == paths(str(folder), "gpt2")


def test_a_pattern_and_special_tokens_can_be_given(tmp_path):
    own().save(tmp_path, "gpt2")
    again = load(tmp_path / "vocab.json", pattern="qwen2", special_tokens={"<x>": 999}, name="mine")
    assert (again.pattern.name, again.name) == ("qwen2", "mine")
    assert again.vocabulary.special_tokens == {"<x>": 999}


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"tokenizer_class": "Qwen2Tokenizer"}, "Qwen2Tokenizer"),
        ({"tokenizer_class": "GPT2Tokenizer", "add_prefix_space": True}, "'add_prefix_space'"),
        ([], "class"),
    ],
)
def test_files_of_another_model_are_refused(tmp_path, config, words):
    own().save(tmp_path, "gpt2")
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    with pytest.raises(FormatError, match=words):
        load(tmp_path)
    assert load(tmp_path, pattern="gpt2").n_vocab == own().n_vocab


def test_added_tokens_beside_the_files_are_refused(tmp_path):
    own().save(tmp_path, "gpt2")
    (tmp_path / "added_tokens.json").write_text('{"<x>": 999}')
    with pytest.raises(FormatError, match="holds more tokens"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("vocab", "merges", "words"),
    [
        (None, None, "needs .*merges.txt beside it"),
        (None, "#version: 0.2\nab c\n", "needs 'ab', which is not in 'vocab'"),
        (None, "#version: 0.2\na b\nc\n", "line 3: 'c' is not two tokens"),
        (None, "#version: 0.2\na b\n\n", "line 3: '' is not two tokens"),
        (None, "#version: 0.2\na  b\n", "line 2"),
        ({"b</w>": 900, "ab</w>": 901}, "#version: 0.2\na b</w>\n", "merges 'b</w>', which is no byte"),
        ({"b": 0}, "#version: 0.2\n", "gives id 0 to two tokens"),
        ({"x": -1}, "#version: 0.2\n", "ids are integers from 0"),
        ({"a": 1 << 30}, "#version: 0.2\n", "ids are integers from 0"),
        ({"ab": True}, "#version: 0.2\n", "no tokenizer that bpetok knows"),
        ({"東": 500, "東東": 501}, "#version: 0.2\n東 東\n", "merges '東', which is no byte"),
    ],
)
def test_damaged_files_are_refused(tmp_path, vocab, merges, words):
    own().save(tmp_path, "gpt2")
    path = tmp_path / "vocab.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **(vocab or {})}))
    (tmp_path / "merges.txt").unlink()
    if merges is not None:
        (tmp_path / "merges.txt").write_text(merges)
    with pytest.raises(FormatError, match=words):
        load(path)


def test_a_missing_byte_and_bytes_that_are_no_text_are_refused(tmp_path):
    (tmp_path / "vocab.json").write_text('{"a": 0, "b": 1, "ab": 2}')
    (tmp_path / "merges.txt").write_text("#version: 0.2\na b\n")
    with pytest.raises(FormatError, match="no token for byte 0x09 and"):
        load(tmp_path)
    (tmp_path / "merges.txt").write_bytes(b"#version: 0.2\n\xff b\n")
    with pytest.raises(FormatError, match="not valid UTF-8 at byte 14"):
        load(tmp_path)
    (tmp_path / "vocab.json").write_text("[]")
    with pytest.raises(FormatError, match="must be an object"):
        load(tmp_path / "merges.txt")


@functools.cache
def own_files() -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        own().save(folder, "gpt2")
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


@given(data=st.data())
def test_files_that_are_damaged_at_random_are_refused_or_another_tokenizer(data):
    name = data.draw(st.sampled_from(["vocab.json", "merges.txt"]))
    content = bytearray(own_files()[name])
    for _ in range(data.draw(st.integers(0, 3))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(content)))
    with tempfile.TemporaryDirectory() as folder:
        for each, whole in own_files().items():
            (Path(folder) / each).write_bytes(content[:cut] if each == name else whole)
        with contextlib.suppress(FormatError):
            assert load(folder).encode_ordinary("the cat") is not None


def ranked(more, pattern="gpt2", specials=None) -> Tokenizer:
    return Tokenizer("x", pat_str=pattern, mergeable_ranks={**RANKS, **more}, special_tokens=specials or {})


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (own(pattern="cl100k"), "GPT-2's pattern"),
        (ranked({b"abc": 256}), "only ever taken as a whole piece"),
        (ranked({}, specials={"Ġ": 300}), "spelling or the id of another token"),
        (ranked({}, specials={"<a>": 300, "<b>": 300}), "spelling or the id of another token"),
        (Tokenizer("x", pat_str="gpt2", mergeable_ranks={b"a": 0}, special_tokens={}), "byte 0x09"),
        (train(LINES, vocab_size=300, byte_fallback=True), "characters"),
        (
            ranked({b"#version:"[:n]: 254 + n for n in range(2, 10)}),
            "would be taken for the header",
        ),
    ],
)
def test_what_the_files_cannot_hold_is_refused(tmp_path, tokenizer, words):
    with pytest.raises(FormatError, match=words):
        tokenizer.save(tmp_path / "folder", "gpt2")
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["tokenizer.json", "tekken.json", "added_tokens.json"])
def test_a_folder_of_another_tokenizer_is_kept(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(FormatError, match=name):
        own().save(tmp_path, "gpt2")
    assert [path.name for path in tmp_path.iterdir()] == [name]
