"""Talking to a trained arm: questions written by hand, what the model answers, and how texts go on."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from bpetok.errors import EncodeError, ExperimentError, FormatError, TrainingError
from bpetok.lm.arms import make_arm
from bpetok.lm.data import draw_items
from bpetok.lm.tasks import TASKS, Part
from bpetok.lm.words import load_words

WORDS = str(Path(__file__).parents[1] / "data" / "words.txt")


def line_of(name, item):
    """How the item would be asked for by hand."""
    words = [part.text for part in item.prompt if part.is_word]
    given = "".join(part.text for part in item.prompt if not part.is_word)
    match name:
        case "insert":
            return f"{item.word} {given[0]} {given[1:]}"
        case "rhyme-choice":
            return " ".join(words)
        case "recall":
            return " ".join(part.text for part in item.prompt)
        case "add":
            return "+".join(words)
        case "text":
            return item.word
    return f"{item.word} {given}".strip()


@pytest.mark.parametrize("name", sorted(TASKS))
def test_a_question_by_hand_is_the_item_of_training(entries, name):
    task = TASKS[name]
    words = load_words("numbers", most=400) if task.words == "numbers" else entries
    is_right = task.judge(words)
    for item in draw_items(task.prepare(words), 60, 7):
        asked = task.item(line_of(name, item), words)
        assert asked.prompt == item.prompt
        assert (asked.word, asked.is_text) == (item.word, item.is_text)
        if name == "rhyme-word":
            assert is_right(item, asked.answer)
        else:
            assert (asked.answer, asked.accepted) == (item.answer, item.accepted)


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("spell", "two words"), ("spell", ""), ("nth", "plenty"), ("nth", "plenty 0"), ("nth", "plenty x"),
        ("ends", "plenty <"), ("insert", "plenty 3 x"), ("count", "plenty le"), ("rhyme-choice", "one two"),
        ("recall", "a 1 a 2 b 3 c 4 a"), ("recall", "a b c d e f g h i"), ("add", "12"), ("add", "a+b"),
    ],
)  # fmt: skip
def test_what_is_no_question_is_refused_with_its_form(name, line):
    with pytest.raises(TrainingError, match=f"task '{name}': write {re.escape(TASKS[name].form)}"):
        TASKS[name].item(line, ())


@pytest.mark.parametrize(("name", "line"), [("nth", "cat 4"), ("swap", "cat 3"), ("insert", "cat x 5")])
def test_a_letter_that_is_not_there_is_named(name, line):
    with pytest.raises(TrainingError, match="has no letter"):
        TASKS[name].item(line, ())


@pytest.mark.parametrize("name", ["rime", "rhyme-word", "facts"])
def test_of_an_unknown_word_some_tasks_cannot_tell(entries, name):
    item = TASKS[name].item("zzyzx", entries)
    assert item.answer == ""
    assert item.prompt == (Part("zzyzx", True),)


@pytest.mark.parametrize("spec", ["bytes", "characters", "bpe:80", "fallback:80"])
def test_other_words_are_cut_as_the_arms_own(entries, spec):
    words = [entry.word for entry in entries]
    whole, part = make_arm(spec, words), make_arm(spec, words[::2], learned_from=words)
    known = {piece for word in words[::2] for piece in part.pieces(word)} | {
        bytes([byte]) for byte in range(32, 127)
    }
    asked = 0
    for word in words[1::2]:
        if set(whole.pieces(word)) <= known:
            assert part.pieces(word) == whole.pieces(word)
            asked += 1
        else:
            with pytest.raises(EncodeError, match="never had the token"):
                part.pieces(word)
    assert asked > 10
    with pytest.raises(EncodeError, match="no character 'é'"):
        part.prompt(TASKS["count"].item(f"{words[0]} é", entries))


def test_a_token_that_no_word_has_is_named():
    arm = make_arm("cl100k_base", ["cat", "dog"])
    with pytest.raises(EncodeError, match="'cl100k_base' never had the token 'house' of 'house'"):
        arm.word("house")


@pytest.mark.parametrize(("spec", "text"), [("bytes", "é"), ("characters", "ü"), ("groups", "777")])
def test_a_piece_that_no_word_has_is_named(spec, text):
    with pytest.raises(TrainingError, match=f"'{spec}' cannot encode '{text}' .none of its words has"):
        make_arm(spec, ["cat", "123"]).word(text)


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")
    from bpetok.lm.run import Experiment, run

    folder = tmp_path_factory.mktemp("sample")
    text = folder / "text.txt"
    text.write_text("".join(f"The number {at} is followed by the number {at + 1}.\n" for at in range(3_000)))
    run(
        Experiment(
            arms=("bytes", "bpe:60"), tasks=("nth", f"text@text:{text}"), preset="cpu-test", seeds=1,
            words=WORDS, steps=3, rates=(1.0,),
        ),
        folder / "run",
    )  # fmt: skip
    return folder / "run"


def test_answers_are_those_of_the_experiment(done):
    from bpetok.lm.sample import load_speaker

    for arm in ("bytes", "bpe:60"):
        speaker = load_speaker(done, arm, "nth")
        items = json.loads((done / "items" / "nth.json").read_text())
        kept = json.loads((done / "runs" / f"{arm.replace(':', '_')}-nth-examples-0.json").read_text())
        for item, answer, right in list(zip(items, kept["answers"], kept["right"], strict=True))[:20]:
            reply = speaker.reply(f"{item['word']} {item['prompt'][0][0]}", length=3)
            assert reply.answer == answer
            assert reply.right == (right == "1")
            assert reply.item.answer == item["answer"]
            assert b"".join(reply.prompt).decode() == item["prompt"][0][0] + item["word"]
    long = "abcdefghi" * 30
    with pytest.raises(TrainingError, match="places: ask about a shorter word"):
        speaker.reply(f"{long} 3")


def test_texts_go_on_beyond_the_places_of_the_model(done):
    from bpetok.lm.sample import Choice, load_speaker, models_of

    task = models_of(done)[-1][1]
    speaker = load_speaker(done, "bytes", task)
    places = speaker.model.longest
    drawn = Choice(1.0, None, 3)
    reply = speaker.reply(" The  number\n1", drawn, places + 20)
    assert b"".join(reply.prompt) == b"The number 1"
    assert len(reply.written) == places + 20  # each a byte: what begins, ends or pads is in no text
    assert all(len(piece) == 1 for piece in reply.written)
    assert reply.right is None
    assert speaker.reply("The number 1", drawn, 40).written == reply.written[:40]
    assert speaker.reply("The number 1", Choice(1.0, None, 4), 40).written != reply.written[:40]
    assert speaker.reply("The number 1", Choice(1.0, 1, 4), 10) == speaker.reply("The number 1", length=10)


def test_symbols_are_drawn_as_often_as_the_model_says():
    pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")
    from bpetok.lm.sample import Choice

    logits = np.log(np.array([0.1, 0.2, 0.3, 0.4], np.float32))
    rng = np.random.default_rng(0)

    def shares(choice):
        return np.bincount([choice.pick(logits, rng) for _ in range(4_000)], minlength=4) / 4_000

    assert shares(Choice(1.0)) == pytest.approx([0.1, 0.2, 0.3, 0.4], abs=0.04)
    assert shares(Choice(1.0, top_k=2)) == pytest.approx([0, 0, 3 / 7, 4 / 7], abs=0.04)
    assert shares(Choice(0.5)) == pytest.approx(np.array([1, 4, 9, 16]) / 30, abs=0.04)
    assert shares(Choice()) == pytest.approx([0, 0, 0, 1])
    with pytest.raises(TrainingError, match="temperature of -1"):
        Choice(-1)
    with pytest.raises(TrainingError, match="choice of 0 symbols"):
        Choice(1.0, 0)


def sample(*given, stdin=None):
    from bpetok.cli.main import cli

    return CliRunner().invoke(cli, ["lm", "sample", *map(str, given)], input=stdin)


def test_the_command_shows_tokens_answer_and_what_is_right(done):
    from bpetok.lm.sample import load_speaker

    made = sample(done, "plenty 3", "--arm", "bytes", "--task", "nth")
    assert made.exit_code == 0, made.output
    reply = load_speaker(done, "bytes", "nth").reply("plenty 3")
    end = "right" if reply.right else "wrong: e"
    assert made.output == f"3│p│l│e│n│t│y → {reply.answer}  {end}\n"


def test_each_line_of_a_pipe_is_a_question(done):
    made = sample(done, "--arm", "bpe:60", "--task", "nth", "--json", stdin="plenty 3\n\nhouse 1\n")
    first, second = map(json.loads, made.output.splitlines())
    assert (first["expected"], second["expected"]) == ("e", "h")
    assert bytes.fromhex("".join(first["prompt"])) == b"3plenty"
    assert sample(done, "--arm", "bpe:60", "--task", "nth", stdin="plenty 3\nplenty\n").exit_code == 2


def test_a_person_is_asked_again_after_an_error(done, monkeypatch):
    monkeypatch.setattr("bpetok.cli.lm_sample._is_terminal", lambda: True)
    made = sample(done, "--arm", "bytes", "--task", "nth", stdin="plenty\nplenty 3\n")
    assert made.exit_code == 0
    assert "write WORD N" in made.stderr
    assert "Which is the nth letter" in made.stderr
    assert made.stdout.count("→") == 1


def test_which_model_is_meant_must_be_said(done, tmp_path):
    made = sample(done, "plenty 3", "--task", "nth")
    assert made.exit_code == 2
    assert "--arm and --task: there is bytes on nth, bpe:60 on nth" in made.output
    assert "no such model" in sample(done, "plenty 3", "--task", "spell").output
    assert "leave out --temperature" in sample(done, "x", "--greedy", "--temperature", "1").output
    assert "holds no experiment" in sample(tmp_path, "x").output


def test_a_damaged_model_and_other_words_are_named(done, tmp_path):
    import shutil

    from bpetok.lm.sample import load_speaker

    folder = tmp_path / "copy"
    shutil.copytree(done, folder)
    path = folder / "models" / "bytes-nth-examples-0.pt"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FormatError, match="holds no model"):
        load_speaker(folder, "bytes", "nth")
    settings = json.loads((folder / "experiment.json").read_text())
    (folder / "experiment.json").write_text(json.dumps({**settings, "n_words": 30}))
    with pytest.raises(ExperimentError, match="not what they were when it was trained"):
        load_speaker(folder, "bpe:60", "nth")
