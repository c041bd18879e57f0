"""The encoder that runs in pages gives the ids of the library, and so do its steps."""

import random

import pytest

from bpetok import Tokenizer, get_encoding, train
from bpetok.diagnostics.corpora import load_corpus
from bpetok.diagnostics.subject import Subject
from bpetok.normalization_spm import SentencePiece
from bpetok.page.embed import classes, embed
from bpetok.page.render import ASSETS

PARTS = [
    "a", "B", "é", "e\u0301", " ", "  ", "\n", "\r\n", "\t", "'s", "'S", "'ſ", "'ll", "1", "12345", "٣", "!",
    "?!", "/", "ǅ", "ʰ", "東", "京", "ह", "ि", "\u00a0", "\u2028", "\u0378", "😀", "\U0001fae8", "▁", "the",
    "\x00",
]  # fmt: skip


def texts() -> list[str]:
    """Sentences in all scripts of the phrasebook, and strings made by chance."""
    chance = random.Random(7)
    made = ["".join(chance.choices(PARTS, k=chance.randrange(1, 24))) for _ in range(800)]
    corpus = load_corpus("phrasebook")
    sentences = [
        text for text, segment in zip(corpus.texts, corpus.segment_of, strict=True) if segment % 5 == 0
    ]
    return [*made, *sentences, "", "\ud83d", "a\udc00b"]


def trained(vocab_size=1500, **settings) -> Tokenizer:
    return train(list(load_corpus("phrasebook").texts), vocab_size=vocab_size, **settings)


def without_prefix() -> Tokenizer:
    made = trained(3000, byte_fallback=True)
    normalizer = SentencePiece(add_dummy_prefix=False, remove_extra_whitespaces=False)
    return Tokenizer.from_vocabulary("spaces", made.pattern.source, made.vocabulary, normalizer=normalizer)


TOKENIZERS = {
    "gpt2": lambda: get_encoding("gpt2"),
    "cl100k_base": lambda: get_encoding("cl100k_base"),
    "o200k_base": lambda: get_encoding("o200k_base"),
    "llama3": lambda: trained(pattern="llama3"),
    "qwen2": lambda: trained(pattern="qwen2", tie_break="huggingface"),
    "fallback": lambda: trained(3000, byte_fallback=True),
    "spaces": without_prefix,
}


@pytest.fixture(params=TOKENIZERS)
def loaded(request, page):
    """A tokenizer, and a page that has its encoder."""
    tokenizer = TOKENIZERS[request.param]()
    embedded = embed(tokenizer, "it", Subject(tokenizer).entries)
    assert embedded["obstacle"] is None
    page.goto("about:blank")
    page.add_script_tag(content=(ASSETS / "encoder.js").read_text("utf-8"))
    page.evaluate(
        "async ([it, classes]) => { window.it = (await Encoder.load(it, classes)).encoder; }",
        [embedded, classes()],
    )
    return tokenizer, page


def test_ids_are_those_of_the_library(loaded):
    tokenizer, page = loaded
    given = texts()
    # JSON cannot carry half a surrogate pair to the page.
    units = [list(text.encode("utf-16-le", "surrogatepass")) for text in given]
    found = page.evaluate(
        """units => units.map(bytes => {
             const text = new Uint16Array(new Uint8Array(bytes).buffer);
             return window.it.encode(String.fromCharCode(...text)).flatMap(piece => piece.ids);
        })""",
        units,
    )
    for text, ids in zip(given, found, strict=True):
        assert ids == tokenizer.encode_ordinary(text), text


def test_merges_are_those_of_the_library(loaded):
    tokenizer, page = loaded
    if tokenizer.normalizer is not None:
        pytest.skip("the library explains texts that need no preparation")
    for word in ("lower", "strawberry", "привет", "東京", "12345"):
        for one in tokenizer.explain(word):
            found = page.evaluate("piece => window.it.explain(piece)", one.piece.decode())
            assert found["ids"] == one.ids
            steps = [
                (step["left"]["data"], step["right"]["data"], step["id"], step["count"])
                for step in found["steps"]
            ]
            assert steps == [
                (step.left.decode("latin-1"), step.right.decode("latin-1"), step.token, step.count)
                for step in one.steps
            ]
