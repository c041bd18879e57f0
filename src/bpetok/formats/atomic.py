"""Writing files whole or not at all."""

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import IO

from bpetok.errors import FormatError

__all__ = ["folders", "write_files", "write_stream"]


def write_files(files: Mapping[str, bytes]) -> None:
    """Write files so that each path holds its old content or its new one at any time, also after a crash.

    Everything is written beside its target and brought to disk first, then put into place in the given
    order. When any step fails, what was already put into place is put back. A symbolic link is followed,
    and an existing file's permissions are kept.

    Args:
        files: path to content.

    Raises:
        FormatError: a path is something else than a file, such as a folder or a device.
        OSError: the disk is full, the folder is not writable, and so on.
    """
    contents = {os.path.realpath(path): data for path, data in files.items()}
    temporary: list[str] = []
    undo: list[tuple[str | None, str]] = []
    try:
        staged = [(_stage(target, data, temporary), target) for target, data in contents.items()]
        # The last one needs no way back: nothing can fail behind it.
        backups = [_back_up(target, temporary) for _, target in staged[:-1]]
        for (name, target), backup in zip(staged, [*backups, None], strict=True):
            os.replace(name, target)
            undo.append((backup, target))
    except BaseException:
        for backup, target in undo[: len(contents) - 1]:
            if backup is None:
                os.unlink(target)
            else:
                os.replace(backup, target)
        raise
    finally:
        for name in temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    for folder in {os.path.dirname(target) for target in contents}:
        _sync_folder(folder)


@contextmanager
def folders(files: Iterable[str]) -> Iterator[None]:
    """The folders of some files, made where they are missing. When the block fails, those that were made
    and are empty are removed again."""
    made: list[str] = []
    try:
        for folder in sorted({os.path.dirname(os.path.abspath(path)) for path in files}):
            missing = []
            while not os.path.isdir(folder):
                missing.append(folder)
                folder = os.path.dirname(folder)
            for each in reversed(missing):
                os.mkdir(each)
                made.append(each)
        yield
    except BaseException:
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
        raise


@contextmanager
def write_stream(path: str | os.PathLike[str], *, draft: str | None = None) -> Iterator[IO[bytes]]:
    """A file to write to, which takes its place when the block ends without an error.

    Args:
        path: where the file is to be; a symbolic link is followed, and permissions are kept.
        draft: what it is called until then, in the same folder, so that one which a process that was killed
            has left can be known, and is written over; None for a name that no other file has.

    Raises:
        FormatError: the path is something else than a file.
        OSError: as in `write_files`.
    """
    target = os.path.realpath(path)
    temporary: list[str] = []
    try:
        with _staged(target, temporary, draft) as file:
            yield file
        os.replace(temporary[0], target)
    finally:
        for name in temporary:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(name)
    _sync_folder(os.path.dirname(target))


def _stage(target: str, data: bytes, temporary: list[str]) -> str:
    """Write `data` to a new file beside `target`; returns its name."""
    with _staged(target, temporary) as file:
        file.write(data)
    return temporary[-1]


@contextmanager
def _staged(target: str, temporary: list[str], draft: str | None = None) -> Iterator[IO[bytes]]:
    """A new file in the same folder (renaming works only within one file system), with the permissions that
    `target` has or would get. The file's name is added to `temporary`, and it is on disk in the end."""
    mode = _mode(target)
    name = os.path.join(os.path.dirname(target), draft or f".bpetok-{secrets.token_hex(8)}.tmp")
    handle = os.open(name, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if draft else os.O_EXCL), 0o666)
    temporary.append(name)
    try:
        with open(handle, "wb") as file:
            if mode is not None:
                os.fchmod(handle, stat.S_IMODE(mode))
            yield file
            file.flush()
            os.fsync(handle)
    except OSError as error:
        if error.filename is None and error.errno in (errno.ENOSPC, errno.EFBIG):
            error.filename = target  # which an error of writing does not tell
        raise


def _back_up(target: str, temporary: list[str]) -> str | None:
    """A copy of the file at `target`, beside it; None when there is none."""
    if _mode(target) is None:
        return None
    with open(target, "rb") as file:
        return _stage(target, file.read(), temporary)


def _mode(target: str) -> int | None:
    """The mode of an existing file; None when there is none yet, in a folder that exists."""
    os.stat(os.path.dirname(target))
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise FormatError(f"{target} is not a regular file: name a file to write to")
    return mode


def _sync_folder(folder: str) -> None:
    """Bring the renaming to disk, where the system lets folders be opened."""
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
