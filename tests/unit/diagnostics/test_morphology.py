"""Borders of tokens against borders of words' parts: by hand."""

import pytest

from bpetok.diagnostics import ParallelCorpus, diagnose, load_morphology
from bpetok.errors import CorpusError
from toys import toy

CORPUS = ParallelCorpus.of([("eng", "1", "a")])


def morphology_of(tokenizer, path):
    report = diagnose([tokenizer], CORPUS, morphology_words=load_morphology(path), draws=0)
    return report.tokenizer().morphology


def test_by_hand(tmp_path):
    path = tmp_path / "words.tsv"
    path.write_text("word\tparts\nunhappy\tun|happy\ncats\tcat s\ndog\tdog\nwalked\twalk|ed\n")
    # ␣un|happy: met. ␣|cats: one token but for the space. ␣|d|og: one border, none in the word's parts.
    # ␣|w|alk|ed: one of two borders met.
    tokens = ["un", " un", "ha", "pp", "happ", "happy", "ca", "ts", "cats", "og", "al", "alk", "ed"]
    found = morphology_of(toy(*tokens), path)[""]
    assert found.n_words == 4
    figures = {name: figure.value for name, figure in found.figures.items()}
    assert figures["boundary_precision"] == pytest.approx(2 / 4)
    assert figures["boundary_recall"] == pytest.approx(2 / 3)
    assert figures["boundary_f1"] == pytest.approx(4 / 7)
    assert figures["morph_score"] == pytest.approx((1 + 1) / 2)  # cats is one token, dog one part


def test_single_characters_have_all_borders(tmp_path):
    path = tmp_path / "words.tsv"
    path.write_text("language\tword\tparts\nfin\ttaloissa\ttalo i ssa\nfin\ttalot\ttalo|t\ntur\tev\tev\n")
    found = morphology_of(toy(), path)
    figures = found["fin"].figures
    assert figures["boundary_recall"].value == 1
    assert figures["boundary_precision"].value == pytest.approx(3 / (7 + 4))
    assert figures["morph_score"].value == 1
    assert found["tur"].figures.keys() == {"boundary_precision", "boundary_f1"}  # no border to meet


def test_a_report_states_them(tmp_path):
    path = tmp_path / "words.tsv"
    path.write_text("language\tword\tparts\neng\tcats\tcat s\n")
    report = diagnose([toy()], CORPUS, morphology_words=load_morphology(path))
    assert report.state("boundary_recall.eng").figure.value == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("word\nx\n", "columns word and parts"),
        ("word\tparts\ncats\tcat es\n", ":2: the parts 'cat es' do not join to 'cats'"),
        ("word\tparts\ncats\n", ":2: the parts"),
        ("word\tparts\n", "no word"),
        (b"\xff", "not UTF-8"),
    ],
)
def test_bad_lists(tmp_path, content, message):
    path = tmp_path / "words.tsv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(CorpusError, match=message):
        load_morphology(path)
