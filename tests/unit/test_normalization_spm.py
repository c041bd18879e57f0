"""SentencePiece's normalization as a step: equality, plain data, and what is refused."""

import pickle

import pytest

from bpetok.errors import FormatError, PreparationError
from bpetok.normalization import normalizer_from
from bpetok.normalization_spm import SentencePiece
from darts import charsmap

STEP = SentencePiece("own", charsmap({"ﬁ": "fi", "\t": " "}), symbols=("ﬁn", "▁x"))


def test_a_step_comes_back_from_plain_data_and_pickles():
    for step in (STEP, SentencePiece()):
        assert normalizer_from(step.spec()) == step
        assert pickle.loads(pickle.dumps(step)) == step
        assert hash(step) == hash(normalizer_from(step.spec()))
    assert SentencePiece() != STEP
    assert normalizer_from(STEP.spec())("ﬁ\t ﬁn") == STEP("ﬁ\t ﬁn") == " fi ﬁn"


@pytest.mark.parametrize("suffix", [False, True])
@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("escape", [False, True])
def test_without_a_map_python_does_what_the_native_code_does(suffix, prefix, escape):
    step = SentencePiece(
        add_dummy_prefix=prefix,
        remove_extra_whitespaces=False,
        escape_whitespaces=escape,
        treat_whitespace_as_suffix=suffix,
    )
    for text in ("", "a", "▁", " a▁ b ", "日本▁語"):
        assert step(text) == step._native.normalize(text)


def test_symbols_are_spelled_with_spaces_and_without_a_prefix():
    assert STEP.spelling("▁x") == " x"
    assert STEP.spelling("ﬁn") == "ﬁn"
    assert SentencePiece(escape_whitespaces=False).spelling("▁x") == "▁x"


def test_only_an_unchanged_start_is_kept():
    assert SentencePiece(remove_extra_whitespaces=False).keeps_start
    assert not SentencePiece().keeps_start
    assert not STEP.keeps_start


def test_what_is_refused():
    with pytest.raises(FormatError, match="map of characters is damaged"):
        SentencePiece(charsmap=b"xxxxxxxx")
    with pytest.raises(PreparationError, match="is empty"):
        SentencePiece(symbols=("a", ""))
    for change, what in [
        ({"charsmap": "!"}, "not in base64"),
        ({"charsmap": 1}, "of another type"),
        ({"symbols": "ab"}, "must be a list"),
        ({"symbols": [1]}, "list of texts"),
        ({"more": 1}, "has no part 'more'"),
    ]:
        with pytest.raises(PreparationError, match=what):
            normalizer_from(STEP.spec() | change)
