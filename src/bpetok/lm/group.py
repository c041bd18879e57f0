"""The processes that `torchrun` started, which train each model together; alone, there is one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
import torch.distributed as dist

__all__ = ["joined", "processes", "rank", "shared", "started", "together"]

Item = TypeVar("Item")


def started() -> int:
    """How many processes `torchrun` has started."""
    return int(os.environ.get("WORLD_SIZE", "1"))


@contextmanager
def joined(on_gpu: bool) -> Iterator[None]:
    """Be a part of the group; on GPUs with one of its own."""
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if on_gpu else "gloo")
    try:
        yield
    finally:
        dist.destroy_process_group()


def rank() -> int:
    """The number of this process in its group: 0 alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def processes() -> int:
    """How many processes the group has: 1 alone."""
    return dist.get_world_size() if dist.is_initialized() else 1


def together() -> None:
    """Wait for the others."""
    if dist.is_initialized():
        dist.barrier()


def shared(items: Sequence[Item], find: Callable[[Sequence[Item]], list[Any]]) -> list[Any]:
    """What a function finds for each item, in their order: every process looks at its part of them, and all
    know the whole at the end."""
    n = processes()
    if n == 1:
        return find(items)
    parts: list[list[Any]] = [[] for _ in range(n)]
    dist.all_gather_object(parts, find(items[rank() :: n]))
    return [parts[at % n][at // n] for at in range(len(items))]
