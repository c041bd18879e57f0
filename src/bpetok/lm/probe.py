"""The same questions put to a pretrained model twice: with each word in the model's own tokens, and with its
letters parted, each a token of its own. What differs within one model is only how the word is cut.

The answers can be kept in a file, batch by batch; a probe that was cut off goes on from it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bpetok.errors import CorpusError, ExperimentError, FormatError, ModelError, TrainingError
from bpetok.formats.atomic import write_files
from bpetok.lm.data import draw_items, shortcut_answers
from bpetok.lm.greedy import continuations
from bpetok.lm.pretrained import Pretrained
from bpetok.lm.statistics import holm, mcnemar, paired_difference, wilson
from bpetok.lm.tasks import Item, Task, find_task
from bpetok.lm.wording import FORMS, WORDINGS, Wording, varied
from bpetok.lm.words import Split, load_words, split_words

__all__ = ["ProbeSettings", "findings", "probe"]

VERSION = 1
_ITEMS, _EXAMPLES = 1 << 44, 1 << 45  # seeds of their own
_DRAWN = 8  # times as many items are drawn as are taken, each about another word


@dataclass(frozen=True)
class ProbeSettings:
    """What is asked.

    Attributes:
        tasks: names of tasks, of those in `bpetok.lm.wording.WORDINGS`.
        n_items: questions a task, each about another word of the test split.
        n_examples: worked examples in front of each question, about words of the training split.
        words: a word list, see `bpetok.lm.words.load_words`.
        n_words: of these at most.
    """

    tasks: tuple[str, ...] = tuple(WORDINGS)
    n_items: int = 300
    n_examples: int = 6
    words: str = "cmudict"
    n_words: int = 24_000

    def __post_init__(self) -> None:
        for task in self.tasks:
            if find_task(task)[0].name not in WORDINGS or "@" in task:
                raise TrainingError(
                    f"the task {task!r} is not put in words: use some of {', '.join(WORDINGS)}"
                )
        if not self.tasks or len(set(self.tasks)) != len(self.tasks):
            raise TrainingError(f"tasks {', '.join(self.tasks)}: give at least one, and each once")
        if self.n_items < 1 or self.n_examples < 0 or self.n_words < 1:
            raise TrainingError(
                f"{self.n_items} items, {self.n_examples} examples and {self.n_words} words: an item and a "
                "word are needed, and there are no fewer examples than none"
            )


def probe(
    pretrained: Pretrained,
    settings: ProbeSettings = ProbeSettings(),
    *,
    path: Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Ask a model all questions in both forms, and compare.

    Args:
        pretrained: the model.
        settings: what is asked.
        path: a file for the answers and results, written after each batch. What it has is not asked again.
        progress: called with the number of answers that are there, and of all.

    Returns:
        What the file holds: see the documentation of language models for its keys.

    Raises:
        ExperimentError: the file is another probe's, or has other questions.
        FormatError: the file cannot be read.
        CorpusError: the words do not suffice, or the word list cannot be had.
        ModelError: the tokenizer does not write parted letters as one token each.
    """
    entries = load_words(settings.words, most=settings.n_words)
    split = split_words(entries)
    record = _begun(pretrained, settings, path)
    total = len(settings.tasks) * len(FORMS) * settings.n_items
    questions = {name: _Questions(name, settings, split) for name in settings.tasks}
    for name, asked in questions.items():
        kept = record["tasks"].setdefault(name, asked.spec(pretrained))
        if _unanswered(kept) != asked.spec(pretrained):
            raise ExperimentError(
                f"{path} has other questions for the task {name!r}: they were made with another version, or "
                "other words; name another file"
            )
        for form in FORMS:
            done = {number for number, item in enumerate(kept["items"]) if item[form] is not None}
            for batch in asked.answers(pretrained, form, done):
                for number, text in batch.items():
                    kept["items"][number][form] = text
                _keep(record, path)
                if progress is not None:
                    progress(sum(_answered(each) for each in record["tasks"].values()), total)
    record["results"] = _results(
        {
            name: asked.judged(record["tasks"][name]["items"], split, asked.task.judge(entries))
            for name, asked in questions.items()
        }
    )
    _keep(record, path)
    return record


def _begun(pretrained: Pretrained, settings: ProbeSettings, path: Path | None) -> dict[str, Any]:
    """The record as far as the file has it."""
    import torch
    import transformers

    begun: dict[str, Any] = {
        "version": VERSION,
        "settings": json.loads(json.dumps(asdict(settings))),
        "model": pretrained.spec(),
        "environment": {"torch": torch.__version__, "transformers": transformers.__version__},
    }
    if path is None or not path.exists():
        return begun | {"tasks": {}}
    try:
        kept: dict[str, Any] = json.loads(path.read_bytes())
        differing = [key for key in begun if kept[key] != begun[key]]
        kept["tasks"].items()
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise FormatError(f"{path} is no file of a probe ({error!r}): delete it, or name another") from error
    if differing:
        raise ExperimentError(
            f"{path} holds another probe, which differs in its {', '.join(differing)}: name another file"
        )
    return kept


def _keep(record: Mapping[str, Any], path: Path | None) -> None:
    if path is not None:
        write_files({str(path): (json.dumps(record, ensure_ascii=False, indent=1) + "\n").encode()})


def _unanswered(task: Mapping[str, Any]) -> dict[str, Any]:
    return {**task, "items": [{**item, **dict.fromkeys(FORMS)} for item in task["items"]]}


def _answered(task: Mapping[str, Any]) -> int:
    return sum(item[form] is not None for item in task["items"] for form in FORMS)


class _Questions:
    """The questions of one task, and the worked examples in front of them."""

    def __init__(self, name: str, settings: ProbeSettings, split: Split) -> None:
        self.task: Task = find_task(name)[0]
        self.wording: Wording = WORDINGS[name]
        self.items = varied(
            draw_items(self.task.prepare(split.test), _DRAWN * settings.n_items, _ITEMS),
            settings.n_items,
            lambda item: None,
        )
        self.examples = varied(
            draw_items(self.task.prepare(split.train), _DRAWN * settings.n_examples, _EXAMPLES),
            settings.n_examples,
            self.wording.kind,
        )
        for found, wanted in ((self.items, settings.n_items), (self.examples, settings.n_examples)):
            if len(found) < wanted:
                raise CorpusError(
                    f"the words suffice for {len(found)} of {wanted} items of the task {name!r}: give a "
                    "longer list, or ask for less"
                )

    def spec(self, pretrained: Pretrained) -> dict[str, Any]:
        """What is asked, without answers yet."""
        return {
            "question": self.task.question,
            "example": {form: self.wording.prompt(self.items[0], form, self.examples) for form in FORMS},
            "items": [
                {
                    "question": self.wording.prompt(item, "own"),
                    "word": item.word,
                    "tokens": _tokens(pretrained, item.word),
                    "right": self.wording.tell(item.answer),
                    **dict.fromkeys(FORMS),
                }
                for item in self.items
            ],
        }

    def answers(self, pretrained: Pretrained, form: str, known: set[int]) -> Iterable[dict[int, str]]:
        """What the model answers, by the number of the question, batch by batch."""
        for item in self.items:
            if _tokens(pretrained, FORMS["letters"](item.word)) != len(item.word):
                raise ModelError(
                    f"the tokenizer of {pretrained.name!r} does not write the letters of {item.word!r}, "
                    "parted by spaces, as a token each: this model cannot be probed letter by letter"
                )
        prompts = [self.wording.prompt(item, form, self.examples) for item in self.items]
        # Room for the longest right answer, and for the end of its line.
        longest = 1 + max(_tokens(pretrained, self.wording.tell(item.answer)) for item in self.items)
        return continuations(pretrained, prompts, longest=longest, known=known)

    def judged(
        self, kept: Sequence[Mapping[str, Any]], split: Split, is_right: Callable[[Item, str], bool]
    ) -> dict[str, Any]:
        """What is right, of the model and of the shortcuts, and which words are one token."""
        right = {
            form: [
                is_right(item, self.wording.understand(one[form]))
                for item, one in zip(self.items, kept, strict=True)
            ]
            for form in FORMS
        }
        shortcuts = {
            name: sum(map(is_right, self.items, given))
            for name, given in shortcut_answers(self.task, split.train, self.items).items()
        }
        return {"right": right, "shortcuts": shortcuts, "whole": [one["tokens"] == 1 for one in kept]}


def _tokens(pretrained: Pretrained, text: str) -> int:
    """How many tokens a text has behind others and a space."""
    return len(pretrained.encode(f"A: {text}")) - len(pretrained.encode("A:"))


def _results(judged: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Shares and differences by task."""
    found = {name: _compared(**one) for name, one in judged.items()}
    adjusted = holm({name: one["p"] for name, one in found.items()})
    return {name: one | {"p_adjusted": adjusted[name]} for name, one in found.items()}


def _compared(
    right: Mapping[str, Sequence[bool]], shortcuts: Mapping[str, int], whole: Sequence[bool]
) -> dict[str, Any]:
    own, letters = right["own"], right["letters"]
    difference = paired_difference([letters], [own])
    only = {
        "only_letters": sum(b > a for a, b in zip(own, letters, strict=True)),
        "only_own": sum(a > b for a, b in zip(own, letters, strict=True)),
    }
    return {
        **{form: list(wilson(sum(marks), len(marks))) for form, marks in right.items()},
        "shortcuts": {name: list(wilson(count, len(own))) for name, count in shortcuts.items()},
        "difference": list(difference[:3]),
        **only,
        "p": mcnemar(*only.values()),
        "by_tokens": {
            name: {"n": len(at)}
            | {form: list(wilson(sum(marks[i] for i in at), len(at))) for form, marks in right.items()}
            for name, wanted in (("one", True), ("several", False))
            if (at := [i for i, one in enumerate(whole) if one == wanted])
        },
    }


def findings(record: Mapping[str, Any]) -> list[str]:
    """The results in words, which say no more than their intervals and p values do: a form is above the
    shortcuts where its interval lies above all of theirs."""
    lines = []
    for task, found in record["results"].items():
        points, low, high = (100 * bound for bound in found["difference"])
        if found["p_adjusted"] < 0.05:
            more = "more" if points > 0 else "fewer"
            low, high = sorted((abs(low), abs(high)))
            said = (
                f"letter by letter, {abs(points):.1f} points {more} are right than with own tokens "
                f"({low:.1f} to {high:.1f})"
            )
        else:
            said = "no difference between the two forms is shown"
        highest = max((one[2] for one in found["shortcuts"].values()), default=0.0)
        above = [
            name
            for form, name in (("own", "own tokens"), ("letters", "letter by letter"))
            if found[form][1] > highest
        ]
        beside = f"above the shortcuts: {', '.join(above)}" if above else "neither is above the shortcuts"
        p = found["p_adjusted"]
        lines.append(f"{task}: {said} (p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}); {beside}.")
    if "spell" in record["results"]:
        lines.append(
            "Where the letters are given, to spell is to copy them: it shows no knowledge of letters."
        )
    return lines
