"""Figures that other packages have, too, on the same texts."""

import numpy as np
import pytest

from bpetok import get_encoding
from bpetok.diagnostics import ParallelCorpus, diagnose, load_corpus, load_morphology
from bpetok.diagnostics.subject import KINDS, Subject
from bpetok.diagnostics.vocabulary import renyi_efficiency

NAME = "cl100k_base"
TOKENIZER = get_encoding(NAME)


@pytest.fixture(scope="module")
def corpus():
    return load_corpus().subset(["eng", "deu", "tha", "mya", "rus", "hin", "arb", "jpn"])


@pytest.fixture(scope="module")
def report(corpus):
    return diagnose([TOKENIZER], corpus, segmenter="whitespace", reachability=False, draws=0).tokenizer()


def texts_of(corpus: ParallelCorpus) -> dict[str, list[str]]:
    texts: dict[str, list[str]] = {}
    for language, text in zip(corpus.language_of, corpus.texts, strict=True):
        texts.setdefault(corpus.languages[language].code, []).append(text)
    return texts


class TestGlotscope:
    @pytest.fixture(autouse=True)
    def glotscope(self):
        return pytest.importorskip("glotscope", reason="glotscope is not installed")

    def test_parity(self, corpus, report):
        from glotscope.metrics import parity

        counts = {
            code: [len(TOKENIZER.encode_ordinary(text)) for text in texts]
            for code, texts in texts_of(corpus).items()
        }
        theirs = parity(counts, reference="eng_Latn")
        for code, premium in theirs.per_language.items():
            assert report.languages[code].figures["premium"].value == pytest.approx(premium)
        assert report.figures["mean_premium"].value == pytest.approx(theirs.macro_parity)

    def test_gini(self, report):
        from glotscope.metrics import gini

        premiums = {code: found.figures["premium"].value for code, found in report.languages.items()}
        assert report.figures["gini"].value == pytest.approx(gini(premiums).value)

    def test_renyi_efficiency(self, corpus):
        from glotscope.metrics import renyi_efficiency as theirs

        ids = [token for text in corpus.texts for token in TOKENIZER.encode_ordinary(text)]
        found = theirs(ids, alpha=2.5, normalizer="nominal", nominal_vocab_size=100256)
        assert renyi_efficiency(np.bincount(ids), 100256) == pytest.approx(found.value)
        assert renyi_efficiency(np.bincount(ids), 100256, order=1) == pytest.approx(
            theirs(ids, alpha=1.0, normalizer="nominal", nominal_vocab_size=100256).value
        )

    def test_compression(self, corpus, report):
        from glotscope.aggregate import aggregate_documents
        from glotscope.compression import compression

        for code, texts in texts_of(corpus).items():
            lengths = [len(text) for text in texts], [len(text.encode()) for text in texts]
            stats = aggregate_documents([TOKENIZER.encode_ordinary(text) for text in texts], *lengths)
            theirs = compression(stats, unit_lengths=lengths[1], language=code)
            figures = report.languages[code].figures
            assert figures["bytes_per_token"].value == pytest.approx(theirs.bpt)
            assert figures["characters_per_token"].value == pytest.approx(theirs.cpt)

    def test_fertility_of_words_by_themselves(self):
        """Of a word at a time, theirs and ours are the same; of running text ours counts in context."""
        from glotscope.aggregate import aggregate_words

        words = sorted({word for text in texts_of(load_corpus())["deu_Latn"] for word in text.split()})
        rows = [("eng", str(at), word) for at, word in enumerate(words)]
        ours = diagnose(
            [TOKENIZER], ParallelCorpus.of(rows), segmenter="whitespace", draws=0, reachability=False
        ).tokenizer()
        stats = aggregate_words([TOKENIZER.encode_ordinary(word) for word in words])
        figures = ours.languages["eng"].figures
        assert figures["fertility"].value == pytest.approx(stats.total_tokens / stats.n_words)
        assert figures["continued_words"].value == pytest.approx(stats.n_continued / stats.n_words)
        assert figures["single_token_words"].value == pytest.approx(stats.n_single_token / stats.n_words)

    def test_utf8_classes(self):
        """Theirs calls ill-formed only what has a byte that no text has; ours what no text has in it."""
        from glotscope.utf8 import classify_utf8_token

        subject = Subject(TOKENIZER)
        for data, kind in zip(subject.entries, subject.kinds, strict=True):
            if data is not None and KINDS[kind] != "special":
                theirs = classify_utf8_token(data).name
                ours = KINDS[kind] == "well-formed"
                assert (theirs == "WELL_FORMED") == ours

    def test_boundaries(self, tmp_path):
        from glotscope.aggregate import align_boundaries
        from glotscope.morphology import boundaries

        parts = [["un", "believ", "able"], ["cat", "s"], ["token", "iz", "er", "s"], ["re", "mark", "able"]]
        path = tmp_path / "words.tsv"
        lines = ["word\tparts", *("".join(word) + "\t" + " ".join(word) for word in parts)]
        path.write_text("\n".join(lines))
        predicted = []
        for word in parts:
            pieces = [
                TOKENIZER.decode_single_token_bytes(token).decode()
                for token in TOKENIZER.encode_ordinary(" " + "".join(word))
            ]
            assert pieces[0].startswith(" ")
            assert len(pieces[0]) > 1
            predicted.append(sorted(boundaries([pieces[0][1:], *pieces[1:]])))
        theirs = align_boundaries(predicted, [sorted(boundaries(word)) for word in parts])
        report = diagnose(
            [TOKENIZER],
            ParallelCorpus.of([("eng", "1", "a")]),
            morphology_words=load_morphology(path),
            reachability=False,
        )
        figures = report.tokenizer().morphology[""].figures
        assert figures["boundary_precision"].value == pytest.approx(theirs.precision)
        assert figures["boundary_recall"].value == pytest.approx(theirs.recall)
        assert figures["boundary_f1"].value == pytest.approx(theirs.f1)


class TestTokenizationScorer:
    @pytest.mark.parametrize("power", [1.0, 2.5, 3.0])
    def test_renyi_efficiency(self, corpus, power, capsys):
        scorer = pytest.importorskip(
            "tokenization_scorer.metrics", reason="tokenization-scorer is not installed"
        )
        lines = [[str(token) for token in TOKENIZER.encode_ordinary(text)] for text in corpus.texts]
        uses = np.bincount([int(token) for line in lines for token in line])
        if power == 1.0:
            entropy = scorer.get_metric("shannon_entropy")(lines)
            assert renyi_efficiency(uses, 100256, order=1) == pytest.approx(entropy / np.log2(100256))
        else:
            theirs = scorer.get_metric("renyi_efficiency")(lines, power=power, vocab=100256)
            assert renyi_efficiency(uses, 100256, order=power) == pytest.approx(theirs)


class TestTokscope:
    def test_report(self, corpus, report):
        metrics = pytest.importorskip("tokscope.metrics", reason="tokscope is not installed")
        texts = texts_of(corpus)
        english = sum(len(TOKENIZER.encode_ordinary(text)) for text in texts["eng_Latn"])
        for code, segments in texts.items():
            ids = [[str(token) for token in TOKENIZER.encode_ordinary(text)] for text in segments]
            theirs = [
                metrics.build_report(NAME, text, tokens, 0, None)
                for text, tokens in zip(segments, ids, strict=True)
            ]
            figures = report.languages[code].figures
            tokens = [token for each in ids for token in each]
            whole = metrics.build_report(NAME, "".join(segments), tokens, 0, None, english)
            assert figures["premium"].value == pytest.approx(whole.premium)
            assert figures["bytes_per_token"].value == pytest.approx(whole.bytes_per_token)
            assert figures["characters_per_token"].value == pytest.approx(whole.chars_per_token)
            if "tokens_per_word" in figures:
                words = sum(each.word_count for each in theirs)
                assert figures["tokens_per_word"].value == pytest.approx(len(tokens) / words)
