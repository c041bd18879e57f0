"""What is asked of a model. Each task makes items from words; `TASKS` has them by name."""

from bpetok.errors import TrainingError
from bpetok.lm.tasks.item import Item, Part, Task
from bpetok.lm.tasks.letters import LETTER_TASKS
from bpetok.lm.tasks.lookup import LOOKUP_TASKS
from bpetok.lm.tasks.numbers import NUMBER_TASKS
from bpetok.lm.tasks.rhyme import RHYME_TASKS
from bpetok.lm.tasks.text import TEXT_TASKS

__all__ = ["TASKS", "Item", "Part", "Task", "find_task"]

TASKS: dict[str, Task] = {
    task.name: task for task in (*LETTER_TASKS, *RHYME_TASKS, *LOOKUP_TASKS, *NUMBER_TASKS, *TEXT_TASKS)
}


def find_task(spec: str) -> tuple[Task, str | None]:
    """A task, and where its words come from if not from the experiment's list: `spell@phrasebook:ell_Grek`
    is the task `spell` on Greek words.

    Raises:
        TrainingError: there is no such task.
    """
    name, _, source = spec.partition("@")
    if name not in TASKS:
        raise TrainingError(f"there is no task {name!r}: use some of {', '.join(TASKS)}")
    return TASKS[name], source or TASKS[name].words
