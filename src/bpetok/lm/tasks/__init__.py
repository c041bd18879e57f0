"""What is asked of a model. Each task makes items from words; `TASKS` has them by name."""

from bpetok.lm.tasks.item import Item, Part, Task
from bpetok.lm.tasks.letters import LETTER_TASKS
from bpetok.lm.tasks.rhyme import RHYME_TASKS

__all__ = ["TASKS", "Item", "Part", "Task"]

TASKS: dict[str, Task] = {task.name: task for task in (*LETTER_TASKS, *RHYME_TASKS)}
