"""The documentation: its Python blocks run and show what they give, and its links lead somewhere.

In the pages of ``RUNNABLE`` each block marked ``python`` is run, all blocks of a page one
after another in one namespace and in an empty folder. What an expression gives (its repr, or what it prints)
must be what stands behind it after ``# ->``, on its last line or on the next.
"""

import ast
import contextlib
import dataclasses
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bpetok import decoding, normalization, splits
from bpetok.added_tokens import AddedToken
from bpetok.formats import native
from bpetok.templates import Template

ROOT = Path(__file__).parent.parent
DOCS = ROOT / "docs"
NATIVE_FILE = DOCS / "native-file.md"
RUNNABLE = [
    ROOT / "README.md",
    *(DOCS / f"{name}.md" for name in ("tutorial", "pipeline", "data", "explore")),
    NATIVE_FILE,
]
NEEDED = {"data.md": ("pyarrow", "polars", "datasets", "torch"), "explore.md": ("altair",)}
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
ARROW = re.compile(r"# -> (.*)$", re.MULTILINE)


def blocks(page: Path, language: str) -> Iterator[tuple[int, str]]:
    """The fenced blocks of a language: how many lines stand above, and the text."""
    text = page.read_text("utf-8")
    for match in re.finditer(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        yield text.count("\n", 0, match.start(1)), match[1]


class Checked(ast.NodeTransformer):
    """Wraps each expression that shows its result: `check(lambda: expression, shown, line)`."""

    def __init__(self, code: str) -> None:
        self.lines = [*code.splitlines(), ""]

    def visit_Expr(self, node: ast.Expr) -> ast.Expr:
        line = node.end_lineno or 0
        arrow = ARROW.search(self.lines[line - 1]) or ARROW.match(self.lines[line].lstrip())
        if arrow is not None:
            call = ast.parse(f"check(lambda: None, {arrow[1]!r}, {line})", mode="eval").body
            call.args[0].body = node.value
            node.value = ast.copy_location(call, node.value)
        return node


def run_block(code: str, above: int, where: str, namespace: dict[str, object]) -> int:
    """Run a block, and compare the results that it shows; returns how many these are."""
    compared = 0

    def check(expression: Callable[[], object], shown: str, line: int) -> None:
        nonlocal compared
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            value = expression()
        result = printed.getvalue().rstrip("\n") if value is None else repr(value)
        assert result == shown, f"{where}:{above + line}"
        compared += 1

    tree = ast.fix_missing_locations(Checked(code).visit(ast.parse(code)))
    namespace["check"] = check
    exec(compile(ast.increment_lineno(tree, above), where, "exec"), namespace)
    assert compared == len(ARROW.findall(code)), f"{where}:{above + 1}: a shown result was not reached"
    return compared


@pytest.mark.parametrize("page", RUNNABLE, ids=lambda page: page.name)
def test_python_blocks_run_and_give_what_they_show(page, tmp_path, monkeypatch):
    for package in NEEDED.get(page.name, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    namespace: dict[str, object] = {"__name__": "__main__"}
    assert sum(run_block(code, above, page.name, namespace) for above, code in blocks(page, "python")) > 0


def test_the_native_file_that_is_shown_is_the_one_that_is_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for above, code in blocks(NATIVE_FILE, "python"):
        run_block(code, above, NATIVE_FILE.name, {})
    ((_, shown),) = blocks(NATIVE_FILE, "json")
    assert (tmp_path / "toy.bpetok.json").read_text("ascii") == shown


def test_every_part_of_the_native_file_is_described():
    """Each key has a row, and each type of step one with its keys."""
    text = NATIVE_FILE.read_text("utf-8")
    rows = [set(re.findall(r"`(\w+)`", line)) for line in text.splitlines() if line.startswith("| `")]
    steps = [step for module in (normalization, splits, decoding) for step in module._KNOWN.values()]
    wanted = [{key} for key in native.KEYS]
    for step in steps:
        keys = {step.keys.get(each.name, each.name) for each in dataclasses.fields(step)}
        wanted.append({step.kind or step.__name__, *keys})
    assert [each for each in wanted if not any(row >= each for row in rows)] == []
    for part in (AddedToken, Template):
        for each in dataclasses.fields(part):
            assert f"`{each.name}`" in text, each.name


@pytest.mark.parametrize(
    "code", ["1 + 1  # -> 3", "print('a')  # -> b", "x = 2  # -> 2", "if 0:\n    1  # -> 1"]
)
def test_a_wrong_or_unchecked_result_is_found(code):
    with pytest.raises(AssertionError):
        run_block(code, 0, "page", {})


def slugs(page: Path) -> set[str]:
    """The anchors that the headings of a page get."""
    text = re.sub(r"^```.*?^```$", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\s-]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_relative_links_lead_somewhere(page):
    text = re.sub(r"^```.*?^```$|`[^`\n]*`", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    dead = []
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if not target.exists() or (anchor and anchor not in slugs(target)):
            dead.append(link)
    assert dead == []


def test_every_page_is_in_the_navigation():
    config = (ROOT / "mkdocs.yml").read_text("utf-8")
    listed = set(re.findall(r"^\s+- .*?([\w/-]+\.md)$", config, re.MULTILINE))
    assert listed == {page.relative_to(ROOT / "docs").as_posix() for page in ROOT.glob("docs/**/*.md")}


@pytest.mark.parametrize("marker", ["demo-command", "test-command"])
def test_the_commands_to_begin_with_stand_alone(marker):
    """What the README promises is one command, which continuous integration takes from here."""
    text = (ROOT / "README.md").read_text("utf-8")
    found = re.findall(rf"^<!-- {marker} -->\n```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    (command,) = found[0].splitlines()
    assert command.startswith("python3 -m venv .venv && .venv/bin/pip install ")
