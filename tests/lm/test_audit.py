"""What is solved without seeing the word, on questions whose shortcuts are known."""

import itertools
import json
import random

import pytest
from click.testing import CliRunner

from bpetok.cli.main import cli
from bpetok.errors import CorpusError
from bpetok.lm.audit import Question, audit, read_questions

LETTERS = "abcdefghijklmnop"


def words(n: int) -> list[str]:
    chance = random.Random(3)
    made = set()
    while len(made) < n:
        made.add("".join(chance.choices(LETTERS, k=chance.randrange(3, 9))))
    return sorted(made)


def rates(questions) -> dict[str, float]:
    (found,) = audit(questions)
    return {rule.name: rule.accuracy.estimate for rule in found.rules}


def test_a_letter_that_tells_the_answer_is_found():
    chance = random.Random(1)
    letters = chance.choices("eq", k=400)
    questions = [
        Question("t", f"Is there {letter} in ▢?", word, "yes" if letter == "e" else "no")
        for letter, word in zip(letters, words(400), strict=True)
    ]
    found = rates(questions)
    assert found["rest"] == found["classifier"] == 1
    assert 0.4 < found["answer"] < 0.65


def test_lengths_that_tell_the_answer_are_found():
    questions = [Question("t", "How long is ▢?", word, str(len(word))) for word in words(400)]
    found = rates(questions)
    assert found["rest and length"] == 1
    assert found["classifier"] > 0.95
    assert found["rest"] < 0.4


def test_nothing_is_found_where_there_is_nothing():
    chance = random.Random(2)
    questions = [
        Question("t", f"Is there {chance.choice(LETTERS)} in ▢?", word, chance.choice(["yes", "no"]))
        for word in words(600)
    ]
    (found,) = audit(questions)
    assert found.chance == 0.5
    assert all(rule.accuracy.low < 0.56 for rule in found.rules)


def test_no_rule_has_met_the_word_before():
    # Answers that depend on the word alone: known words would give them away.
    chance = random.Random(4)
    answer = {word: str(chance.randrange(50)) for word in words(60)}
    questions = [
        Question("t", f"{n} ▢", word, answer[word]) for word, n in itertools.product(answer, range(5))
    ]
    assert max(rates(questions).values()) < 0.15


def test_every_rule_equals_its_brute_force_value():
    # Two words only, so that each is answered with what the other one taught.
    questions = [
        Question("t", rest, word, rest[0]) for word in ("ab", "cd") for rest in ("x ▢", "y ▢", "y? ▢")
    ]
    assert rates(questions)["rest"] == 1
    assert rates(questions)["answer"] == pytest.approx(4 / 6)


def write(path, rows) -> str:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return str(path)


def test_the_word_and_the_common_frame_are_taken_out(tmp_path):
    shots = 'Spell out. Question: Is there a "z" in "buzz"? Answer: Yes\n\n'
    rows = [
        {"prompt": f'{shots}Question: Is there a "{letter}" in "{word}"?', "answer": "No", "task": "contains"}
        for letter, word in (("l", "the"), ("n", "and"), ("a", "there"))
    ]
    found = read_questions(write(tmp_path / "cute.jsonl", rows))
    assert [(one.word, one.rest) for one in found] == [
        ("the", 'l" in "▢'), ("and", 'n" in "▢'), ("there", 'a" in "▢')
    ]  # fmt: skip
    assert {one.task for one in found} == {"contains"}


def test_fields_can_be_named(tmp_path):
    rows = [
        {"q": "How many r are in it?", "a": 3, "w": "strawberry"},
        {"q": "How many s?", "a": 1, "w": "sun"},
    ]
    fields = {"question": "q", "answer": "a", "word": "w"}
    found = read_questions(write(tmp_path / "own.jsonl", rows), fields)
    assert [(one.word, one.answer) for one in found] == [("strawberry", "3"), ("sun", "1")]


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("", "holds no question"),
        ("{", "not a line of JSON"),
        ("5", "not a JSON object"),
        ('{"answer": "x"}', "no question or prompt or input"),
        ('{"question": "Is \\"a\\" in \\"b\\"?"}', "no answer"),
        ('{"question": "no quotation marks", "answer": "x"}', "no word in quotation marks"),
    ],
)
def test_bad_files_are_told_why(tmp_path, text, word):
    path = tmp_path / "bad.jsonl"
    path.write_text(text)
    with pytest.raises(CorpusError, match=word):
        read_questions(path)


def test_the_command(tmp_path):
    rows = [
        {"question": f'Is "{letter}" in "{word}"?', "answer": "yes" if letter in word else "no"}
        for word in words(120)
        for letter in "az"
    ]
    path = write(tmp_path / "own.jsonl", rows)
    result = CliRunner().invoke(cli, ["lm", "audit", path])
    assert result.exit_code == 0
    assert "240" in result.output
    (plain,) = json.loads(CliRunner().invoke(cli, ["lm", "audit", path, "--json"]).output)
    assert plain["n"] == 240
    assert plain["best"] in {rule["name"] for rule in plain["rules"]}
    assert CliRunner().invoke(cli, ["lm", "audit", str(tmp_path / "nowhere")]).exit_code == 2
