"""Files written by this release's formats, kept: they are read as ever, and written as ever."""

import pytest
from make_golden import FILES, FOLDER, SECOND, make, make_second

from bpetok.formats import load, save
from files import everything

IDS = {
    "": [],
    "the cat and the king": [257, 265, 116, 261, 260, 32, 107, 263],
    "the caf\u00e9\n\nin  \n 123 and <\u00e9>": [
        257, 265, 102, 266, 267, 262, 268, 10, 32, 49, 50, 51, 261, 32, 270,
    ],
    "thing<|endoftext|>an": [256, 263, 269, 258],
}  # fmt: skip


@pytest.mark.parametrize("format", FILES)
@pytest.mark.parametrize("text", IDS)
def test_ids_are_as_ever(format, text):
    tokenizer = load(FOLDER / FILES[format])
    assert tokenizer.encode(text, allowed_special="all") == IDS[text]
    assert tokenizer.decode(IDS[text]) == text


@pytest.mark.parametrize("format", FILES)
def test_files_are_written_as_ever(tmp_path, format):
    save(make(), tmp_path / FILES[format], format)
    written = sorted(tmp_path.iterdir())
    assert len(written) == (2 if format == "tiktoken" else 1)
    for path in written:
        assert path.read_bytes() == (FOLDER / path.name).read_bytes()


def test_the_native_file_holds_everything():
    tokenizer = load(FOLDER / FILES["native"])
    expected = make()
    assert (tokenizer.name, tokenizer.pattern.name) == ("toy", "cl100k")
    assert tokenizer.provenance == expected.provenance
    assert tokenizer.vocabulary.merge_counts.tolist() == list(range(1300, 0, -100))
    assert tokenizer.vocabulary.special_tokens == {"<|endoftext|>": 269, "<\u00e9>": 270}
    assert tokenizer.vocabulary.tokens() == expected.vocabulary.tokens()


@pytest.mark.parametrize("semantics", SECOND)
def test_the_second_version_is_written_and_read_as_ever(tmp_path, semantics):
    path = FOLDER / SECOND[semantics]
    save(make_second(semantics), tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == path.read_bytes()
    assert everything(load(path)) == everything(make_second(semantics))


@pytest.mark.parametrize(("semantics", "end"), [("merges", [268]), ("scores", [260, 261])])
def test_ids_of_the_second_version_are_as_ever(semantics, end):
    tokenizer = load(FOLDER / SECOND[semantics])
    ids = tokenizer.encode_with_template("abc ab\t1 a\u0301e\u0301\u6771 <tool>\U0001f600 a")
    assert ids == [
        256, 260, 267, 260, 266, 260, 260, 49, 260, 195, 161, 269, 300, 260, 240, 159, 152, 128, *end,
    ]  # fmt: skip
    assert tokenizer.decode(ids) == "<s> abc ab  1 \u00e1\u00e9\u6771<tool> \U0001f600 a"
