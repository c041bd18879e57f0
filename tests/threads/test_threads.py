"""Many threads, and processes, on one tokenizer: the results are those of one thread."""

import multiprocessing
import random
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import pytest

import bpetok

THREADS = 8
FRAGMENTS = (
    "the quick brown fox", "  ", "\n\n", "def f(x):\n    return x", "\u4e2d\u6587", "\u0434\u0430 ",
    "12345", "\U0001f600", "a" * 90, " ^^^", "I'll", "<|endoftext|>",
    "\u0928\u092e\u0938\u094d\u0924\u0947", "\ud83d", "x" * 600,
)  # fmt: skip


def texts_of(seed: int, n: int, size: int) -> list[str]:
    draw = random.Random(seed)
    words = [*FRAGMENTS, *("".join(draw.choices("abcdefgh ", k=draw.randint(2, 14))) for _ in range(300))]
    return ["".join(draw.choices(words, k=draw.randint(0, size))) for _ in range(n)]


def together(work, n=THREADS):
    """Run `work(0)` to `work(n - 1)` on as many threads that all start at once."""
    start = threading.Barrier(n)

    def begin(at):
        start.wait()
        return work(at)

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(begin, range(n)))


@pytest.fixture(params=["gpt2", "cl100k_base", "o200k_base", "custom"])
def fresh(request):
    """A tokenizer that nothing has been encoded with, so that all threads fill its caches at once."""
    if request.param == "custom":
        ranks = {bytes([byte]): byte for byte in range(256)} | {b"th": 256, b"the": 257, b"  ": 258}
        return bpetok.Tokenizer("custom", pat_str=r"\w+|\W", mergeable_ranks=ranks, special_tokens={})
    known = bpetok.get_encoding(request.param)
    return bpetok.Tokenizer.from_vocabulary("fresh", known.pattern.source, known.vocabulary)


def test_threads_encode_the_same_texts(fresh):
    texts = texts_of(1, 60, 200)
    results = together(lambda at: [fresh.encode_ordinary(text) for text in texts])
    expected = [fresh.encode_ordinary(text) for text in texts]
    assert all(result == expected for result in results)


def test_threads_encode_different_texts(fresh):
    texts = [texts_of(seed, 40, 300) for seed in range(THREADS)]
    results = together(lambda at: [fresh.encode_ordinary(text) for text in texts[at]])
    assert results == [[fresh.encode_ordinary(text) for text in each] for each in texts]


def test_threads_mix_methods_and_lengths(fresh):
    """Short calls that keep the GIL and long ones that give it up, at the same time."""
    short = texts_of(2, 200, 3)
    long = ["".join(texts_of(3, 40, 300))] * 2
    expected = [fresh.encode_ordinary(text) for text in short + long]
    sizes = [len(ids) for ids in expected]
    decoded = [fresh.decode(ids) for ids in expected]

    def work(at):
        texts = short + long
        if at % 4 == 0:
            return [fresh.encode(text, disallowed_special=()) for text in texts] == expected
        if at % 4 == 1:
            return fresh.count_batch(texts, disallowed_special=()) == sizes
        if at % 4 == 2:
            return [fresh.decode(fresh.encode_ordinary(text)) for text in texts] == decoded
        ids, offsets = fresh.encode_flat(texts, disallowed_special=(), num_threads=2)
        return [ids[a:b].tolist() for a, b in zip(offsets, offsets[1:], strict=False)] == expected  # noqa: RUF007

    assert together(work) == [True] * THREADS


@pytest.mark.parametrize("num_threads", [1, 2, 3, 8])
def test_batches_do_not_depend_on_the_number_of_threads(fresh, num_threads):
    texts = texts_of(4, 900, 120)
    expected = [fresh.encode_ordinary(text) for text in texts]
    assert fresh.encode_ordinary_batch(texts, num_threads=num_threads) == expected
    assert fresh.encode_batch(texts, num_threads=num_threads, disallowed_special=()) == expected
    ids, offsets = fresh.encode_flat(texts, num_threads=num_threads, disallowed_special=())
    assert ids.tolist() == [token for each in expected for token in each]
    assert offsets.tolist()[1:] == [sum(map(len, expected[: at + 1])) for at in range(len(texts))]
    counts = fresh.count_batch(texts, num_threads=num_threads, disallowed_special=())
    assert counts == [len(each) for each in expected]


def test_an_error_in_one_thread_leaves_the_others_alone():
    tokenizer = bpetok.get_encoding("cl100k_base")
    text = "a long text, " * 3000

    def work(at):
        if at % 2:
            with pytest.raises(ValueError, match="disallowed special token"):
                tokenizer.encode(text + "<|endoftext|>")
        return tokenizer.encode_ordinary(text)

    assert all(ids == tokenizer.encode_ordinary(text) for ids in together(work))


def test_an_error_inside_a_batch_is_raised_and_the_next_batch_is_whole():
    tokenizer = bpetok.get_encoding("cl100k_base")
    texts = texts_of(5, 400, 200)
    texts = [text.replace("<|endoftext|>", "") for text in texts]
    for at in (0, 200, 399):
        bad = [*texts[:at], "<|endoftext|>", *texts[at + 1 :]]
        with pytest.raises(ValueError, match="disallowed special token"):
            tokenizer.encode_batch(bad)
        with pytest.raises(TypeError, match="got int"):
            tokenizer.encode_batch([*texts[:at], 3, *texts[at + 1 :]])
    assert tokenizer.encode_batch(texts) == [tokenizer.encode(text) for text in texts]


def test_tokenizers_are_made_and_dropped_while_others_work():
    """Each thread makes tokenizers of its own over one vocabulary, whose caches share a budget."""
    known = bpetok.get_encoding("gpt2")
    texts = texts_of(6, 30, 200)
    expected = [known.encode_ordinary(text) for text in texts]

    def work(at):
        for _ in range(6):
            own = bpetok.Tokenizer.from_vocabulary(f"own {at}", known.pattern.source, known.vocabulary)
            if [own.encode_ordinary(text) for text in texts] != expected:
                return False
        return True

    assert together(work) == [True] * THREADS


def test_get_encoding_from_many_threads_is_one_object():
    assert len(set(map(id, together(lambda at: bpetok.get_encoding("p50k_edit"))))) == 1


@pytest.mark.parametrize("registered", [True, False])
def test_a_pickled_tokenizer_in_fresh_processes(registered):
    tokenizer = bpetok.get_encoding("gpt2")
    if not registered:
        tokenizer = bpetok.Tokenizer.from_vocabulary("mine", tokenizer.pattern.source, tokenizer.vocabulary)
    texts = texts_of(7, 12, 100)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(2, mp_context=context) as pool:
        assert list(pool.map(tokenizer.encode_ordinary, texts)) == [
            tokenizer.encode_ordinary(text) for text in texts
        ]
