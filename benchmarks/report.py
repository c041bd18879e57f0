"""What every record says beside its figures: where, when and with what they were taken."""

import hashlib
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any

QUIET = 0.1  # processors that others may use without the figures being in doubt


def describe(packages: Iterable[str], settings: dict[str, Any]) -> dict[str, Any]:
    """The head of a record."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": commit(),
        "build": build(),
        "machine": machine(),
        "versions": {
            "python": platform.python_version(),
            **{name: version(name) for name in sorted({*packages, "numpy"})},
        },
        "settings": settings,
    }


def version(package: str) -> str:
    """Of an installed package; a checkout on the path has none."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def machine() -> dict[str, Any]:
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    return {
        "cpu": cpu(),
        "cpus": os.cpu_count(),
        "architecture": platform.machine(),
        "system": f"{platform.system()} {platform.release()}",
        "libc": " ".join(platform.libc_ver()).strip(),
        "load_before": load and [round(each, 2) for each in load],
    }


def cpu() -> str:
    """The processor's name; on Linux with family and model, as names of virtual ones say little."""
    try:
        first = Path("/proc/cpuinfo").read_text("utf-8").split("\n\n")[0]
    except OSError:
        return platform.processor() or "unknown"
    fields: dict[str, str] = {}
    for line in first.splitlines():
        key, _, value = line.partition(":")
        fields[key.strip()] = value.strip()
    name = fields.get("model name", platform.processor() or "unknown")
    if "cpu family" in fields:
        name += f" (family {fields['cpu family']}, model {fields['model']})"
    return name


class Watch:
    """How much of the machine others used, from its making on: load averages look back, not ahead."""

    def __init__(self) -> None:
        self.start = perf_counter()
        self.others = others()

    def cpus_of_others(self) -> float | None:
        """Processors that were busy with neither this process nor its ended children, on average."""
        now = others()
        if now is None or self.others is None:
            return None
        return round(max(now - self.others, 0) / (perf_counter() - self.start), 3)


def others() -> float | None:
    """Seconds for which Linux has run other processes, or its host others; None elsewhere."""
    try:
        ticks = [int(each) for each in Path("/proc/stat").read_text("ascii").split("\n", 1)[0].split()[1:]]
    except OSError:
        return None
    user, nice, system, _, _, interrupts, soft_interrupts, stolen = ticks[:8]
    busy = user + nice + system + interrupts + soft_interrupts + stolen
    return busy / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def commit() -> str | None:
    """The commit that is checked out here, and whether there are changes; None without git."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=here, capture_output=True, text=True, check=True, timeout=30
        )
        return done.stdout.strip()

    try:
        return git("rev-parse", "HEAD") + (" with changes" if git("status", "--porcelain") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def busyness(cpus_of_others: float | None) -> str:
    """In words, whether the figures can be trusted."""
    if cpus_of_others is None:
        return "How busy the machine was otherwise is not known here."
    if cpus_of_others > QUIET:
        return f"Others used {cpus_of_others:.2f} processors meanwhile: repeat this on a quiet machine."
    return f"Others used {cpus_of_others:.2f} processors meanwhile."


def build() -> str:
    """SHA-256 of bpetok's files as they are installed: a commit does not say what was compiled, and when."""
    spec = importlib.util.find_spec("bpetok")
    assert spec is not None
    digest = hashlib.sha256()
    for folder in map(Path, spec.submodule_search_locations or ()):
        for path in sorted(folder.rglob("*")):
            if path.suffix in (".py", ".so", ".bin"):
                content = hashlib.sha256(path.read_bytes()).hexdigest()
                digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return digest.hexdigest()


def write(path: Path, record: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record, indent=1) + "\n", "utf-8")
