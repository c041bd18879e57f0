"""The report in a browser: what it shows, what it does, and that it needs nothing from elsewhere."""

import pytest

from bpetok import get_encoding
from bpetok.diagnostics.corpora import load_corpus
from bpetok.diagnostics.diagnose import diagnose
from bpetok.page.render import diagnostics_page

pytest.importorskip("jinja2", reason="jinja2 is not installed")
pytest.importorskip("vl_convert", reason="vl-convert-python is not installed")

NAMES = ("cl100k_base", "o200k_base")


class Foreign:
    """A tokenizer that the page knows nothing of: a byte is a token."""

    name = "bytes"
    n_vocab = 256

    def encode_ordinary(self, text):
        return list(text.encode())

    def decode_bytes(self, tokens):
        return bytes(tokens)

    def decode_single_token_bytes(self, token):
        return bytes([token])


def made(path, tokenizers) -> str:
    corpus = load_corpus("phrasebook")
    report = diagnose(tokenizers, corpus, draws=50)
    named = {each.name: each for each in tokenizers}
    path.write_text(diagnostics_page(report, corpus, named), "utf-8")
    return path.as_uri()


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    return made(tmp_path_factory.mktemp("page") / "report.html", [get_encoding(name) for name in NAMES])


def test_typed_text_has_the_ids_of_the_library_in_every_script(url, viewer):
    corpus = load_corpus("phrasebook")
    shown = viewer(url)
    scripts = set()
    for language, text in zip(corpus.language_of, corpus.texts, strict=True):
        script = corpus.languages[language].script
        if script not in scripts:
            shown.show(text)
            assert shown.ids() == [get_encoding(name).encode_ordinary(text) for name in NAMES]
            scripts.add(script)
    assert len(scripts) >= 20


def test_the_languages_are_sorted_and_found(url, page, viewer):
    viewer(url)
    table = page.locator("[data-part=languages]")
    first = table.locator("tbody tr").first
    worst = first.inner_text()
    assert "Odia" in worst
    table.get_by_role("button", name="Language", exact=True).click()
    assert "Amharic" in first.inner_text()
    table.get_by_role("button", name="Language", exact=True).click()
    assert "Amharic" not in first.inner_text()
    table.get_by_role("searchbox").fill("devanagari")
    page.wait_for_function("() => document.querySelectorAll('[data-part=languages] tbody tr').length < 10")
    assert {row.split("\t")[2] for row in table.locator("tbody tr").all_inner_texts()} == {"Devanagari"}


def test_the_vocabulary_is_filtered(url, page, viewer):
    viewer(url)
    part = page.locator("[data-part=vocabulary]")
    part.get_by_label("Kind").select_option("special")
    page.wait_for_function("() => document.querySelectorAll('[data-part=vocabulary] tbody tr').length < 10")
    assert "<|endoftext|>" in part.locator("tbody").inner_text()
    part.get_by_label("Kind").select_option("")
    part.get_by_role("searchbox").fill("9906")
    page.wait_for_function(
        "() => document.querySelector('[data-part=vocabulary] tbody').innerText.includes('Hello')"
    )


def test_the_merges_of_a_word(url, page, viewer):
    shown = viewer(url)
    shown.show("strawberry")
    page.locator(".result .token").first.click()
    slider = page.get_by_label("merges made")
    said = page.locator(".said")
    (explained,) = get_encoding("cl100k_base").explain("strawberry")
    n = len(explained.steps)
    assert f"Merge {n} of {n}" in said.inner_text()
    slider.press("Home")
    assert said.inner_text() == "10 parts to begin with."
    slider.press("ArrowRight")
    first = explained.steps[0]
    assert f"{first.left.decode()} + {first.right.decode()}" in said.inner_text()
    assert page.locator(".tree .node").count() == 10 + n


def test_an_address_brings_back_what_was_seen(url, page, viewer):
    shown = viewer(url)
    shown.show("naïve 東京")
    address = page.url
    page.goto("about:blank")
    again = viewer(address)
    assert again.ids()[0] == get_encoding("cl100k_base").encode_ordinary("naïve 東京")


def test_what_is_typed_is_never_markup(url, page, viewer):
    shown = viewer(url)
    text = "<img src=x onerror=alert(1)></script><b>bold</b> & \"quoted\" 'text'"
    shown.show(text)
    assert shown.ids()[1] == get_encoding("o200k_base").encode_ordinary(text)
    assert page.locator(".results img, .results b:not(.sum b)").count() == 0


def test_text_from_right_to_left_and_keys(url, page, viewer):
    shown = viewer(url)
    shown.show("שלום עולם")
    line = page.locator(".tokens").first
    assert line.evaluate("each => getComputedStyle(each).direction") == "rtl"
    line.locator(".token").first.focus()
    page.keyboard.press("End")
    assert page.evaluate("document.activeElement === document.querySelector('.tokens .token:last-of-type')")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')").endswith(
        f"id {shown.ids()[0][-1]}, cut otherwise by the other tokenizer"
    ) or page.evaluate("document.activeElement.getAttribute('aria-label')").endswith(
        f"id {shown.ids()[0][-1]}"
    )


def test_differing_tokens_are_ringed(url, page, viewer):
    shown = viewer(url)
    shown.show("the same")
    assert page.locator(".token.differs").count() == 0
    shown.show("नमस्ते")
    ours, theirs = (get_encoding(name).encode_ordinary("नमस्ते") for name in NAMES)
    assert ours != theirs
    assert page.locator(".result").first.locator(".token.differs").count() > 0


def test_a_tokenizer_that_the_page_cannot_run_shows_samples(tmp_path, page, viewer):
    shown = viewer(made(tmp_path / "report.html", [get_encoding("gpt2"), Foreign()]))
    sample = page.locator("textarea").input_value()
    assert shown.ids() == [get_encoding("gpt2").encode_ordinary(sample), list(sample.encode())]
    shown.show("anything else")
    assert "Only the samples can be shown here" in page.locator(".result").nth(1).inner_text()
