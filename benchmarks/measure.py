"""What happens in the process of an engine: load it, do a step against the clock, keep the ids to compare.

Only the engine's calls are timed. The garbage collector runs before each and not during it, results are freed
and made comparable afterwards.
"""

import gc
import hashlib
import importlib
from collections.abc import Callable, Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import TYPE_CHECKING, Any

from bpetok_bench import engines, vocabularies
from bpetok_bench.process import memory
from bpetok_bench.workloads import EDGES, WORKLOADS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    Arrays = tuple[npt.NDArray[np.generic], npt.NDArray[np.int64]]

PROBE = "Hello world, this is the first text."

engine: engines.Engine
kept: "list[Arrays]" = []  # of the last step: what each call gave, as `comparable`


def load(name: str, encoding: str, folder: Path, threads: int) -> dict[str, float]:
    """Import the library and load the vocabulary."""
    global engine
    kind = engines.find(name)
    path = vocabularies.given(encoding, folder)
    if path is None and not kind.has_encodings:
        raise NotImplementedError("it reads its own files only")
    if path is not None and path.suffix not in kind.reads:
        raise NotImplementedError(f"it reads no {path.suffix} files")
    start = perf_counter()
    importlib.import_module(kind.library)
    imported = perf_counter()
    engine = kind(encoding, folder, threads)
    return {"import_s": imported - start, "load_s": perf_counter() - imported}


def load_and_probe(name: str, encoding: str, folder: Path) -> dict[str, float]:
    """The same, and encode a first text."""
    times = load(name, encoding, folder, 1)
    return {**times, "first_text_s": timed(engine.encode, PROBE)[1]}


def first_call(name: str, encoding: str, folder: Path, text: str) -> dict[str, Any]:
    """Load, and encode a large text at once; with the memory of this process before, between and after."""
    before = memory("VmRSS")
    load(name, encoding, folder, 1)
    sizes = {"before_bytes": before, "loaded_bytes": memory("VmRSS")}
    answer = encode_once(text)
    return {**answer, "memory": {**sizes, "encoded_bytes": answer["resident_bytes"]}}


def encode_once(text: str) -> dict[str, Any]:
    """Encode a text; with the memory that this process has then."""
    kept.clear()
    ids, seconds, _ = timed(engine.encode, text)
    resident = memory("VmRSS")
    kept.append(comparable([ids], "encode"))
    return {"seconds": [seconds], "digests": digests(), "tokens": len(ids), "resident_bytes": resident}


def step(workload: str, given: Sequence[Any]) -> dict[str, Any]:
    """Do a step of a workload, and again with the same texts."""
    about = WORKLOADS[workload]
    method = getattr(engine, about.method)
    if about.method == "decode":
        given = [ids.tolist() for ids in given]
    kept.clear()
    seconds, cpu_seconds = [], []
    for _ in range(2):
        result, taken, cpu_taken = timed(method if about.batch else each_by(method), given)
        seconds.append(taken)
        cpu_seconds.append(cpu_taken)
        kept.append(comparable(result, about.method))
        del result
    items = kept[0][0]
    tokens = {"decode": sum(map(len, given)), "count": int(items.sum())}.get(about.method, len(items))
    return {"seconds": seconds, "cpu_seconds": cpu_seconds, "digests": digests(), "tokens": tokens}


def encode_edges() -> list[list[int] | str]:
    """The ids of odd strings; where there are none, why."""
    found: list[list[int] | str] = []
    for text in EDGES:
        try:
            found.append([int(token) for token in engine.encode(text)])
        except BaseException as error:  # a panic of a library in Rust is no Exception
            found.append(repr(error)[:200])
    return found


# ---- the clock ------------------------------------------------------------------------------------


def timed(function: Callable[[Any], Any], given: Any) -> tuple[Any, float, float]:
    """What a function returns, the seconds it took, and those of all processors together."""
    gc.collect()
    gc.disable()
    try:
        cpu_start = process_time()
        start = perf_counter()
        result = function(given)
        end = perf_counter()
        return result, end - start, process_time() - cpu_start
    finally:
        gc.enable()


def each_by(function: Callable[[Any], Any]) -> Callable[[Sequence[Any]], list[Any]]:
    return lambda given: [function(item) for item in given]


# ---- comparing ------------------------------------------------------------------------------------


def comparable(result: Any, method: str) -> "Arrays":
    """What a method gave, as one array, and how many items of it belong to each string."""
    import numpy as np

    if method == "encode_flat":
        ids, offsets = result
        return np.array(ids, np.uint32), np.diff(np.asarray(offsets, np.int64))
    if method == "count":
        return np.array(result, np.int64), np.ones(len(result), np.int64)
    if method == "decode":
        arrays = [np.frombuffer(text.encode("utf-8", "surrogatepass"), np.uint8) for text in result]
    else:
        arrays = [np.array(ids, np.uint32) for ids in result]
    return np.concatenate([np.zeros(0, arrays[0].dtype), *arrays]), np.array([len(each) for each in arrays])


def digests() -> list[str]:
    """SHA-256 of what each call of the last step gave."""
    found = []
    for items, lengths in kept:
        digest = hashlib.sha256(lengths.astype("<i8").tobytes())
        digest.update(items.tobytes())
        found.append(digest.hexdigest())
    return found


def kept_arrays(call: int) -> "Arrays":
    return kept[call]
