"""The native extensions, and which folder is which package; everything else is in pyproject.toml.

``BPETOK_SANITIZE=address,undefined`` builds them under those sanitizers (see
``tests/run_sanitized.sh``); ``BPETOK_DEBUG=1`` keeps debug information for a profiler.
"""

import os
import sys
from glob import glob

from Cython.Build import cythonize
from setuptools import Extension, find_namespace_packages, setup

MODULES = (
    "_cpu", "_spare", "_text", "_scan", "_pairs", "_vocab", "_specials", "_workspace", "_merge", "_engine",
    "_ids", "_decode", "_encode", "_batch", "_arrow", "_count", "_words", "_paircounts", "_postings",
    "_learn", "_charsmap", "_forms",
)  # fmt: skip
DIRECTIVES = {
    "language_level": "3",
    "binding": False,
    "boundscheck": False,
    "cdivision": True,
    "embedsignature": True,
    "embedsignature.format": "clinic",  # so that inspect.signature works
    "initializedcheck": False,
    "wraparound": False,
}


def flags() -> tuple[list[str], list[str]]:
    """Compiler and linker flags for the wanted kind of build."""
    sanitizers = os.environ.get("BPETOK_SANITIZE")
    if sanitizers:
        instrument = [f"-fsanitize={sanitizers}", "-fno-omit-frame-pointer"]
        return [*instrument, "-O1", "-g", "-DBPETOK_SANITIZED=1"], instrument
    if os.environ.get("BPETOK_DEBUG"):
        return ["-O3", "-g"], []
    return ["-O3", "-g0"], []


compile_args, link_args = flags()
workers = os.cpu_count() or 1
# Elsewhere the processes that translate Cython would each run this file again.
translators = workers if sys.platform == "linux" else 0
extensions = [
    Extension(
        f"bpetok.{name}",
        [f"src/bpetok/{name}.pyx"],
        include_dirs=["src/bpetok/_native"],
        depends=sorted(glob("src/bpetok/_native/*.h")),
        extra_compile_args=compile_args,
        extra_link_args=link_args,
    )
    for name in MODULES
]

setup(
    packages=[*find_namespace_packages("src"), "bpetok_bench"],
    package_dir={"": "src", "bpetok_bench": "benchmarks"},
    ext_modules=cythonize(
        extensions, nthreads=translators, compiler_directives=DIRECTIVES, include_path=["src"]
    ),
    options={"build_ext": {"parallel": workers}},
)
