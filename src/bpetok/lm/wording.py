"""The tasks as questions in plain English, with a word written as it is or letter by letter."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bpetok.lm.tasks import Item

__all__ = ["FORMS", "WORDINGS", "Wording", "varied"]

# How a word is written: in the tokens that the model has for it, or with its letters parted, each a token.
FORMS: Mapping[str, Callable[[str], str]] = {"own": lambda word: word, "letters": " ".join}


@dataclass(frozen=True)
class Wording:
    """A task in words.

    Attributes:
        ask: the question of an item, given how a word is written.
        tell: an answer of the task as text.
        understand: a text as an answer of the task; no right answer where it is none.
        kind: of which worked examples have equally many: what the answer might be guessed from.
    """

    ask: Callable[[Item, Callable[[str], str]], str]
    tell: Callable[[str], str] = str
    understand: Callable[[str], str] = str
    kind: Callable[[Item], object] = lambda item: None

    def prompt(self, item: Item, form: str, examples: Iterable[Item] = ()) -> str:
        """Worked examples, and then a question whose answer is still to be written."""
        solved = (f"{self.prompt(each, form)} {self.tell(each.answer)}\n\n" for each in examples)
        return f"{''.join(solved)}Q: {self.ask(item, FORMS[form])}\nA:"


def varied(items: Sequence[Item], count: int, kind: Callable[[Item], object]) -> list[Item]:
    """The first of some items, each about another word, with as equal a number of each kind as can be; fewer
    than were wanted where the words do not suffice."""
    chosen: list[Item] = []
    words: set[str] = set()
    kinds: Counter[object] = Counter()
    while len(chosen) < count:
        left = [item for item in items if item.word not in words]
        if not left:
            break
        item = min(left, key=lambda item: kinds[kind(item)])
        chosen.append(item)
        words.add(item.word)
        kinds[kind(item)] += 1
    return chosen


def _given(item: Item) -> str:
    """What the item has in front of its word."""
    return item.prompt[0].text


def _answer(item: Item) -> str:
    return item.answer


def _joined(text: str) -> str:
    """Letters that stand apart as a word. Letters that do not are no spelling."""
    letters = text.split(" ")
    return "".join(letters) if all(len(letter) == 1 for letter in letters) else ""


def _rhyme(item: Item, write: Callable[[str], str]) -> str:
    word, *rest = item.prompt
    choices = zip(rest[::2], rest[1::2], strict=True)
    listed = ", ".join(f"{number.text} {write(choice.text)}" for number, choice in choices)
    return f"Which of these words rhymes with the word {write(word.text)}: {listed}?"


_END = {"^": "first", "$": "last"}
_YES = {"y": "yes", "n": "no"}
_NO_ANSWER = ""

WORDINGS: Mapping[str, Wording] = {
    "spell": Wording(lambda item, write: f"How is the word {write(item.word)} spelled?", " ".join, _joined),
    "reverse": Wording(
        lambda item, write: f"How is the word {write(item.word)} spelled backwards?", " ".join, _joined
    ),
    "nth": Wording(
        lambda item, write: f"Which is letter {_given(item)} of the word {write(item.word)}?", kind=_given
    ),
    "ends": Wording(
        lambda item, write: f"Which is the {_END[_given(item)]} letter of the word {write(item.word)}?",
        kind=_given,
    ),
    "count": Wording(
        lambda item, write: (
            f"How often is the letter {_given(item)} in the word {write(item.word)}: "
            "0, 1, or 2 times and more?"
        ),
        kind=_answer,
    ),
    "contains": Wording(
        lambda item, write: f"Is the letter {_given(item)} in the word {write(item.word)}?",
        _YES.__getitem__,
        lambda text: {yes: short for short, yes in _YES.items()}.get(text, _NO_ANSWER),
        kind=_answer,
    ),
    "rhyme-choice": Wording(_rhyme, kind=_answer),
}
