"""What a measurement of encoding is asked for, and the engines and texts it gets."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpetok
from bpetok_bench import corpus, engines, vocabularies
from bpetok_bench.workloads import NAMES, WARM_UP, WORKLOADS, Workload


@dataclass(frozen=True)
class Options:
    """What is measured.

    Attributes:
        encodings: names that bpetok embeds.
        kinds: of text.
        workloads: names of `workloads.NAMES`; none for all.
        engines: names; none for all that are known.
        files: text to measure on instead of the kinds.
        corpora: a folder of built corpora.
        megabytes: size of a large document.
        repeats: of each step, each on other text.
        cpus: processors to use; none for the last two.
        limit: seconds that an answer may take.
        hard_limit: the same for a hard input.
        hard_scale: size of the hard inputs, as a share of the usual one.
    """

    encodings: tuple[str, ...] = ("cl100k_base", "o200k_base")
    kinds: tuple[str, ...] = corpus.KINDS
    workloads: tuple[str, ...] = ()
    engines: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    corpora: Path | None = None
    megabytes: float = 5
    repeats: int = 5
    cpus: tuple[int, ...] = ()
    limit: float = 60
    hard_limit: float = 10
    hard_scale: float = 1


QUICK = Options(
    encodings=("cl100k_base",),
    kinds=("english",),
    workloads=("list", "numpy", "documents", "short"),
    repeats=3,
)


def choose(options: Options) -> tuple[list[str], list[str]]:
    """The engines that are installed and those that are not, after a check of all options."""
    for what, given, known in (
        (
            "encoding",
            [name for name in options.encodings if not vocabularies.is_file(name)],
            bpetok.list_encoding_names(),
        ),
        ("kind of text", options.kinds, corpus.KINDS),
        ("workload", options.workloads, NAMES),
    ):
        for name in given:
            if name not in known:
                raise ValueError(f"no {what} is called {name!r}: use {', '.join(known)}")
    if options.megabytes < 0.001 or options.repeats < 1:
        raise ValueError("a document must have at least 1000 bytes, and repeats be at least 1")
    wanted = options.engines or tuple(
        name
        for name, each in engines.ENGINES.items()
        if any(
            Path(encoding).suffix in each.reads if vocabularies.is_file(encoding) else each.has_encodings
            for encoding in options.encodings
        )
    )
    return (
        [name for name in wanted if engines.is_installed(name)],
        [name for name in wanted if not engines.is_installed(name)],
    )


def read(options: Options) -> tuple[dict[str, str], dict[str, Any]]:
    """The text of each kind, and where it is from."""
    texts, about = {}, {}
    size = options.megabytes * 1e6
    shares: dict[int, float] = {}
    for workload in chosen(options).values():
        shares[workload.threads] = shares.get(workload.threads, WARM_UP) + workload.share * options.repeats
    n_bytes = int(max([*shares.values(), 1]) * size)
    for kind in ["given"] if options.files else options.kinds:
        found = corpus.build(kind, n_bytes, options.files, options.corpora)
        if found.n_bytes < n_bytes:
            raise ValueError(
                f"{kind}: there is text for {found.n_bytes / 1e6:.3g} MB of {n_bytes / 1e6:.3g}, as no step "
                "gets what another one had: choose a smaller document or fewer repeats"
            )
        texts[kind], about[kind] = "".join(found.texts), found.describe()
    return texts, about


def chosen(options: Options) -> dict[str, Workload]:
    return {name: each for name, each in WORKLOADS.items() if name in (options.workloads or WORKLOADS)}
