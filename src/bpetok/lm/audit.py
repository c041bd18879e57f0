"""How much of a benchmark can be answered without seeing the word that it asks about.

A question about the letters of a word is put with the word taken out, to rules that learn from the other
questions: what they get right says nothing about who knows the word's letters. Whoever reads a score has to
know theirs.
"""

from __future__ import annotations

import itertools
import json
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bpetok.errors import CorpusError
from bpetok.lm.statistics import Interval, wilson
from bpetok.lm.tasks.item import most_common_by

__all__ = ["Audit", "Question", "Rule", "audit", "read_questions"]

FOLDS = 10
_MOST_CLASSES = 64  # answers that the classifier tells apart; the rest it never gives
_HIDDEN = "▢"
_QUOTED = re.compile(r"\"([^\"\n]+)\"|“([^”\n]+)”|`([^`\n]+)`|«([^»\n]+)»|(?<!\w)'([^'\n]+)'(?!\w)")
_NAMES = {
    "question": ("question", "prompt", "input"),
    "answer": ("answer", "label", "target", "output"),
    "task": ("task", "type", "category"),
}


@dataclass(frozen=True)
class Question:
    """An item of a benchmark.

    Attributes:
        task: what it belongs to.
        rest: the question with the word taken out, and without what all questions of the task begin and end
            with.
        word: what it asks about.
        answer: the right one.
    """

    task: str
    rest: str
    word: str
    answer: str


@dataclass(frozen=True)
class Rule:
    """What a rule gets right that has not seen the word.

    Attributes:
        name: of the rule.
        about: what it does, in words.
        accuracy: by cross-validation, with a Wilson interval of 95 %.
    """

    name: str
    about: str
    accuracy: Interval


@dataclass(frozen=True)
class Audit:
    """One task of a benchmark.

    Attributes:
        task: its name.
        n: how many questions it has.
        n_answers: how many different right answers.
        chance: one divided by these.
        rules: from the simplest to a small classifier.
    """

    task: str
    n: int
    n_answers: int
    chance: float
    rules: tuple[Rule, ...]

    @property
    def best(self) -> Rule:
        """The rule that gets most right."""
        return max(self.rules, key=lambda rule: rule.accuracy.estimate)

    def spec(self) -> dict[str, Any]:
        """As plain data."""
        plain: dict[str, Any] = json.loads(json.dumps(asdict(self)))
        return plain | {"best": self.best.name}


# ---- reading -------------------------------------------------------------------------------------------


def read_questions(path: str | os.PathLike[str], fields: Mapping[str, str] | None = None) -> list[Question]:
    """The questions of a file of JSON lines.

    Args:
        path: each line an object with a question, an answer, and perhaps a task.
        fields: how the file calls its "question", "answer", "task" and "word", where that is not usual. Where
            no field holds the word, it is the longest part of the question in quotation marks.

    Raises:
        CorpusError: a line has no question or answer, or no word can be found in it.
    """
    given = dict(fields or {})
    rows: list[tuple[str, str, str, str]] = []
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                rows.append(_row(line, f"{os.fspath(path)}:{number}", given))
    if not rows:
        raise CorpusError(
            f"{os.fspath(path)} holds no question: it should have an object of JSON in each line"
        )
    frames = {task: _frame([row[1] for row in rows if row[0] == task]) for task, *_ in rows}
    made = []
    for task, question, word, answer in rows:
        before, behind = frames[task]
        inner = question[before : len(question) - behind]
        made.append(Question(task, inner.replace(word, _HIDDEN) if word in inner else inner, word, answer))
    return made


def _row(line: bytes, where: str, fields: Mapping[str, str]) -> tuple[str, str, str, str]:
    """Task, question with its word in quotation marks, word, answer."""
    try:
        record = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise CorpusError(f"{where}: not a line of JSON ({error})") from error
    if not isinstance(record, dict):
        raise CorpusError(f"{where}: not a JSON object: give each line a question and an answer")
    found = {}
    for name, usual in _NAMES.items():
        names = (fields[name],) if name in fields else usual
        value = next((record[each] for each in names if each in record), None)
        if value is None and name != "task":
            raise CorpusError(
                f"{where}: no {' or '.join(names)}: say with --{name} which field holds the {name}"
            )
        found[name] = "" if value is None else str(value)
    question = found["question"]
    if "word" in fields:
        word = str(record.get(fields["word"], ""))
    else:
        # Of the last question only: prompts may have solved examples in front.
        parts = [
            next(filter(None, match.groups()))
            for match in _QUOTED.finditer(question.rpartition("Question")[2])
        ]
        word = max(reversed(parts), key=len, default="")
    if not word:
        raise CorpusError(f"{where}: no word in quotation marks: say with --word which field holds the word")
    return found["task"] or "all", question, word, found["answer"]


def _frame(questions: Sequence[str]) -> tuple[int, int]:
    """How many characters all questions begin with, and end with: instructions, and examples."""
    before = _shared(questions)
    return before, _shared([question[before:][::-1] for question in questions])


def _shared(texts: Sequence[str]) -> int:
    """How many characters some texts all begin with: as many as the first and the last in their order."""
    alike = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(min(texts), max(texts), strict=False))
    return sum(1 for _ in alike)


# ---- rules ---------------------------------------------------------------------------------------------

Answers = Callable[[Question], str]


def _features(questions: Sequence[Question], names: dict[str, int], grow: bool) -> npt.NDArray[np.float64]:
    """What the classifier sees: the characters of the rest, and the length of the word."""
    rows = []
    for one in questions:
        seen = [*(f"char {char}" for char in one.rest), f"length {min(len(one.word), 20)}", "bias"]
        rows.append([names.setdefault(name, len(names)) if grow else names.get(name, -1) for name in seen])
    table = np.zeros((len(rows), len(names)))
    for at, row in enumerate(rows):
        table[at, [feature for feature in row if feature >= 0]] = 1
    return table


def _classifier(known: Sequence[Question]) -> Answers:
    """Logistic regression by gradient descent, with a small penalty on weights."""
    classes = [answer for answer, _ in Counter(one.answer for one in known).most_common(_MOST_CLASSES)]
    number = {answer: at for at, answer in enumerate(classes)}
    used = [one for one in known if one.answer in number]
    names: dict[str, int] = {}
    table = _features(used, names, grow=True)
    wanted = np.zeros((len(used), len(classes)))
    wanted[np.arange(len(used)), [number[one.answer] for one in used]] = 1
    weights = np.zeros((len(names), len(classes)))
    pace = np.zeros_like(weights)
    for _ in range(300):
        scores = table @ weights
        scores -= scores.max(1, keepdims=True)
        shares = np.exp(scores)
        shares /= shares.sum(1, keepdims=True)
        pace = 0.9 * pace + table.T @ (wanted - shares) / len(used) - 1e-4 * weights
        weights += 0.5 * pace
    return lambda one: classes[int((_features([one], names, grow=False) @ weights).argmax())]


_RULES: tuple[tuple[str, str, Callable[[Sequence[Question]], Answers]], ...] = (
    ("answer", "the most common answer", most_common_by(lambda one: None)),
    (
        "rest",
        "the most common answer to the same question about other words",
        most_common_by(lambda one: one.rest),
    ),
    (
        "rest and length",
        "the same, about words of the same length",
        most_common_by(lambda one: (one.rest, len(one.word))),
    ),
    (
        "classifier",
        "logistic regression on the characters of the rest and the length of the word",
        _classifier,
    ),
)


def audit(questions: Iterable[Question]) -> list[Audit]:
    """How much of each task is solved without seeing the word.

    Rules learn from nine tenths of the words and answer questions about the others, by turns, so that no rule
    has met the word that it is asked about. The split is fixed.

    Args:
        questions: of one task or of several.

    Returns:
        A result for each task, in the order in which they appear.

    >>> easy = [Question("t", letter, word, answer) for letter, answer in (("e", "yes"), ("q", "no"))
    ...         for word in ("tree", "bee", "key", "pen", "red", "web", "jet", "leg", "net", "men")]
    >>> audit(easy)[0].best.accuracy.estimate
    1.0
    """
    tasks: dict[str, list[Question]] = {}
    for question in questions:
        tasks.setdefault(question.task, []).append(question)
    return [_audit(task, found) for task, found in tasks.items()]


def _audit(task: str, questions: Sequence[Question]) -> Audit:
    words = sorted({one.word for one in questions})
    order = np.random.default_rng(0).permutation(len(words))
    fold = {word: int(place) % FOLDS for word, place in zip(words, order, strict=True)}
    right = {name: 0 for name, *_ in _RULES}
    for number in range(FOLDS):
        known = [one for one in questions if fold[one.word] != number]
        asked = [one for one in questions if fold[one.word] == number]
        if not known or not asked:
            continue
        for name, _, learn in _RULES:
            answers = learn(known)
            right[name] += sum(answers(one) == one.answer for one in asked)
    n_answers = len({one.answer for one in questions})
    rules = tuple(Rule(name, about, wilson(right[name], len(questions))) for name, about, _ in _RULES)
    return Audit(task, len(questions), n_answers, 1 / n_answers, rules)
