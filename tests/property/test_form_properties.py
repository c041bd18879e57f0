"""Normal forms: a text is looked through natively and normalized in stretches, as if it were as a whole."""

import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import strategies
from bpetok.charsets import named
from bpetok.normalization import NFC, NFD, NFKC, NFKD

FORMS = pytest.mark.parametrize("form", [NFC(), NFD(), NFKC(), NFKD()], ids=lambda form: form.form)
MARKS = [chr(cp) for first, last in named("combining") for cp in range(first, last + 1)]
JOINING = [chr(cp) for name in ("joining", "joined") for pair in named(name) for cp in pair]
CHARACTERS = st.one_of(
    st.sampled_from(MARKS),
    st.sampled_from(JOINING),
    st.sampled_from("aeê가각각\u09c7\u09be\u0b95\u0bbeかが\u3099\u0344\u0958ﬁ①\u1e2f\u0378\U0001d15e"),
    strategies.characters(),
)
TEXTS = st.lists(CHARACTERS, max_size=30).map("".join)


@FORMS
@given(text=TEXTS, filler=st.sampled_from(["", "x" * 16, "中" * 17]))
@example(text="ế\u0323", filler="")
@example(text="a\u0315\u0300\u05ae\u0300b", filler="")
@example(text="\u0300\u0300가\u11a8", filler="")
def test_stretches_are_normalized_as_the_whole_is(form, text, filler):
    for each in (text, filler + text + filler + text, text + "\U0001f600"):
        made = form(each)
        assert made == form._exactly(each)
        assert made != each or made is each


@FORMS
def test_every_character_alone_and_among_others(form):
    step = 1 if form.form == "NFC" else 5
    every = [chr(cp) for cp in range(0, 0x110000, step) if not 0xD800 <= cp < 0xE000]
    for frame in ("{}", "e{}\u0301", "{0}{0}\u0345", "\u0301{}"):
        text = "\n".join(map(frame.format, every))
        assert form(text) == form._exactly(text)
        for at in range(0, len(text), 100_003):
            assert form(text[at : at + 400]) == form._exactly(text[at : at + 400])


def test_most_text_is_not_looked_at_twice():
    """What is in the form, marks and all, has no stretch that is normalized for nothing."""
    from bpetok.normalization import _check

    for text in ("naïve “quotes” …", "हिन्दी में", "বাংলা ভাষা", "தமிழ் மொழி", "שָׁלוֹם"[:3], "tiếng Việt", "ภาษาไทย"):
        assert unicodedata.is_normalized("NFC", text)
        assert _check("NFC").spans(text * 20) == []


@FORMS
@given(text=TEXTS)
def test_a_subclass_of_str_is_its_text(form, text):
    assert form(type("Text", (str,), {})(text)) == form(text)


def test_only_a_str_is_looked_through():
    from bpetok.normalization import _check

    with pytest.raises(TypeError, match="expected a str, got bytes"):
        _check("NFC").spans(b"text")
