"""Files of Debian packages: fetched with apt, which needs no root, and read where they lie."""

import fnmatch
import hashlib
import io
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, NamedTuple
from urllib.parse import quote

from bpetok import BpetokError


class PackageError(BpetokError):
    """The packages cannot be had here."""


class Package(NamedTuple):
    """What apt knows of a package."""

    name: str
    version: str
    file: str
    sha256: str


def known(names: Sequence[str]) -> dict[str, Package]:
    """Those of the packages that the machine's Debian has, by name."""
    shown = command("apt-cache", "show", "--no-all-versions", *names, check=False)
    found = {}
    for block in shown.split("\n\n"):
        field = dict(re.findall(r"^(Package|Version|Architecture|SHA256): (.*)$", block, re.MULTILINE))
        if len(field) == 4:
            version = quote(field["Version"], safe="+~-.").replace("%3A", "%3a")
            file = f"{field['Package']}_{version}_{field['Architecture']}.deb"
            found[field["Package"]] = Package(field["Package"], field["Version"], file, field["SHA256"])
    return found


def download(packages: Iterable[Package], folder: Path) -> None:
    """Fetch the packages that are not in the folder yet."""
    wanted = [each for each in packages if file_hash(folder / each.file) != each.sha256]
    if wanted:
        command(
            "apt-get", "-q", "download", *(f"{each.name}={each.version}" for each in wanted), folder=folder
        )
    broken = [each.name for each in wanted if file_hash(folder / each.file) != each.sha256]
    if broken:
        raise PackageError(f"downloaded, but not as announced: {', '.join(broken)}")


def command(*arguments: str, folder: Path | None = None, check: bool = True) -> str:
    """What a program prints."""
    done = subprocess.run(arguments, cwd=folder, capture_output=True, text=True, check=False)
    if check and done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("E:")][:3]
        raise PackageError(
            f"{' '.join(arguments[:3])} ... failed; try again after `apt-get update`: " + " ".join(errors)
        )
    return done.stdout


def require_tools() -> None:
    missing = [tool for tool in ("apt-cache", "apt-get", "dpkg-deb") if not shutil.which(tool)]
    if missing:
        raise PackageError(
            f"{', '.join(missing)} not found: the corpora are made from Debian packages. Build them on "
            "Debian and copy the folder here, or measure on files of your own (--files)"
        )


def members(package: Path, patterns: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    """Path and content of the files of a package that fit a pattern; ``a!b`` is file b in the archive a."""
    inner = [pattern.split("!") for pattern in patterns if "!" in pattern]
    outer = [pattern.partition("!")[0] for pattern in patterns]
    with subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(package)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        try:
            for name, data in in_tar(process.stdout, outer):
                wanted = [pattern for archive, pattern in inner if fits(name, [archive])]
                yield from in_archive(data, wanted) if wanted else [(name, data)]
        except tarfile.ReadError as error:
            raise PackageError(f"{package} cannot be read") from error


def in_archive(data: bytes, patterns: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    if not zipfile.is_zipfile(io.BytesIO(data)):
        yield from in_tar(io.BytesIO(data), patterns)
        return
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        yield from ((name, packed.read(name)) for name in packed.namelist() if fits(name, patterns))


def in_tar(file: IO[bytes], patterns: Sequence[str]) -> Iterator[tuple[str, bytes]]:
    with tarfile.open(fileobj=file, mode="r|*") as archive:
        for each in archive:
            name = each.name.removeprefix("./")
            content = archive.extractfile(each) if each.isfile() and fits(name, patterns) else None
            if content is not None:
                yield name, content.read()


def fits(name: str, patterns: Sequence[str]) -> bool:
    plain = name.removesuffix(".gz")
    return ".min." not in name and any(fnmatch.fnmatchcase(plain, pattern) for pattern in patterns)


def file_hash(path: Path) -> str:
    """SHA-256 of a file; "" if there is none."""
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""
