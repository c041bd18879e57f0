"""Training: settings, ids, special tokens, early ends, and what the tokenizer says of itself."""

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from bpetok import reference, train, train_from_counts
from bpetok.counting import CountTable, Progress, count, count_in_order
from bpetok.errors import CorpusError, PatternError, TrainingError
from bpetok.patterns import NAMED
from bpetok.training import Settings, learn

TEXTS = ["low lower lowest slow slower slowest", "new newer newest", "it's 2024, and it isn't 1999!\n"] * 3


def merges_of(tokenizer):
    token_bytes = tokenizer.vocabulary.token_bytes
    return [(token_bytes(a), token_bytes(b)) for a, b in tokenizer.vocabulary.merges().tolist()]


def test_ids_with_ties_by_bytes():
    tokenizer = train(TEXTS, vocab_size=270, special_tokens=["<a>", "<b>"])
    vocabulary = tokenizer.vocabulary
    assert [vocabulary.token_bytes(token) for token in range(256)] == [bytes([byte]) for byte in range(256)]
    expected = reference.train(count(TEXTS), 12)
    assert merges_of(tokenizer) == expected
    assert [vocabulary.token_bytes(token) for token in range(256, 268)] == [a + b for a, b in expected]
    assert vocabulary.special_tokens == {"<a>": 268, "<b>": 269}
    assert tokenizer.n_vocab == 270


def test_ids_with_ties_as_hugging_face():
    tokenizer = train(TEXTS, vocab_size=270, special_tokens=["<a>", "<b>"], tie_break="huggingface")
    vocabulary = tokenizer.vocabulary
    assert vocabulary.special_tokens == {"<a>": 0, "<b>": 1}
    order = [bytes([byte]) for byte in reference.BYTE_ORDER]
    assert [vocabulary.token_bytes(token) for token in range(2, 258)] == order
    expected = reference.train(count(TEXTS), 12, tie_break="huggingface")
    assert merges_of(tokenizer) == expected
    assert [vocabulary.token_bytes(token) for token in range(258, 270)] == [a + b for a, b in expected]


def test_special_tokens_that_are_learned_tokens():
    specials = ["!", "<a>", "low", "\u4e2d"]
    tokenizer = train(TEXTS, vocab_size=275, special_tokens=specials, tie_break="huggingface")
    tokens = tokenizer.vocabulary.tokens()
    assert tokenizer.vocabulary.special_tokens == {text: at for at, text in enumerate(specials)}
    assert tokens[0] == b"!"
    assert tokens[2] == b"low"
    assert tokenizer.n_vocab == 275
    # 255 bytes, 4 special tokens, 16 new tokens; the merge that makes "low" takes no new id.
    assert len(merges_of(tokenizer)) == 17
    # With ties by bytes a special token has nothing to do with a token of the same bytes.
    tokenizer = train(TEXTS, vocab_size=270, special_tokens=["!", "low"])
    assert tokenizer.vocabulary.special_tokens == {"!": 268, "low": 269}
    assert b"low" in tokenizer.vocabulary.tokens().values()


def test_special_tokens_that_spell_other_bytes():
    options = {"tie_break": "huggingface", "vocab_size": 300}
    with pytest.raises(TrainingError, match=r"'\u00e9' is how .* spells the bytes b'\\xe9'"):
        train(TEXTS, special_tokens=["\u00e9"], **options)
    with pytest.raises(TrainingError, match=r"'\u0120lowe' is how .* spells the bytes b' lowe'"):
        train(TEXTS, special_tokens=["\u0120lowe"], **options)
    unmet = train(TEXTS, special_tokens=["\u0120xyz"], **options)
    assert unmet.vocabulary.special_tokens == {"\u0120xyz": 0}
    assert train(TEXTS, special_tokens=["\u0120lowe", "\u00e9"], vocab_size=300).special_tokens_set


@pytest.mark.parametrize("tie_break", ["bytes", "huggingface"])
def test_the_least_vocabulary(tie_break):
    options = {"special_tokens": ["<a>", "<b>"], "tie_break": tie_break}
    assert train(TEXTS, vocab_size=258, **options).n_vocab == 258
    for size in (257, 0, -1, 2**24 - 255):
        with pytest.raises(TrainingError, match=rf"vocab_size is {size}: it must be from 258 .* to 16776960"):
            train(TEXTS, vocab_size=size, **options)
    Settings(257, ("<a>", "!"), "huggingface").check()  # "!" is one of the 256 bytes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tie_break": "random"}, "tie_break is 'random'"),
        ({"min_frequency": -1}, "min_frequency is -1"),
        ({"max_token_length": 0}, "max_token_length is 0"),
        ({"special_tokens": "<s>"}, "give a list"),
        ({"special_tokens": [""]}, "non-empty str"),
        ({"special_tokens": [b"<s>"]}, "non-empty str"),
        ({"special_tokens": ["<s>", "<s>"]}, "given twice"),
        ({"special_tokens": ["\ud800"]}, "lone surrogate"),
    ],
)
def test_settings_are_checked_before_the_corpus_is_touched(options, message):
    def untouched():
        raise AssertionError("the corpus was read")
        yield

    with pytest.raises(TrainingError, match=message):
        train(untouched(), **({"vocab_size": 300} | options))
    with pytest.raises(TrainingError, match=message):
        train_from_counts(count(["a b"]), **({"vocab_size": 300} | options))


@pytest.mark.parametrize("sources", [[], [""], iter(())])
def test_an_empty_corpus(sources):
    with pytest.raises(CorpusError, match="nothing to learn"):
        train(sources, vocab_size=300)


def test_a_pattern_that_matches_nothing_or_is_none():
    with pytest.raises(CorpusError, match="split pattern"):
        train(["words"], vocab_size=300, pattern=r"\d+")
    with pytest.raises(PatternError):
        train(["words"], vocab_size=300, pattern="(")


def test_an_early_end_is_said_and_not_padded():
    tokenizer = train(["ab ab abc"], vocab_size=1000, special_tokens=["<s>"])
    assert merges_of(tokenizer) == [(b"a", b"b"), (b" ", b"ab")]
    assert tokenizer.n_vocab == 259
    assert tokenizer.vocabulary.special_tokens == {"<s>": 258}
    assert tokenizer.provenance["ended_early"] == "no pair is left that occurs at least 2 times"
    assert tokenizer.provenance["vocab_size"] == 259
    assert tokenizer.provenance["vocab_size_requested"] == 1000
    full = train(["ab ab abc"], vocab_size=1000, min_frequency=1)
    assert merges_of(full)[-1] == (b" ab", b"c")
    assert full.provenance["ended_early"] == "no pair is left that occurs at least 1 time"
    capped = train(["ab ab ab"], vocab_size=1000, max_token_length=2)
    assert capped.provenance["ended_early"].endswith("2 times and makes a token of at most 2 bytes")
    assert train(["ab ab ab"], vocab_size=257).provenance["ended_early"] is None


@pytest.mark.parametrize("least", [0, 1, 2, 3, 4, 7])
def test_least_frequency(least):
    tokenizer = train(TEXTS, vocab_size=1000, min_frequency=least)
    assert merges_of(tokenizer) == reference.train(count(TEXTS), 1000, min_frequency=least)
    assert min(tokenizer.vocabulary.merge_counts) >= max(least, 1)


def test_training_from_counts_is_training_from_texts():
    counts = CountTable.merge(count(TEXTS[:4]), count(TEXTS[4:]))
    options = {"vocab_size": 290, "special_tokens": ["<s>"]}
    one, other = train(TEXTS, num_threads=2, **options), train_from_counts(counts, **options)
    assert one.vocabulary.tokens() == other.vocabulary.tokens()
    assert one.vocabulary.merges().tolist() == other.vocabulary.merges().tolist()
    assert one.vocabulary.merge_counts.tolist() == other.vocabulary.merge_counts.tolist()
    assert one.provenance == other.provenance
    assert (one.name, one.pattern) == (other.name, other.pattern)


def test_what_the_tokenizer_says_of_itself():
    tokenizer = train(TEXTS, vocab_size=280, pattern="gpt2", max_token_length=9, name="mine")
    assert tokenizer.name == "mine"
    assert train(TEXTS, vocab_size=280).name == "bpe-280"
    assert tokenizer.pattern.source == NAMED["gpt2"]
    provenance = json.loads(json.dumps(tokenizer.provenance))
    assert provenance.pop("trained_by").startswith("bpetok ")
    counts = count(TEXTS, pattern="gpt2")
    assert provenance == {
        "pattern": NAMED["gpt2"],
        "tie_break": "bytes",
        "vocab_size_requested": 280,
        "vocab_size": 280,
        "n_merges": 24,
        "min_frequency": 2,
        "max_token_length": 9,
        "corpus": {
            "n_texts": 9,
            "n_bytes": sum(map(len, TEXTS)),
            "n_pieces": counts.n_pieces,
            "n_distinct_pieces": len(counts),
        },
        "ended_early": None,
    }


def test_learned_arrays():
    learned = learn(count(TEXTS), Settings(262))
    assert (learned.pairs.dtype, learned.ids.dtype, learned.counts.dtype) == (np.uint32, np.uint32, np.int64)
    assert learned.pairs.shape == (6, 2)
    assert learned.ids.tolist() == list(range(256, 262))
    assert sorted(learned.counts.tolist(), reverse=True) == learned.counts.tolist()
    assert learned.special_tokens == {}


def test_nothing_heavy_is_imported_to_train():
    code = (
        "import sys, bpetok\n"
        "tokenizer = bpetok.train(['low lower lowest'] * 2, vocab_size=258, pattern='gpt2')\n"
        "print(tokenizer.encode('low'), sorted({'numpy', 'regex', 'hashlib', 'click'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[257] []"


def test_the_tokenizer_encodes_its_corpus_into_its_tokens():
    for tie_break in ("bytes", "huggingface"):
        tokenizer = train(TEXTS, vocab_size=300, tie_break=tie_break, special_tokens=["<s>"])
        for text in TEXTS:
            ids = tokenizer.encode_ordinary(text)
            assert tokenizer.decode(ids) == text
            assert len(ids) < len(text) * 0.6
        assert tokenizer.encode("<s>", allowed_special="all") == [tokenizer.vocabulary.special_tokens["<s>"]]


@pytest.mark.parametrize("tie_break", ["bytes", "huggingface"])
def test_invalid_utf8_is_learned_byte_by_byte(tie_break):
    tokenizer = train([b"\xff\xfe\xff\xfe x"] * 3, vocab_size=257, tie_break=tie_break, pattern="gpt2")
    assert merges_of(tokenizer) == [(b"\xff", b"\xfe")]


def test_progress():
    seen: list[Progress] = []
    tokenizer = train(TEXTS, vocab_size=280, progress=seen.append, num_threads=1)
    assert [at.stage for at in seen] == ["count", "learn"]
    assert seen[-1] == Progress("learn", 24, 24, "merges", "learning merges")
    text = "".join(chr(0x4E00 + n % 2000) + chr(97 + n % 25) for n in range(6000))
    seen.clear()
    tokenizer = train([text], vocab_size=2000, progress=seen.append, pattern="o200k")
    steps = [at.done for at in seen if at.stage == "learn"]
    assert len(steps) > 5
    assert steps == sorted(steps)
    assert steps[-1] == tokenizer.n_vocab - 256


def test_a_callback_can_stop_the_run():
    def stop(progress):
        if progress.stage == "learn":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(TEXTS, vocab_size=300, progress=stop)


def test_training_from_files(tmp_path):
    paths = [tmp_path / f"{at}.txt" for at in range(len(TEXTS))]
    for path, text in zip(paths, TEXTS, strict=True):
        path.write_text(text, "utf-8", newline="")
    assert merges_of(train(paths, vocab_size=300)) == merges_of(train(TEXTS, vocab_size=300))
    assert merges_of(train(str(paths[0]), vocab_size=300)) == merges_of(train([TEXTS[0]], vocab_size=300))


def test_rustbpe_has_the_ids_of_bytes_and_ties_by_id():
    texts = ["b! b! !b !b"]
    tokenizer = train(texts, vocab_size=260, special_tokens=["<a>"], tie_break="rustbpe", pattern=r"\S+")
    assert [tokenizer.vocabulary.token_bytes(byte) for byte in range(256)] == [bytes([b]) for b in range(256)]
    assert merges_of(tokenizer) == reference.train(count(texts, pattern=r"\S+"), 3, tie_break="rustbpe")[:2]
    assert merges_of(tokenizer)[0] == (b"!", b"b")
    assert tokenizer.vocabulary.special_tokens == {"<a>": 258}


def test_minbpe_takes_what_comes_first_in_the_texts():
    settings = {"vocab_size": 257, "tie_break": "minbpe", "pattern": r"\S+"}
    assert merges_of(train(["zy", "ab zy ab"], **settings)) == [(b"z", b"y")]
    assert merges_of(train(["ab zy ab", "zy"], **settings)) == [(b"a", b"b")]
    counts, order = count_in_order(["zy", b"ab zy ab"], pattern=r"\S+")
    assert (order, counts.n_texts, counts.n_bytes) == ([b"zy", b"ab"], 2, 10)
    trained = train_from_counts(counts, order=order, vocab_size=257, tie_break="minbpe")
    assert merges_of(trained) == [(b"z", b"y")]
    with pytest.raises(CorpusError, match="text 2: the bytes at offset 1 are not UTF-8"):
        train(["a", b"a\xff"], **settings)


def test_an_order_where_it_is_needed_and_nowhere_else():
    counts = count(["ab cd"], pattern=r"\S+")
    for settings in ({"tie_break": "minbpe"}, {"order": [b"ab", b"cd"]}):
        with pytest.raises(TrainingError, match="order of the texts"):
            train_from_counts(counts, vocab_size=257, **settings)
    for order in ([b"ab"], [b"ab", b"ab"], [b"ab", b"ef"], [b"ab", b"cd", b"ef"]):
        with pytest.raises(TrainingError, match="each piece"):
            train_from_counts(counts, vocab_size=257, tie_break="minbpe", order=order)


def test_what_counts_may_be_limited_or_elsewhere(tmp_path):
    paths = [tmp_path / f"{n}.txt" for n in range(len(TEXTS))]
    for path, text in zip(paths, TEXTS, strict=True):
        path.write_text(text, "utf-8", newline="")
    same = merges_of(train(paths, vocab_size=300))
    assert merges_of(train(paths, vocab_size=300, memory=1 << 28)) == same
    with ThreadPoolExecutor(2) as executor:
        assert merges_of(train(paths, vocab_size=300, executor=executor)) == same
        kept = tmp_path / "kept"
        assert merges_of(train(paths, vocab_size=300, executor=executor, checkpoint=kept)) == same
        assert list(kept.iterdir())
        for settings in ({"memory": 1 << 28}, {"executor": executor}):
            with pytest.raises(TrainingError, match=f"takes no {next(iter(settings))}"):
                train(paths, vocab_size=300, tie_break="minbpe", **settings)


def test_the_field_that_holds_the_text_may_be_named():
    rows = [{"body": text, "text": "no"} for text in TEXTS]
    for tie_break in ("bytes", "minbpe"):
        expected = merges_of(train(TEXTS, vocab_size=300, tie_break=tie_break))
        assert merges_of(train(rows, vocab_size=300, tie_break=tie_break, field="body")) == expected


def test_an_unknown_option_is_refused():
    for tie_break in ("bytes", "minbpe"):
        with pytest.raises(TypeError, match="'num_thread'"):
            train(TEXTS, vocab_size=300, tie_break=tie_break, num_thread=1)
