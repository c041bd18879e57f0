"""Arms: how words are cut, and what is done about it."""

import numpy as np
import pytest

from bpetok.errors import EncodeError, TrainingError
from bpetok.lm.arms import Arm, make_arm, parse_arm
from bpetok.lm.cutting import bpe_dropout, stochastok
from bpetok.lm.tasks import TASKS
from bpetok.lm.words import Entry, Split, load_words


@pytest.fixture(scope="module")
def words(entries):
    return [entry.word for entry in entries]


@pytest.mark.parametrize("spec", ["bytes", "characters", "bpe:80", "fallback:80", "cl100k_base"])
def test_tokens_are_the_word(words, spec):
    arm = make_arm(spec, words)
    for word in words:
        assert b"".join(arm.pieces(word)) == word.encode()
    if spec in ("bytes", "characters"):
        assert all(len(arm.word(word)) == len(word) for word in words)


@pytest.mark.parametrize("spec", ["bytes", "characters", "bpe:300", "fallback:300"])
@pytest.mark.parametrize("language", ["ell_Grek", "rus_Cyrl", "hin_Deva", "kor_Hang", "arb_Arab", "heb_Hebr"])
def test_other_scripts_are_answered_in_characters(spec, language):
    entries = load_words(f"phrasebook:{language}", most=300)
    arm = make_arm(spec, [entry.word for entry in entries])
    draw = TASKS["insert"].prepare(entries)
    rng = np.random.default_rng(0)
    for item in (draw(rng) for _ in range(50)):
        answer = arm.answer(item)
        assert len(answer) == len(item.word) + 2
        assert arm.spell(answer[:-1]) == item.answer
        assert b"".join(arm.pieces(item.word)).decode() == item.word


@pytest.mark.parametrize("change", ["dropout:0.5", "stochastok:0.5"])
def test_cuts_are_drawn_in_training_alone(words, change):
    arm, plain = make_arm(f"bpe:80+{change}", words), make_arm("bpe:80", words)
    draw = TASKS["spell"].prepare([Entry(max(words, key=len))])
    item = draw(np.random.default_rng(0))
    assert [arm.pieces(item.word), len(arm.prompt(item))] == [
        plain.pieces(item.word),
        len(plain.prompt(item)),
    ]
    rng = np.random.default_rng(1)
    drawn = {tuple(arm.prompt(item, rng)) for _ in range(40)}
    assert len(drawn) > 2
    for symbols in drawn:
        assert b"".join(arm._texts[symbol] for symbol in symbols[1:-1]) == item.word.encode()


def test_a_spelled_prompt_has_the_characters_behind_the_tokens(words):
    arm = make_arm("bpe:80+spelled", words)
    item = TASKS["nth"].prepare([Entry(words[0])])(np.random.default_rng(0))
    symbols = arm.prompt(item)
    assert arm.spell(symbols[-1 - len(words[0]) : -1]) == words[0]
    assert len(symbols) == 2 + 1 + len(arm.word(words[0])) + len(words[0])


def test_without_dropout_merges_are_those_of_the_tokenizer(words):
    arm = make_arm("bpe:120+dropout:0.1", words)
    rng = np.random.default_rng(0)
    for word in words:
        assert bpe_dropout(word.encode(), arm._ranks, 0.0, rng) == arm.pieces(word)
        assert all(len(piece) == 1 for piece in bpe_dropout(word.encode(), arm._ranks, 1.0, rng))
        assert b"".join(stochastok(arm.pieces(word), arm._ranks, 2.0, rng)) == word.encode()


def test_digits_are_grouped_from_either_end():
    entries = load_words("numbers", most=200)
    words = [entry.word for entry in entries]
    left, right = make_arm("groups", words), make_arm("groups-from-end", words)
    for word in words:
        assert [len(piece) for piece in left.pieces(word)][:-1] == [3] * (-(-len(word) // 3) - 1)
        assert b",".join(right.pieces(word)).decode() == f"{int(word):,}"


@pytest.mark.parametrize("spec", ["bytes", "characters", "groups", "groups-from-end"])
def test_the_vocabulary_of_a_rule_is_what_it_makes_of_the_words(spec):
    words = [entry.word for entry in load_words("numbers", most=200)]
    arm = make_arm(f"{spec}+stochastok", words)
    # Plain characters are tokens of every arm.
    made = {piece for word in words for piece in arm.pieces(word)}
    assert set(arm._ranks) == made | {char.encode() for word in words for char in word}
    rng = np.random.default_rng(0)
    draw = TASKS["spell"].prepare([Entry("123456")])
    arm = make_arm(f"{spec}+stochastok:1", ["123456", "12", "3", "1", "23", "4", "56"])
    item = draw(rng)
    drawn = {tuple(arm.prompt(item, rng)) for _ in range(40)}
    assert (len(drawn) > 1) == spec.startswith("groups")


def test_groups_cannot_drop_merges():
    words = [entry.word for entry in load_words("numbers", most=200)]
    with pytest.raises(TrainingError, match="cannot drop merges"):
        make_arm("groups+dropout", words)


def test_characters_of_several_bytes_may_not_be_those_of_merges():
    words = [entry.word for entry in load_words("phrasebook:ell_Grek", most=200)]
    with pytest.raises(TrainingError, match="cannot drop merges"):
        make_arm("fallback:300+dropout", words)


def test_training_shows_the_words_that_are_taught_and_the_cuts_that_may_be_drawn():
    split = Split((Entry("abcabc"),), (Entry("efgh"),), (Entry("abij"),))
    words = ["abcabc", "efgh", "abij"]
    plain, taught, drawn = (make_arm(f"bpe:11{change}", words) for change in ("", "+taught", "+dropout:0.5"))
    assert plain.seen(split) == set(plain.word("abcabc"))
    assert taught.seen(split) == {symbol for word in words for symbol in taught.word(word)}
    rng = np.random.default_rng(0)
    item = TASKS["spell"].prepare(split.train)(rng)
    met = {symbol for _ in range(200) for symbol in drawn.prompt(item, rng)[1:-1]}
    assert met == drawn.seen(split) > plain.seen(split)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bpe:80+magic", r"has 'magic': use \+dropout"),
        ("bpe:80+dropout:x", "write a share"),
        ("bpe:80+dropout:2", "from 0 to 1"),
        ("fallback:2", "at least"),
    ],
)
def test_changes_that_cannot_be_are_refused(words, spec, message):
    with pytest.raises(TrainingError, match=message):
        make_arm(spec, words)
    assert parse_arm("bytes+like:bpe:80")[1].like == "bpe:80"


def test_a_tokenizer_without_the_alphabet_is_named():
    class Narrow:
        n_vocab = 26

        def encode_ordinary(self, text):
            if not text.isascii():
                raise EncodeError("no token for it")
            return list(text.encode())

        def decode_single_token_bytes(self, token):
            return bytes([token])

    with pytest.raises(TrainingError, match=r"'narrow' cannot encode 'naïve' .*every letter"):
        Arm("narrow", Narrow(), ["naïve"])
