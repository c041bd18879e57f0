"""An experiment: many arms, tasks and seeds, in a folder that can be gone on with.

The folder holds all that a report needs, whatever this package has become since:

- `experiment.json`: the settings; `environment.json`: the versions that the results depend on;
- `leakage.json`: what test words share with training words;
- `items/`: what is asked in the test, the same of every arm; `baselines/`: the answers without a model;
- `arms/`: how each arm cuts the test words, and which of its tokens no training word has;
- `sweep/`: the search for learning rates; `runs/`: one file a run, with every answer;
- `models/`: what was trained with seed 0; `checkpoints/`: of runs under way;
- `times/`: what runs took, the only files that differ between two equal experiments.
"""

from __future__ import annotations

import itertools
import json
import math
import multiprocessing
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from bpetok.errors import ExperimentError, FormatError, MissingExtraError, TrainingError
from bpetok.formats.atomic import write_files
from bpetok.lm.config import Preset, preset
from bpetok.lm.folder import VERSION, cuts_name, plain_name, read, write

__all__ = [
    "Experiment",
    "Job",
    "Machine",
    "Report",
    "check_same",
    "load_model",
    "materials",
    "run",
    "serves",
]

# Shares of the steps after which a model is asked the first half of the test's items.
_CURVE = (1 / 32, 1 / 16, 1 / 8, 1 / 4, 3 / 8, 1 / 2, 5 / 8, 3 / 4, 7 / 8, 1)
# Items of the test and of the choice of learning rates: seeds of their own.
_TEST, _VALIDATION = 1 << 41, 1 << 42
_SWEEP_SEED = 10_000
# Seconds between two looks at how far the processes are.
_GLANCE = 0.5


@dataclass(frozen=True)
class Experiment:
    """What is compared with what.

    Attributes:
        arms: tokenizers, see `bpetok.lm.arms.make_arm`; the first is what the others are compared with.
        tasks: names of tasks.
        preset: name of the size.
        seeds: how many models are trained for each arm and task.
        budgets: "examples": all arms see as many items; "flops": all cost as many operations as the first
            arm does.
        words: a word list, see `bpetok.lm.words.load_words`.
        n_words: of these at most.
        steps: of the examples budget; None for those of the preset.
        batch: sequences a step; None for those of the preset.
        rates: factors of the learning rates that are tried, each for a third of the steps, on validation
            words: the one with the most right answers in all sweep tasks together is taken, and of those
            with as many (as of texts, which have none) the one with the lowest loss.
        sweep_tasks: the tasks that they are tried on, as far as an arm serves for them.
    """

    arms: tuple[str, ...]
    tasks: tuple[str, ...]
    preset: str = "cpu-tiny"
    seeds: int = 5
    budgets: tuple[str, ...] = ("examples",)
    words: str = "cmudict"
    n_words: int = 24_000
    steps: int | None = None
    batch: int | None = None
    rates: tuple[float, ...] = (0.5, 1.0, 2.0)
    sweep_tasks: tuple[str, ...] = ("spell", "rime")

    def __post_init__(self) -> None:
        for budget in self.budgets:
            if budget not in ("examples", "flops"):
                raise TrainingError(f"there is no budget {budget!r}: use examples, flops or both")
        for what, given in (
            ("arms", self.arms),
            ("tasks", self.tasks),
            ("budgets", self.budgets),
            ("rates", self.rates),
        ):
            if not given or len(set(given)) != len(given):
                raise TrainingError(f"{what} {', '.join(map(str, given))}: give at least one, and each once")
        if "examples" not in self.budgets:
            raise TrainingError(
                "the budget flops is measured by what the first arm costs with the budget examples: give both"
            )
        for task in self.tasks:
            for arm in self.arms:
                if not serves(arm, task) and arm == self.arms[0]:
                    raise TrainingError(
                        f"the first arm, {arm!r}, does not serve for the task {task!r}, so there is nothing "
                        "to compare with: put another first"
                    )
        for arm in self.arms:
            if len(self.rates) > 1 and not self.swept(arm):
                raise TrainingError(
                    f"the arm {arm!r} serves for none of the tasks that learning rates are chosen by "
                    f"({', '.join(self.sweep_tasks) or 'none'}): add one (--sweep-tasks), or do not choose "
                    "(--rates 1)"
                )
        if self.seeds < 1 or self.n_words < 1:
            raise TrainingError(
                f"{self.seeds} seeds and {self.n_words} words: at least one of each is needed"
            )
        self.sized()

    def swept(self, arm: str) -> tuple[str, ...]:
        """The tasks that an arm's learning rates are tried on: none where there is one factor."""
        if len(self.rates) == 1:
            return ()
        return tuple(task for task in self.sweep_tasks if serves(arm, task))

    def sized(self) -> Preset:
        """The preset, with the number of steps and sequences that was asked for."""
        found = preset(self.preset)
        if self.batch is not None:
            found = found.with_batch(self.batch)
        return found if self.steps is None else found.with_steps(self.steps)

    def spec(self) -> dict[str, Any]:
        """As plain data."""
        return {"version": VERSION, **json.loads(json.dumps(asdict(self))), "size": self.sized().spec()}


def serves(arm: str, task: str) -> bool:
    """Whether an arm makes sense for a task. One that is taught to spell the words of the test cannot be
    asked to spell them; and of a text no word is cut by itself.

    Raises:
        TrainingError: there is no such task, or no such change of an arm.
    """
    from bpetok.lm.arms import parse_arm
    from bpetok.lm.tasks import find_task

    changes, name = parse_arm(arm)[1], find_task(task)[0].name
    if name == "text":
        return not (changes.dropout or changes.spelled or changes.taught)
    return not (changes.taught and name == "spell")


@dataclass(frozen=True)
class Job:
    """One model to train: for the results, or (with a factor of the rates) to choose the rates."""

    arm: str
    task: str
    budget: str
    seed: int
    factor: float | None = None

    @property
    def file(self) -> str:
        """Its file in the folder."""
        task = plain_name(self.task)
        parts = [plain_name(self.arm), task, self.budget, str(self.seed)]
        if self.factor is not None:
            return f"sweep/{plain_name(self.arm)}-{task}-x{self.factor:g}.json"
        return f"runs/{'-'.join(parts)}.json"


@dataclass(frozen=True)
class Machine:
    """What computes.

    Attributes:
        device: as PyTorch names it.
        autocast: whether matrices are multiplied in bfloat16.
        compiled: whether models are compiled.
    """

    device: str = "cpu"
    autocast: bool = False
    compiled: bool = False


@dataclass
class Report:
    """How far an experiment is: for a progress bar.

    Attributes:
        done: models that are trained and tested.
        total: models that there are to be.
        running: for the file of each model under way its `bpetok.lm.train.Progress`.
    """

    done: int = 0
    total: int = 0
    running: dict[str, Any] = field(default_factory=dict)


def run(
    experiment: Experiment,
    folder: Path,
    *,
    processes: int = 1,
    machine: Machine = Machine(),
    progress: Callable[[Report], None] | None = None,
) -> None:
    """Train and test every model that the folder has no results of.

    What is there is kept, and a model whose training was cut off is trained on from its last checkpoint.
    The files are the same whatever the number of processes, and the same again on the same machine. Under
    `torchrun` its processes train each model together.

    Args:
        folder: where the results are, or are to be.
        processes: models trained side by side, each on one thread.
        machine: what computes.
        progress: called now and then.

    Raises:
        ExperimentError: the folder holds another experiment, or a loss is no number.
        MissingExtraError: PyTorch, or the package with the word list, is not installed.
        TrainingError: there is no such device.
    """
    need_torch()
    from bpetok.lm.group import rank, started, together

    if processes > 1 and started() > 1:
        raise TrainingError(
            f"{processes} models at once, each trained by {started()} processes of torchrun: take one at "
            "once (--jobs 1), or no torchrun"
        )
    _check_device(machine.device)
    report = Report()
    sweep = [
        Job(arm, task, "examples", _SWEEP_SEED, factor)
        for arm in experiment.arms
        for task in experiment.swept(arm)
        for factor in experiment.rates
    ]
    runs = [
        Job(arm, task, budget, seed)
        for seed in range(experiment.seeds)
        for budget in experiment.budgets
        for task in experiment.tasks
        for arm in experiment.arms
        if (budget == "examples" or arm != experiment.arms[0]) and serves(arm, task)
    ]
    report.total = len(sweep) + len(runs)
    with _process_group(machine) as machine:
        if rank() == 0:
            _claim(experiment, folder)
        for jobs in (sweep, runs):
            together()
            waiting = [job for job in jobs if not (folder / job.file).exists()]
            together()
            report.done += len(jobs) - len(waiting)
            show = None if progress is None else lambda: progress(report)
            for job in _each(experiment, folder, waiting, processes, machine, report.running, show):
                report.running.pop(job.file, None)
                report.done += 1
                if show is not None:
                    show()


def _check_device(device: str) -> None:
    import torch

    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        known = ["cpu", *(f"cuda:{at}" for at in range(torch.cuda.device_count()))]
        reason = str(error).partition("\n")[0]
        raise TrainingError(
            f"there is no device {device!r} here ({reason}): use one of {', '.join(known)}"
        ) from error


@contextmanager
def _process_group(machine: Machine) -> Iterator[Machine]:
    """Join the processes that `torchrun` started, if it did; each takes a GPU of its own."""
    from bpetok.lm.group import joined, started

    if started() == 1:
        yield machine
        return
    on_gpu = machine.device.startswith("cuda")
    with joined(on_gpu):
        yield replace(machine, device=f"cuda:{os.environ['LOCAL_RANK']}") if on_gpu else machine


def _each(
    experiment: Experiment,
    folder: Path,
    jobs: list[Job],
    processes: int,
    machine: Machine,
    states: dict[str, Any],
    show: Callable[[], None] | None,
) -> Iterator[Job]:
    """Do some jobs, and give each when it is done. Meanwhile `states` says how far those are that are under
    way, and `show` is called when that has changed."""
    if processes == 1:
        from bpetok.lm.group import together

        for job in jobs:

            def note(state: Any, job: Job = job) -> None:
                states[job.file] = state
                if show is not None:
                    show()

            _do(experiment, folder, job, machine, note)
            together()
            yield job
        return
    context = multiprocessing.get_context("spawn")
    told = None if show is None else context.Queue()
    with ProcessPoolExecutor(processes, context, _begin, (told,)) as pool:
        running: dict[Future[None], Job] = {}
        waiting = iter(jobs)
        try:
            while True:
                for job in itertools.islice(waiting, processes - len(running)):
                    running[pool.submit(_do_and_tell, experiment, folder, job, machine)] = job
                if not running:
                    return
                ended, _ = wait(running, None if told is None else _GLANCE, FIRST_COMPLETED)
                if told is not None and show is not None:
                    while not told.empty():
                        name, state = told.get()
                        if name in {job.file for job in running.values()}:
                            states[name] = state
                    show()
                for one in ended:
                    one.result()
                    yield running.pop(one)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


# In a process that trains for another: where it tells how far it is.
_told: Any = None


def _begin(told: Any) -> None:
    import torch

    global _told
    _told = told
    if told is not None:
        told.cancel_join_thread()  # what nobody reads any more must not hold up the end
    torch.set_num_threads(1)


def _do_and_tell(experiment: Experiment, folder: Path, job: Job, machine: Machine) -> None:
    told = _told
    note = None if told is None else lambda state: told.put((job.file, state))
    _do(experiment, folder, job, machine, note)


def _do(
    experiment: Experiment,
    folder: Path,
    job: Job,
    machine: Machine,
    show: Callable[[Any], None] | None,
) -> None:
    """Train one model, ask it, and write its file."""
    from bpetok.lm.data import draw_items
    from bpetok.lm.evaluate import answers, nats
    from bpetok.lm.group import processes, rank, shared
    from bpetok.lm.train import machine_name, train

    task, source, entries, split, arm = materials(experiment.words, experiment.n_words, job.arm, job.task)
    size = experiment.sized()
    if job.factor is not None:
        size = size.with_steps(max(1, size.train.steps // 3))
    elif job.budget == "flops":
        size = size.with_steps(_steps_for(experiment, job.arm, job.task))
    factor = job.factor if job.factor is not None else _best_factor(experiment, folder, job.arm)
    checkpoint = folder / "checkpoints" / f"{Path(job.file).parent.name}-{Path(job.file).stem}.pt"
    held_out, salt = (split.validation, _VALIDATION) if job.factor is not None else (split.test, _TEST)
    items = draw_items(task.prepare(split.train if task.recalled else held_out), size.test_items, salt)
    is_right = task.judge(entries)
    longest = max(len(item.answer) for item in items) + 2

    def ask(model: Any, asked: list[Any]) -> tuple[list[str], str]:
        given = shared(asked, lambda part: answers(model, arm, part, longest=longest))
        return given, _marks(is_right(item, answer) for item, answer in zip(asked, given, strict=True))

    def losses(model: Any, asked: list[Any]) -> list[float]:
        return shared(asked, lambda part: nats(model, arm, part))

    def measure(model: Any) -> Any:
        asked = items[: len(items) // 2]
        return sum(losses(model, asked)) if items[0].is_text else ask(model, asked)[1]

    trained = train(
        arm,
        task,
        split,
        size.scaled(factor),
        seed=job.seed,
        checkpoint=checkpoint,
        device=machine.device,
        autocast=machine.autocast,
        compiled=machine.compiled,
        measure=None if job.factor is not None else measure,
        measure_at=sorted({max(1, round(share * size.train.steps)) for share in _CURVE}),
        progress=show,
    )
    each = losses(trained.model, items)
    found: dict[str, Any]
    if items[0].is_text:
        size_in_bytes = [len(item.answer.encode()) for item in items]
        bits = sum(each) / sum(size_in_bytes) / math.log(2)
        found = {"bits_per_byte": bits, "nats": each, "bytes": size_in_bytes}
    else:
        given, right = ask(trained.model, items)
        found = {"accuracy": right.count("1") / len(right), "right": right, "answers": given}
    result = {
        "version": VERSION,
        "job": asdict(job),
        "rate_factor": factor,
        "steps": size.train.steps,
        "n_symbols": arm.n_symbols,
        "parameters": sum(parameter.numel() for parameter in trained.model.parameters()),
        "tokens": trained.tokens,
        "flops": trained.flops,
        "losses": trained.losses,
        "held_out_loss": sum(each) / sum(len(arm.answer(item)) for item in items),
        "curve": [
            {
                "step": at.step,
                "tokens": at.tokens,
                "flops": at.flops,
                "nats" if items[0].is_text else "right": at.found,
            }
            for at in trained.curve
        ],
        **found,
    }
    if rank() > 0:
        return
    if job.factor is None:
        _note_items(folder, job.task, task, items, split, entries)
        if not items[0].is_text:
            _note_arm(folder, job.arm, arm, None if source == experiment.words else source, split)
        if job.seed == 0:
            _save(folder / "models" / f"{Path(job.file).stem}.pt", trained.model)
    kept = folder / "times" / f"{Path(job.file).parent.name}-{Path(job.file).name}"
    took = {"seconds": trained.seconds, "machine": machine_name(machine.device), "devices": processes()}
    write(kept, took)
    write(folder / job.file, result)
    checkpoint.unlink(missing_ok=True)


def _marks(right: Iterable[bool]) -> str:
    return "".join("1" if one else "0" for one in right)


@lru_cache(maxsize=2)
def _words(source: str, most: int) -> tuple[Any, Any]:
    """The words of a source, or for the task `text` its stretches, and their split."""
    from bpetok.lm.texts import is_text, load_texts
    from bpetok.lm.words import load_words, split_words

    if is_text(source):
        split = load_texts(source.removeprefix("text:"))
        return (*split.train, *split.validation, *split.test), split
    entries = load_words(source, most=most)
    return entries, split_words(entries)


@lru_cache(maxsize=16)
def _arm(spec: str, source: str, most: int) -> Any:
    from bpetok.lm.arms import make_arm
    from bpetok.lm.texts import is_text

    entries, split = _words(source, most)
    words = [entry.word for entry in entries]
    if not is_text(source):
        return make_arm(spec, words)
    taught = [entry.word for entry in split.train]
    return make_arm(spec, words, learned_from=taught, pattern="cl100k", alphabet="")


class Materials(NamedTuple):
    """What a model is trained with: the task, its words and how they are cut."""

    task: Any
    source: str
    entries: Any
    split: Any
    arm: Any


def materials(words: str, n_words: int, arm: str, task: str) -> Materials:
    """What the models of an arm and a task are trained with, from the settings of an experiment."""
    from bpetok.lm.tasks import find_task

    asked, source = find_task(task)
    source = source or words
    return Materials(asked, source, *_words(source, n_words), _arm(arm, source, n_words))


@lru_cache(maxsize=256)
def _flops_a_step(experiment: Experiment, arm: str, task: str) -> float:
    """Operations of a step, as the mean of the first 32 batches of seed 0."""
    from bpetok.lm.flops import step_flops
    from bpetok.lm.train import Batches, shape_of

    size = experiment.sized()
    asked, _, _, split, made = materials(experiment.words, experiment.n_words, arm, task)
    batches = Batches(made, asked, split, 0, size.train.batch)
    total = 0
    for step in range(32):
        batch = batches.at(step)
        rows, length = batch.tokens.shape
        total += step_flops(shape_of(size, made), made.n_symbols, rows * length, length, len(batch.targets))
    return total / 32


def _steps_for(experiment: Experiment, arm: str, task: str) -> int:
    """The steps of an arm that cost what the first arm costs with the steps of the examples budget."""
    least = _flops_a_step(experiment, experiment.arms[0], task)
    return max(1, round(experiment.sized().train.steps * least / _flops_a_step(experiment, arm, task)))


def _best_factor(experiment: Experiment, folder: Path, arm: str) -> float:
    """The factor with the highest share of right answers on validation words, all sweep tasks together; of
    equal ones, the lowest loss on them. Of a text, the fewest bits a byte."""
    if len(experiment.rates) == 1:
        return experiment.rates[0]
    tried = []
    for factor in experiment.rates:
        found = [
            read(folder / Job(arm, task, "examples", _SWEEP_SEED, factor).file)
            for task in experiment.swept(arm)
        ]
        # Of a text there is nothing right or wrong: the loss alone is left.
        right = sum(one.get("accuracy", 0.0) for one in found)
        tried.append((-right, sum(one["held_out_loss"] for one in found), factor))
    return min(tried)[2]


def _claim(experiment: Experiment, folder: Path) -> None:
    """See that the folder is this experiment's, or make it so. An experiment may grow: by tasks, budgets,
    arms behind the first, and seeds."""
    from bpetok.lm.texts import is_text

    path = folder / "experiment.json"
    environment = _environment(experiment)
    spec = experiment.spec()
    if path.exists():
        check_same(path, spec)
        made = read(folder / "environment.json")
        differing = [key for key in environment if made.get(key) != environment[key]]
        if differing:
            raise ExperimentError(
                f"{folder} was made with "
                + ", ".join(f"{key} {made.get(key)} instead of {environment[key]}" for key in differing)
                + ": go on with what it was made with, or use another folder"
            )
    for name in ("items", "baselines", "arms", "sweep", "runs", "models", "checkpoints", "times"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    # Of stretches of text nothing is asked that a shared end could tell.
    if not is_text(experiment.words) and not (folder / "leakage.json").exists():
        from bpetok.lm.words import leakage

        write(folder / "leakage.json", leakage(_words(experiment.words, experiment.n_words)[1]))
    write(folder / "environment.json", environment)
    write(path, spec)


def check_same(path: Path, spec: Mapping[str, Any]) -> None:
    """See that the settings kept in a file are these, or are on their way to them.

    Raises:
        ExperimentError: they are others.
    """
    kept = read(path)
    differing = [key for key in spec if key in kept and not _grown(key, kept[key], spec[key])]
    if differing:
        raise ExperimentError(
            f"{path.parent} holds another experiment, which differs in {', '.join(differing)} (tasks, "
            "budgets, sizes, arms and seeds can only be added): use another folder"
        )


def _grown(key: str, kept: Any, wanted: Any) -> bool:
    if key in ("tasks", "budgets", "widths"):
        return set(kept) <= set(wanted)
    if key == "arms":
        return bool(kept[0] == wanted[0]) and set(kept) <= set(wanted)
    return bool(kept <= wanted if key == "seeds" else kept == wanted)


def _environment(experiment: Experiment) -> dict[str, str]:
    """What the results depend on beside the settings."""
    import hashlib

    import numpy as np
    import torch

    entries = _words(experiment.words, experiment.n_words)[0]
    words = hashlib.blake2b(repr(entries).encode(), digest_size=16).hexdigest()
    return {"torch": torch.__version__, "numpy": np.__version__, "words": words}


def _note_items(
    folder: Path, name: str, task: Any, items: list[Any], split: Any, entries: Sequence[Any]
) -> None:
    """Keep what is asked, and what the baselines answer."""
    from bpetok.lm.data import shortcut_answers
    from bpetok.lm.texts import compressed_bits

    path = folder / "items" / f"{plain_name(name)}.json"
    if path.exists():
        return
    found: dict[str, dict[str, Any]] = {}
    if items[0].is_text:
        found["zlib"] = {"bits_per_byte": compressed_bits([item.answer for item in items])}
    else:
        is_right = task.judge(entries)
        for baseline, given in shortcut_answers(task, split.train, items).items():
            right = _marks(is_right(item, one) for item, one in zip(items, given, strict=True))
            found[baseline] = {"right": right, "answers": given}
    write(folder / "baselines" / f"{plain_name(name)}.json", found)
    write(path, [asdict(item) for item in items])


def _note_arm(folder: Path, name: str, arm: Any, source: str | None, split: Any) -> None:
    """Keep how an arm cuts the test words of a source (None: the experiment's own), and which of its tokens
    training never shows."""
    path = folder / "arms" / f"{cuts_name(name, source)}.json"
    if path.exists():
        return
    seen = arm.seen(split)
    words = {
        entry.word: [
            [piece.decode("utf-8", "backslashreplace") for piece in arm.pieces(entry.word)],
            _marks(symbol in seen for symbol in arm.word(entry.word)),
        ]
        for entry in split.test
    }
    of = {"arm": name} if source is None else {"arm": name, "source": source}
    write(path, {**of, "n_symbols": arm.n_symbols, "words": words}, indent=None)


def _save(path: Path, model: Any) -> None:
    """Keep the parameters of a model, and its shape."""
    import io

    import torch

    buffer = io.BytesIO()
    kept = {"settings": asdict(model.settings), "n_vocab": model.n_vocab, "longest": model.longest}
    torch.save({**kept, "parameters": model.state_dict()}, buffer)
    write_files({str(path): buffer.getvalue()})


def load_model(path: Path) -> Any:
    """The model that a file of `models/` holds.

    Raises:
        FormatError: the file is damaged.
    """
    import torch

    from bpetok.lm.config import ModelSettings
    from bpetok.lm.model import Model

    try:
        kept = torch.load(path, weights_only=True, map_location="cpu")
        model = Model(ModelSettings(**kept["settings"]), kept["n_vocab"], kept["longest"])
        model.load_state_dict(kept["parameters"])
    except Exception as error:  # torch raises whatever its unpickler meets
        raise FormatError(f"{path} holds no model ({error}): train it again in another folder") from error
    return model.eval()


def need_torch() -> None:
    """Raise MissingExtraError where PyTorch is not installed."""
    try:
        import torch  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("language models need PyTorch: pip install 'bpetok[lm]'") from error
