"""`bpetok serve`: what it refuses. tests/web starts it for real."""

import sys

import pytest
from click.testing import CliRunner

from bpetok.cli.main import cli


def run(*arguments: str):
    return CliRunner().invoke(cli, ["serve", *arguments])


def test_a_missing_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    result = run()
    assert result.exit_code == 2
    assert 'pip install "bpetok[serve]"' in result.output


def test_what_is_no_tokenizer_or_corpus_is_refused(tmp_path):
    pytest.importorskip("uvicorn", reason="uvicorn is not installed")
    pytest.importorskip("starlette", reason="starlette is not installed")
    result = run(str(tmp_path / "nowhere"))
    assert result.exit_code == 2
    assert "nowhere" in result.output
    result = run("gpt2", "--corpus", "nowhere")
    assert result.exit_code == 2
    assert "no corpus 'nowhere'" in result.output
    assert run("--port", "70000").exit_code == 2
