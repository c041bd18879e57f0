"""`bpetok demo` on a small library made for the test, and its sentences on made-up numbers."""

import json

import pytest
from command_line import refused, run

from bpetok.cli import demo, experiment

SOURCE = '''"""A module."""


class Greeter:
    def __init__(self, name):
        self.name = name
        self.greeted = False

    def greet(self, number):
        for _ in range(number):
            print(f"hello {self.name}")

'''


@pytest.fixture
def library(tmp_path, monkeypatch):
    """A standard library of 60 files."""
    for number in range(60):
        folder = tmp_path / f"package{number % 7}"
        folder.mkdir(exist_ok=True)
        (folder / f"module{number}.py").write_text(SOURCE.replace("greet", f"greet{number % 9}") * 20)
    (tmp_path / "latin.py").write_bytes(b"# caf\xe9\n")
    (tmp_path / "empty.py").touch()
    (tmp_path / "site-packages").mkdir()
    (tmp_path / "site-packages" / "other.py").write_text("not = 'the library'")
    monkeypatch.setattr(experiment.sysconfig, "get_path", lambda name: str(tmp_path))
    return tmp_path


def test_gather_is_deterministic_and_holds_out_a_tenth(library):
    corpus = experiment.gather()
    assert corpus == experiment.gather(library)
    assert list(corpus.train) == list(experiment.gather().train)
    assert (len(corpus.train), len(corpus.held_out)) == (54, 6)
    assert not set(corpus.train) & set(corpus.held_out)
    assert not [name for name in (*corpus.train, *corpus.held_out) if "site-packages" in name]


def test_gather_stops_at_its_limit(library, monkeypatch):
    monkeypatch.setattr(experiment, "MOST_BYTES", 150_000)
    corpus = experiment.gather()
    assert 140_000 < corpus.train_bytes + corpus.held_out_bytes <= 150_000


def test_a_system_without_sources(tmp_path, monkeypatch):
    monkeypatch.setattr(experiment.sysconfig, "get_path", lambda name: str(tmp_path))
    refused(run("demo"), "0 Python sources", "bpetok train")


def test_one_screen_of_findings(library):
    result = run("demo")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert len(lines) <= 32
    assert max(map(len, lines)) <= 80
    rows = {words[0]: words for words in map(str.split, lines) if len(words) == 5}
    assert {"demo", "gpt2", "cl100k_base", "o200k_base"} <= set(rows)
    assert "All four decode every file back, byte for byte." in result.stdout


def test_json_agrees_with_the_library(library):
    import bpetok

    found = json.loads(run("demo", "--json").stdout)
    corpus = experiment.gather()
    assert found["corpus"]["held_out_files"] == 6
    assert found["corpus"]["held_out_bytes"] == sum(len(text.encode()) for text in corpus.held_out.values())
    rows = {row["name"]: row for row in found["results"]}
    gpt2 = bpetok.get_encoding("gpt2")
    assert rows["gpt2"]["tokens"] == sum(len(gpt2.encode(text)) for text in corpus.held_out.values())
    assert all(row["exact"] for row in found["results"])
    assert rows["demo"]["tokens"] < rows["gpt2"]["tokens"]


def test_sentences_follow_the_numbers():
    def row(name: str, tokens: int, **changes: object) -> experiment.Measured:
        values = {
            "n_vocab": 100,
            "bytes_per_token": 4.0,
            "blank_tokens": tokens // 2,
            "megabytes_per_second": 50.0,
            "prose_tokens": 10,
            "exact": True,
        }
        return experiment.Measured(name=name, tokens=tokens, **{**values, **changes})

    rows = [row("demo", 100), row("big", 200, n_vocab=400, prose_tokens=4)]
    gains = [experiment.Gain(b" self.assert", 7, 3)]
    assert demo._findings(rows, gains) == [
        "For code like this demo needs 50% fewer tokens than big, with 25% of its vocabulary.",
        "Tokens that are nothing but white space: demo 50%, big 50%.",
        "One token in demo, but several in big: ·self.assert (3).",
        "It has learned code and little else: on prose in six languages it needs "
        "2.5 times the tokens of big.",
        "All four decode every file back, byte for byte.",
    ]
    rows[1] = row("big", 200, exact=False)
    assert demo._findings(rows, [])[-1].startswith("DECODING DID NOT GIVE BACK THE FILES with big")


def test_gains_are_tokens_that_the_other_cuts(library):
    import bpetok

    corpus = experiment.gather()
    tokenizer, seconds = experiment.fit(corpus, None)
    assert seconds > 0
    gpt2 = bpetok.get_encoding("gpt2")
    found = experiment.gains(tokenizer, gpt2, corpus)
    assert found
    for gain in found:
        assert len(gpt2.encode(gain.token.decode())) == gain.parts > 1
    saved = [gain.times * (gain.parts - 1) for gain in found]
    assert saved == sorted(saved, reverse=True)


def test_sample_is_a_method():
    corpus = experiment.Corpus("Python", {}, {"a.py": SOURCE})
    assert experiment.sample(corpus) == (
        "    def __init__(self, name):\n        self.name = name\n        self.greeted = False\n"
    )
    assert experiment.sample(experiment.Corpus("Python", {}, {"a.py": "x = 1\n"})) == "x = 1\n"
