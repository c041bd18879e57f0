"""Parity-aware training: rules, errors, what the tokenizer says of itself, and real languages."""

import gzip
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import bpetok
from bpetok import train_parity
from bpetok.errors import CorpusError, PatternError, TrainingError
from bpetok.parity import Balance, gini

UDHR = Path(__file__).parents[2].parent / "shared" / "data" / "udhr.jsonl.gz"

CORPORA = {"x": ["low lower lowest"] * 9, "y": ["slow slower slowest"] * 3, "z": ["neu neuer"] * 2}
DEV = {"x": ["low", "lower"], "y": ["slow", "slower"], "z": ["neu", "neuer"]}


def tokens(tokenizer, texts):
    return {language: sum(len(tokenizer.encode(text)) for text in each) for language, each in texts.items()}


def test_the_report_is_what_encoding_gives():
    tokenizer = train_parity(CORPORA, dev=DEV, vocab_size=264, special_tokens=["<end>"])
    report = tokenizer.provenance["parity"]
    classical = bpetok.train(
        [text for texts in CORPORA.values() for text in texts], vocab_size=264, special_tokens=["<end>"]
    )
    assert report["dev"]["parity"]["tokens"] == tokens(tokenizer, DEV)
    assert report["dev"]["classical"]["tokens"] == tokens(classical, DEV)
    assert report["dev"]["parity"]["gini"] < report["dev"]["classical"]["gini"]
    assert sum(report["served"].values()) == tokenizer.provenance["n_merges"] == 7
    assert list(report["corpora"]) == ["x", "y", "z"]
    assert tokenizer.n_vocab == 264
    assert tokenizer.special_tokens_set == {"<end>"}
    assert json.loads(json.dumps(tokenizer.provenance)) == tokenizer.provenance


def test_the_result_is_kept_by_files(tmp_path):
    tokenizer = train_parity(CORPORA, dev=DEV, vocab_size=270, window=3)
    for file_format in ("native", "huggingface", "tiktoken"):
        path = tmp_path / f"{file_format}.json"
        tokenizer.save(path, file_format)
        loaded = bpetok.Tokenizer.load(path)
        assert tokens(loaded, CORPORA) == tokens(tokenizer, CORPORA)
    assert bpetok.Tokenizer.load(tmp_path / "native.json").provenance == tokenizer.provenance


def test_a_language_without_pairs_is_passed_over_and_all_of_them_end_it():
    tokenizer = train_parity(
        {"x": ["a b"], "y": ["cd cd cd"]}, dev={"x": ["a b c d"], "y": ["cd"]}, vocab_size=300
    )
    assert tokenizer.provenance["parity"]["served"] == {"x": 0, "y": 2}
    assert tokenizer.provenance["ended_early"].startswith("in no language's corpus: no pair is left")
    longest = train_parity(CORPORA, dev=DEV, vocab_size=300, max_token_length=3).provenance["ended_early"]
    assert longest.endswith("of at most 3 bytes")


def test_global_merges_are_the_classical_ones():
    every = [text for texts in CORPORA.values() for text in texts]
    classical = bpetok.train(every, vocab_size=264)
    hybrid = train_parity(CORPORA, dev=DEV, vocab_size=270, global_merges=8)
    assert hybrid.vocabulary.merges()[:8].tolist() == classical.vocabulary.merges().tolist()
    assert sum(hybrid.provenance["parity"]["served"].values()) == 6
    assert (
        train_parity(CORPORA, dev=DEV, vocab_size=264, global_merges=99).provenance["parity"]["global_merges"]
        == 8
    )


def test_a_window_gives_every_language_its_turn():
    corpora = {"hard": [f"{n:b}" * 3 for n in range(200)], "easy": ["ab cd ef gh " * 3]}
    dev = {"hard": ["0110100110010110" * 9], "easy": ["ab"]}
    alone = train_parity(corpora, dev=dev, vocab_size=276, pattern="gpt2").provenance["parity"]["served"]
    turns = train_parity(corpora, dev=dev, vocab_size=276, pattern="gpt2", window=4, alpha=1)
    assert alone == {"hard": 20, "easy": 0}
    assert turns.provenance["parity"]["served"]["easy"] >= 4


def test_counted_corpora_are_taken_as_they_are():
    counted = {language: bpetok.count(texts) for language, texts in CORPORA.items()}
    dev = {language: bpetok.count(texts) for language, texts in DEV.items()}
    one, other = (
        train_parity(CORPORA, dev=DEV, vocab_size=270),
        train_parity(counted, dev=dev, vocab_size=270),
    )
    assert one.vocabulary.merges().tolist() == other.vocabulary.merges().tolist()
    assert one.provenance == other.provenance
    with pytest.raises(CorpusError, match="different patterns"):
        train_parity(counted, dev=DEV, vocab_size=270, pattern="gpt2")


def test_corpora_of_files_with_weights(tmp_path):
    for language in CORPORA:
        (tmp_path / f"{language}.txt").write_text(CORPORA[language][0], "utf-8")
        (tmp_path / f"{language}.dev").write_text("\n".join(DEV[language]), "utf-8")
    files = train_parity(
        {language: {str(tmp_path / f"{language}.txt"): len(texts)} for language, texts in CORPORA.items()},
        dev={language: tmp_path / f"{language}.dev" for language in DEV},
        vocab_size=270,
    )
    texts = train_parity(CORPORA, dev={each: ["\n".join(DEV[each])] for each in DEV}, vocab_size=270)
    assert files.vocabulary.merges().tolist() == texts.vocabulary.merges().tolist()
    assert files.provenance == texts.provenance


def test_corpora_are_counted_as_for_training(tmp_path):
    for language, texts in CORPORA.items():
        rows = [json.dumps({"body": text}) + "\n" for text in texts]
        (tmp_path / f"{language}.jsonl").write_text("".join(rows), "utf-8")
    files = {language: tmp_path / f"{language}.jsonl" for language in CORPORA}
    dev = {language: [{"body": text} for text in texts] for language, texts in DEV.items()}
    expected = train_parity(CORPORA, dev=DEV, vocab_size=280)
    with ThreadPoolExecutor(2) as executor:
        for options in ({"memory": 1 << 28, "temp": tmp_path}, {"executor": executor}):
            one = train_parity(files, dev=dev, vocab_size=280, field="body", **options)
            assert one.vocabulary.tokens() == expected.vocabulary.tokens()
    with pytest.raises(TypeError, match="'num_thread'"):
        train_parity(CORPORA, dev=DEV, vocab_size=280, num_thread=1)


def test_the_order_of_texts_does_not_matter():
    turned = {language: texts[::-1] for language, texts in CORPORA.items()}
    one, other = (train_parity(each, dev=DEV, vocab_size=280, num_threads=2) for each in (CORPORA, turned))
    assert one.vocabulary.merges().tolist() == other.vocabulary.merges().tolist()


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"sources": {}, "dev": {}}, CorpusError, "at least one language"),
        ({"dev": {"x": ["a"], "y": ["b"]}}, CorpusError, "'z' has no development text"),
        ({"dev": DEV | {"w": ["a"]}}, CorpusError, "'w' has no corpus"),
        ({"dev": DEV | {"y": ["slow"]}}, CorpusError, "'y' has 1 texts, 'x' has 2"),
        ({"dev": {"x": ["a\nb\n"], "y": ["a\nb"], "z": ["a"]}}, CorpusError, "'z' has 1 lines, 'x' has 2"),
        ({"sources": CORPORA | {"y": [""]}}, CorpusError, "y: .* holds no text"),
        ({"dev": DEV | {"y": ["", ""]}}, CorpusError, "y: .* holds no text"),
        ({"global_merges": -1}, TrainingError, "negative"),
        ({"window": -1}, TrainingError, "negative"),
        ({"alpha": 0.5}, TrainingError, "alpha is 0.5"),
        ({"alpha": float("nan")}, TrainingError, "alpha is nan"),
        ({"vocab_size": 255}, TrainingError, "vocab_size"),
        ({"tie_break": "minbpe"}, TrainingError, "does not go together with parity"),
        ({"special_tokens": "<a>"}, TrainingError, "give a list"),
        ({"pattern": "nope"}, PatternError, "unknown pattern"),
    ],
)
def test_errors(change, error, message):
    arguments = {"sources": CORPORA, "dev": DEV, "vocab_size": 270} | change
    with pytest.raises(error, match=message):
        train_parity(arguments.pop("sources"), **arguments)


def test_gini():
    assert gini([3]) == gini([2, 2]) == 0
    assert gini([1, 3]) == pytest.approx(0.25)
    assert gini([3, 1, 2]) == pytest.approx(
        sum(abs(a - b) for a in (1, 2, 3) for b in (1, 2, 3)) / (2 * 9 * 2)
    )
    assert Balance.of({"x": 2, "y": 3}) == Balance({"x": 2, "y": 3}, {"x": 1.0, "y": 1.5}, 0.1, 5)


def test_real_languages_come_closer():
    """The Universal Declaration of Human Rights: a third to train on, a third to balance, a third to test."""
    if not UDHR.exists():
        pytest.skip(f"needs the declaration in all languages, {UDHR.name}")
    codes = ["eng", "fra", "rus", "arb", "hin", "tam", "tha", "mya", "kat", "amh", "cmn_hans", "jpn", "vie"]
    with gzip.open(UDHR, "rt", encoding="utf-8") as file:
        segments = {row["code"]: row["segments"] for row in map(json.loads, file)}
    keys = sorted(set.intersection(*(set(segments[code]) for code in codes)))
    assert len(keys) > 24
    corpora, dev, unseen = (
        {code: [segments[code][key] for key in keys[part::3]] for code in codes} for part in range(3)
    )
    tokenizer = train_parity(corpora, dev=dev, vocab_size=2048)
    classical = bpetok.train([text for texts in corpora.values() for text in texts], vocab_size=2048)
    for texts in (dev, unseen):
        before, after = Balance.of(tokens(classical, texts)), Balance.of(tokens(tokenizer, texts))
        assert after.gini < before.gini / 2
        assert max(after.premiums.values()) < max(before.premiums.values())
        assert after.total < 1.15 * before.total
