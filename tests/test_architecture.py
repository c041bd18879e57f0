"""The import rules of the design, read off the source: who may know whom."""

import ast
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "bpetok"

# From the bottom up. At import time a module knows only what stands above it in this list, and its own
# package. Inside functions the arrows may point back: a tokenizer saves itself through `formats`.
LAYERS = (
    {"bytelevel", "errors", "protocols", "unicode_data"},
    {"charsets", "templates"},
    {"_forms", "oniguruma"},
    {"specs"},
    {"normalization"},
    {"_cpu", "corpus", "treatment"},
    {"_text"},
    {"_scan"},
    {"_pairs", "_paircounts", "_postings", "_spare", "patterns"},
    {"_vocab"},
    {"_workspace", "_count", "_decode", "_ids", "_specials", "pretokenize"},
    {"_merge", "_charsmap", "_words", "added_tokens", "splits"},
    {"_engine", "decoding", "normalization_spm", "preparation"},
    {"_encode", "_learn", "spilling", "vocabulary"},
    {"_batch", "alphabet", "count_table"},
    {"_arrow", "counting", "explain", "streaming"},
    {"completions", "mapper", "states"},
    {"tokenizer"},
    {"encodings", "formats", "training"},
    {"characters", "coverage", "editing", "parity", "scaffolds", "shards", "superwords", "verification"},
    {"conversion", "distributed", "diagnostics", "lm"},
    {"page"},
    {"cli"},
    {"__main__"},
)
NATIVE = (
    "_cpu", "_spare", "_text", "_scan", "_pairs", "_vocab", "_specials", "_workspace", "_merge", "_engine",
    "_ids", "_decode", "_encode", "_batch", "_arrow", "_count", "_words", "_paircounts", "_postings",
    "_learn", "_charsmap", "_forms",
)  # fmt: skip
# What each native module may take from the others.
NATIVE_KNOWS = {
    "_cpu": set(),
    "_text": {"_cpu"},
    "_scan": {"_cpu", "_text"},
    "_spare": set(),
    "_forms": set(),
    "_pairs": set(),
    "_vocab": {"_cpu", "_text", "_scan", "_pairs"},
    "_workspace": {"_spare", "_pairs", "_vocab"},
    "_merge": {"_cpu", "_pairs", "_vocab", "_workspace"},
    "_engine": {"_cpu", "_text", "_scan", "_pairs", "_vocab", "_workspace", "_merge"},
    "_specials": {"_text"},
    "_charsmap": {"_specials", "_text"},
    "_ids": {"_spare"},
    "_decode": {"_text", "_vocab"},
    "_encode": {
        "_cpu",
        "_text",
        "_scan",
        "_vocab",
        "_specials",
        "_workspace",
        "_merge",
        "_engine",
        "_ids",
        "_decode",
    },
    "_batch": {"_text", "_vocab", "_workspace", "_ids", "_encode"},
    "_arrow": {"_text", "_spare", "_ids", "_encode", "_batch"},
    "_count": {"_cpu", "_text", "_scan", "_vocab"},
    "_words": {"_cpu", "_text", "_scan", "_vocab", "_count"},
    "_paircounts": set(),
    "_postings": set(),
    "_learn": {"_cpu", "_text", "_scan", "_vocab", "_count", "_words", "_paircounts", "_postings"},
}
OUTSIDE_THE_LAYERS = {"__init__", "reference", "_native"}
OPTIONAL = {
    "pyarrow", "zstandard", "fsspec", "tokenizers", "tiktoken", "torch", "dask", "distributed", "starlette",
    "uvicorn", "bpetok_bench", "vl_convert", "sentencepiece", "mistral_common", "icu4py", "pandas", "altair",
    "jinja2", "markupsafe",
}  # fmt: skip


@dataclass(frozen=True)
class Import:
    """One import: of which module, and when it happens."""

    where: Path
    line: int
    module: str  # dotted
    names: tuple[str, ...]
    at_import: bool  # executed when the module is imported, not in a function or for a type checker

    @property
    def parts(self) -> set[str]:
        """The modules of bpetok that this reaches, by the first name below the package."""
        if self.module == "bpetok":
            return {name for name in self.names if name in MODULES}
        return {self.module.split(".")[1]} if self.module.startswith("bpetok.") else set()

    def __str__(self) -> str:
        return f"{self.where.relative_to(ROOT)}:{self.line}: {self.module} {' '.join(self.names)}"


def module_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].split(".")[0]


MODULES = {module_of(path) for path in SOURCE.rglob("*.py*") if path.suffix in (".py", ".pyx")}


def is_deferred(node: ast.AST) -> bool:
    """Whether what is inside runs later, or never."""
    if isinstance(node, ast.If):
        return "TYPE_CHECKING" in ast.dump(node.test)
    return isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))


def python_imports(path: Path) -> list[Import]:
    found = []

    def visit(node: ast.AST, at_import: bool) -> None:
        for child in ast.iter_child_nodes(node):
            now = at_import
            if is_deferred(child):
                now = False
            elif isinstance(child, ast.Import):
                found.extend(Import(path, child.lineno, alias.name, (), now) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}:{child.lineno}: imports are absolute here"
                names = tuple(alias.name for alias in child.names)
                found.append(Import(path, child.lineno, child.module or "", names, now))
            visit(child, now)

    visit(ast.parse(path.read_text("utf-8")), True)
    return found


def cython_imports(path: Path) -> list[Import]:
    found = []
    pattern = r"^\s*(?:from\s+([\w.]+)\s+c?import\s+(\([^)]*\)|.*)|c?import\s+([\w.]+).*)$"
    text = path.read_text("utf-8")
    for match in re.finditer(pattern, text, re.MULTILINE):
        line = text[: match.start()].count("\n") + 1
        names = tuple(re.findall(r"\w+", match[2] or ""))
        found.append(Import(path, line, match[1] or match[3], names, True))
    return found


def imports_below(folder: Path) -> list[Import]:
    found = [each for path in sorted(folder.rglob("*.py")) for each in python_imports(path)]
    for path in sorted([*folder.rglob("*.pyx"), *folder.rglob("*.pxd")]):
        found += cython_imports(path)
    return found


IMPORTS = imports_below(SOURCE)


def refused(rule) -> list[str]:
    """The imports of the package that a rule does not allow."""
    return [str(each) for each in IMPORTS if not rule(each)]


def test_the_readers_find_imports():
    """So that no rule below holds only because nothing was read."""
    found = {(module_of(each.where), part) for each in IMPORTS for part in each.parts}
    assert {("patterns", "_scan"), ("_merge", "_vocab"), ("_vocab", "errors"), ("_learn", "errors")} <= found
    assert ("tokenizer", "formats") in found
    assert any(each.module == "libc.stdint" for each in IMPORTS)


def test_every_module_has_its_place():
    assert set().union(*LAYERS, OUTSIDE_THE_LAYERS) >= MODULES


def test_modules_know_only_what_is_below_them():
    level = {module: at for at, layer in enumerate(LAYERS) for module in layer}

    def allowed(each: Import) -> bool:
        own = module_of(each.where)
        if own in OUTSIDE_THE_LAYERS or not each.at_import:
            return True
        return all(part == own or level[part] < level[own] for part in each.parts)

    assert refused(allowed) == []


def test_native_modules_know_only_errors_and_each_other():
    def allowed(each: Import) -> bool:
        own = module_of(each.where)
        return own not in NATIVE or each.parts <= {own, "errors"} | NATIVE_KNOWS[own]

    assert refused(allowed) == []
    native = [each for each in IMPORTS if module_of(each.where) in NATIVE]
    outside = {each.module.split(".")[0] for each in native} - {"bpetok", "libc", "cpython"}
    assert outside <= {"cython", "os", "struct", "zlib"}


def test_nothing_imports_the_reference():
    assert refused(lambda each: "reference" not in each.parts) == []


def test_nothing_but_the_command_line_imports_the_command_line():
    assert refused(lambda each: "cli" not in each.parts or module_of(each.where) in ("cli", "__main__")) == []


def test_only_the_language_model_imports_torch():
    assert refused(lambda each: each.module.split(".")[0] != "torch" or module_of(each.where) == "lm") == []


def test_optional_packages_are_imported_where_they_are_used():
    # The modules of `lm` that compute are about PyTorch; what imports them does so where it is used.
    assert (
        refused(
            lambda each: (
                not each.at_import
                or each.module.split(".")[0] not in OPTIONAL
                or (module_of(each.where) == "lm" and each.module.split(".")[0] == "torch")
            )
        )
        == []
    )


def test_measuring_and_modelling_see_tokenizers_through_the_protocol():
    """`diagnostics` and `lm` work with any library's tokenizer, and without each other."""
    apart = {"diagnostics", "lm"}
    files = {
        "bpetok._text",
        "bpetok.bytelevel",
        "bpetok.formats.atomic",
        "bpetok.corpus.compression",
    }  # which know of no tokenizer

    def allowed(each: Import) -> bool:
        own = module_of(each.where)
        known = {own, "errors", "protocols"} | (set() if each.at_import else {"page"})  # which draws a report
        return own not in apart or each.module in files or each.parts <= known

    assert refused(allowed) == []


def test_the_plugins_of_tiktoken_share_a_namespace():
    """An `__init__.py` would hide tiktoken's own encodings."""
    assert [path.name for path in (ROOT / "src" / "tiktoken_ext").glob("*.py")] == ["bpetok.py"]


BENCHMARKS = sorted((ROOT / "benchmarks").rglob("*.py"))


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda path: path.name)
def test_benchmarks_use_the_public_api(path):
    private = [
        str(each)
        for each in python_imports(path)
        if each.module.split(".")[0] == "bpetok"
        and any(part.startswith("_") for part in (*each.module.split("."), *each.names))
    ]
    assert private == []


def loaded_after(code: str) -> set[str]:
    """The top-level modules that a fresh interpreter holds after some code."""
    report = "import sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{report}"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


HEAVY = OPTIONAL | {"click", "rich", "regex", "jinja2", "http"}


def test_the_import_is_light():
    loaded = loaded_after("import bpetok")
    assert "bpetok" in loaded
    assert loaded & (HEAVY | {"numpy"}) == set()


def test_a_first_text_is_encoded_without_optional_packages():
    loaded = loaded_after(
        "import bpetok\nassert bpetok.get_encoding('gpt2').encode('hello world') == [31373, 995]"
    )
    assert loaded & HEAVY == set()


def test_every_public_name_resolves():
    code = "import bpetok\nfor name in bpetok.__all__: assert getattr(bpetok, name) is not None, name"
    assert "bpetok" in loaded_after(code)
    assert loaded_after(code) & {"torch", "click", "rich", "starlette", "uvicorn"} == set()
