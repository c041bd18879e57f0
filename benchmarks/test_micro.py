"""Guards on the small costs that speed is made of. Not part of the normal test run:

    python -m pytest benchmarks/test_micro.py -p no:xdist --benchmark-autosave
    python -m pytest benchmarks/test_micro.py -p no:xdist --benchmark-compare
    ... --benchmark-compare --benchmark-compare-fail=median:20%

Text comes from fixed seeds and from the code that `corpus` finds, so that two runs on one machine compare.
Each test is of one cost: a call, the cache probe of a word that was seen, a list of ids, a word that was not
seen, the scanner, counting, decoding, loading.
"""

from importlib.resources import files
from itertools import count
from random import Random

import pytest

import bpetok
from bpetok_bench.corpus import build

MEGABYTE = 1_000_000
ENCODINGS = ("cl100k_base", "o200k_base")
TEXTS = {
    "ascii": "The quick brown fox jumps over the lazy dog; 1,234 times a day, it's said. Who believes it?",
    "greek": "Η γρήγορη καφέ αλεπού πηδά πάνω από το τεμπέλικο σκυλί.",
}


@pytest.fixture(scope="module", params=ENCODINGS)
def tokenizer(request):
    return bpetok.get_encoding(request.param)


@pytest.fixture(scope="module")
def code():
    return "".join(build("code", MEGABYTE).texts)[:MEGABYTE]


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_a_call_on_100_bytes_seen_before(benchmark, tokenizer, text):
    assert 90 <= len(text.encode()) <= 110
    ids = benchmark(tokenizer.encode_ordinary, text)
    assert tokenizer.decode(ids) == text


def test_a_call_with_a_policy_for_special_tokens(benchmark, tokenizer):
    ids = benchmark(tokenizer.encode, TEXTS["ascii"])
    assert ids == tokenizer.encode_ordinary(TEXTS["ascii"])


def test_a_call_on_nothing(benchmark, tokenizer):
    assert benchmark(tokenizer.encode_ordinary, "") == []


def test_counting_100_bytes_seen_before(benchmark, tokenizer):
    n = benchmark(tokenizer.count, TEXTS["ascii"], disallowed_special=())
    assert n == len(tokenizer.encode_ordinary(TEXTS["ascii"]))


# Counting is scanning and probing the cache; then comes an array, or a list. The differences are their costs.


def test_a_megabyte_seen_before_counted(benchmark, tokenizer, code):
    n = benchmark(tokenizer.count, code, disallowed_special=())
    assert n == len(tokenizer.encode_ordinary(code))


def test_a_megabyte_seen_before_to_numpy(benchmark, tokenizer, code):
    ids = benchmark(tokenizer.encode_to_numpy, code, disallowed_special=())
    assert ids.tolist() == tokenizer.encode_ordinary(code)


def test_a_megabyte_seen_before_to_list(benchmark, tokenizer, code):
    assert len(benchmark(tokenizer.encode_ordinary, code)) > 100_000


def test_a_megabyte_of_documents_seen_before_to_lists(benchmark, tokenizer, code):
    """What a text of a batch costs, beside the same text whole."""
    documents = [code[at : at + 2000] for at in range(0, len(code), 2000)]
    found = benchmark(tokenizer.encode_ordinary_batch, documents, num_threads=1)
    assert found[7] == tokenizer.encode_ordinary(documents[7])


def test_decoding_a_list(benchmark, tokenizer, code):
    assert benchmark(tokenizer.decode, tokenizer.encode_ordinary(code)) == code


def test_decoding_an_array_to_bytes(benchmark, tokenizer, code):
    ids = tokenizer.encode_to_numpy(code, disallowed_special=())
    assert benchmark(tokenizer.decode_bytes, ids) == code.encode()


def test_decoding_a_token(benchmark, tokenizer):
    """As a server does, one at a time."""
    (token,) = tokenizer.encode_ordinary(" lazy")
    assert benchmark(tokenizer.decode, [token]) == " lazy"


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k"])
def test_the_scanner_on_code(benchmark, pattern, code):
    """With the pieces as a list of bytes, which is what can be seen of it from Python."""
    data = code.encode()
    pieces = benchmark(bpetok.patterns.resolve(pattern).scanner.split, data)
    assert b"".join(pieces) == data


@pytest.mark.parametrize("pattern", ["gpt2", "cl100k", "o200k"])
@pytest.mark.parametrize("unit", ["a", "中", " ", "!"], ids=["letters", "han", "spaces", "marks"])
def test_the_scanner_alone(benchmark, pattern, unit):
    """One piece of a megabyte: next to nothing but the scanner's loop runs."""
    scanner = bpetok.patterns.resolve(pattern).scanner
    text = (unit * MEGABYTE).encode()[: MEGABYTE // 3 * 3]
    assert benchmark(scanner.split, text) == [text]


@pytest.mark.parametrize("size", [8, 16, 40, 400])
def test_words_not_seen_before(benchmark, tokenizer, size):
    """Misses of the word cache: every round has 100,000 bytes of random words of its own."""
    rounds = count()

    def new_words():
        draw = Random(f"{size} {next(rounds)}")
        letters = "".join(draw.choices("etaoinshrdlu", k=100_000))
        return (" ".join(letters[at : at + size] for at in range(0, len(letters), size)),), {}

    ids = benchmark.pedantic(tokenizer.encode_ordinary, setup=new_words, rounds=20)
    assert len(ids) > 100_000 / 8


@pytest.mark.parametrize("name", ENCODINGS)
def test_loading(benchmark, name):
    """From the embedded file to a tokenizer, as `get_encoding` does the first time."""
    known = bpetok.get_encoding(name)
    specials = dict(known.vocabulary.special_tokens)

    def load():
        blob = files("bpetok.encodings").joinpath(f"{name}.bin").read_bytes()
        vocabulary = bpetok.Vocabulary.from_binary(blob, specials, name)
        return bpetok.Tokenizer.from_vocabulary(name, known.pattern.source, vocabulary)

    assert benchmark(load).encode_ordinary(TEXTS["ascii"]) == known.encode_ordinary(TEXTS["ascii"])
