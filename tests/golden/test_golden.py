"""Files written by this release's formats, kept: they are read as ever, and written as ever."""

import pytest
from make_golden import FILES, FOLDER, make

from bpetok.formats import load, save

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
