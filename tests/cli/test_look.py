"""`bpetok count`, `inspect`, `explain` and the drawing of tokens."""

import json
from itertools import pairwise

import pytest
from command_line import refused, run, run_process
from rich.console import Console

import bpetok
from bpetok.cli.render import coloured, visible


class TestCount:
    def test_files_and_total(self, write):
        paths = [write("a.txt", "hello world"), write("b.jsonl", '{"text": "one"}\n{"text": "two"}\n')]
        lines = [line.split() for line in run("count", *paths, "-t", "gpt2").stdout.splitlines()]
        assert lines == [
            ["tokens", "bytes", "bytes/token", "file"],
            ["2", "11", "5.500", str(paths[0])],
            ["2", "6", "3.000", str(paths[1])],
            ["4", "17", "4.250", "total"],
        ]

    def test_json(self, write):
        path = write("a.txt", "hello world")
        row = {"documents": 1, "bytes": 11, "tokens": 2, "bytes_per_token": 5.5}
        assert json.loads(run("count", path, "-t", "gpt2", "--json").stdout) == {
            "tokenizer": "gpt2",
            "files": [{"source": str(path), **row}],
            "total": {"source": "total", **row},
        }

    def test_standard_input_and_nothing(self):
        assert run("count", "-t", "gpt2", stdin="").stdout.splitlines()[1].split() == ["0", "0", "-", "-"]

    def test_special_tokens_are_ordinary_text_unless_asked_for(self):
        count = run("count", "--json", stdin="<|endoftext|>").stdout
        assert json.loads(count)["total"]["tokens"] > 1
        count = run("count", "--json", "--special", "all", stdin="<|endoftext|>").stdout
        assert json.loads(count)["total"]["tokens"] == 1

    def test_many_documents_are_counted_in_batches(self, write, monkeypatch):
        monkeypatch.setattr("bpetok.cli.texts._BATCH", 100)
        path = write("many.jsonl", "".join(json.dumps({"text": "word " * n}) + "\n" for n in range(1, 60)))
        row = json.loads(run("count", path, "-t", "gpt2", "--json").stdout)["total"]
        tokenizer = bpetok.get_encoding("gpt2")
        assert row["tokens"] == sum(len(tokenizer.encode("word " * n)) for n in range(1, 60))
        assert row["documents"] == 59


class TestInspect:
    def test_bars_and_table_without_a_terminal(self):
        output = run("inspect", "Hello wörld\n🙂", "-t", "gpt2").stdout
        assert output.splitlines()[0].rstrip() == "Hello│·w│ör│ld│⏎"
        assert ["0", "15496", "Hello", "48", "65", "6c", "6c", "6f"] in map(str.split, output.splitlines())
        assert "<F0 9F" in output
        assert output.endswith("tokens of gpt2\n")
        assert "\x1b" not in output

    def test_json(self):
        found = json.loads(run("inspect", "ที่", "-t", "gpt2", "--json").stdout)
        assert found["n_tokens"] == len(found["tokens"]) == 6
        assert b"".join(bytes.fromhex(token["bytes"]) for token in found["tokens"]).decode() == "ที่"
        assert {token["text"] for token in found["tokens"]} == {None}

    def test_special_tokens_are_tokens_unless_told_otherwise(self):
        found = json.loads(run("inspect", "<|endoftext|>", "-t", "gpt2", "--json").stdout)
        assert found["tokens"] == [{"id": 50256, "bytes": b"<|endoftext|>".hex(), "text": "<|endoftext|>"}]

    def test_limit(self, write):
        path = write("long.txt", "word " * 500)
        output = run("inspect", "-f", path, "-t", "gpt2", "--limit", "3").stdout
        assert "501 tokens of gpt2, the first 3 are shown" in output
        found = json.loads(run("inspect", "-f", path, "-t", "gpt2", "--limit", "0", "--json").stdout)
        assert len(found["tokens"]) == found["n_tokens"] == 501

    def test_one_of_text_and_file(self, write):
        refused(run("inspect"), "give either TEXT or --file")
        refused(run("inspect", "text", "-f", write("a.txt", "a")), "give either TEXT or --file")
        for arguments in (["-"], ["-f", "-"]):
            assert run("inspect", *arguments, stdin="hi").stdout.endswith("1 token of o200k_base\n")

    def test_nothing(self):
        assert run("inspect", "", "-t", "gpt2").stdout == "0 tokens of gpt2\n"

    def test_markup_and_escapes_in_the_text_have_no_power(self):
        output = run("inspect", "[bold]\x1b[31m[/bold]", "-t", "gpt2").stdout
        assert "[│bold│]" in output
        assert "<U+001B>" in output
        assert "\x1b" not in output

    def test_an_argument_that_is_not_utf8(self):
        done = run_process("inspect", "caf\udce9", "-t", "gpt2")
        assert done.returncode == 2
        assert b"TEXT: not UTF-8" in done.stderr

    @pytest.mark.parametrize(("no_color", "colours"), [("1", False), ("", True)])
    def test_no_color(self, no_color, colours):
        # FORCE_COLOR makes a pipe a terminal for rich.
        env = {"NO_COLOR": no_color, "FORCE_COLOR": "1", "TERM": "xterm"}
        output = run_process("inspect", "one two", "-t", "gpt2", env=env).stdout.decode()
        assert ("\x1b[30;10" in output) == colours
        assert ("one│·two" in output) != colours


class TestExplain:
    def test_steps(self):
        output = run("explain", "cat sat", "-t", "gpt2").stdout.splitlines()
        assert output[0] == "piece 1 of 2: cat   found whole in the vocabulary -> 9246"
        assert [line.split() for line in output[2:5]] == [
            ["c│a│t"],
            ["265", "265", "a", "+", "t", "c│at"],
            ["9246", "9246", "c", "+", "at", "cat"],
        ]
        assert output[-1] == "2 tokens of gpt2"

    def test_json_agrees_with_the_library(self):
        found = json.loads(run("explain", "tokenization!", "--json").stdout)
        expected = bpetok.get_encoding("o200k_base").explain("tokenization!")
        assert [bytes.fromhex(piece["piece"]) for piece in found["pieces"]] == [e.piece for e in expected]
        assert [piece["ids"] for piece in found["pieces"]] == [e.ids for e in expected]
        for piece, explanation in zip(found["pieces"], expected, strict=True):
            assert [step["rank"] for step in piece["steps"]] == [step.rank for step in explanation.steps]
            assert piece["whole"] == explanation.whole

    def test_file_and_nothing(self, write):
        assert run("explain", "-f", write("a.txt", "hi")).stdout.endswith("1 token of o200k_base\n")
        assert run("explain", "").stdout == "0 tokens of o200k_base\n"
        refused(run("explain"), "give either TEXT or --file")


class TestRender:
    @pytest.mark.parametrize(
        ("data", "shown"),
        [
            (b" a\tb\r\n", "·a→b␍⏎"),
            ("é🙂漢".encode(), "é🙂漢"),
            (b"\xe2\x80", "<E2 80>"),
            (b"a\xe2\x80b", "a<E2 80>b"),
            (b"\x80\x81\x82", "<80 81 82>"),
            (b"\xff \xfe", "<FF>·<FE>"),
            ("\u00a0\u200b\u202e\x07\x9b".encode(), "<U+00A0><U+200B><U+202E><U+0007><U+009B>"),
            ("\u0301a".encode(), "◌\u0301a"),
            (b"", ""),
        ],
    )
    def test_visible(self, data, shown):
        assert visible(data) == shown

    def test_neighbours_differ_in_colour(self):
        console = Console(force_terminal=True, color_system="standard", no_color=False)
        text = coloured([b"a", b"b", b"\n", b"c"] * 3, console)
        assert text.plain == "ab⏎\nc" * 3
        styles = [str(span.style) for span in text.spans]
        assert all(one != other for one, other in pairwise(styles))

    def test_bars_where_there_is_no_colour(self):
        console = Console(force_terminal=True, no_color=True)
        assert coloured([b"a", b" b", b"\n\n ", b"c"], console).plain == "a│·b│⏎⏎\n·│c"
        assert coloured([b"a", b"\n", b"c"], console, break_lines=False).plain == "a│⏎│c"
