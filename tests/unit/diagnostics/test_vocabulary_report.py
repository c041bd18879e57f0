"""What the entries of a vocabulary are: by hand."""

import numpy as np
import pytest

from bpetok import Tokenizer, Vocabulary, get_encoding
from bpetok.diagnostics import ParallelCorpus, diagnose
from bpetok.diagnostics.scripts import SCRIPTS, script_of, scripts_of
from bpetok.diagnostics.subject import Subject
from bpetok.diagnostics.vocabulary import describe_vocabulary, entry_scripts, renyi_efficiency, utilisation
from toys import Plain, toy


def described(tokenizer, *texts):
    subject = Subject(tokenizer)
    uses = np.bincount(subject.encode(texts).ids, minlength=subject.n_vocab)
    return describe_vocabulary(subject, uses, entry_scripts(subject))


def texts_of(entries):
    return [entry.text for entry in entries.shown]


def test_kinds():
    tokenizer = toy("ab", b"\xe4\xb8", b"\x80a", b"\xff\xfe", "é", specials=("<end>",))
    assert described(tokenizer).kinds == {
        "well-formed": 128 + 2,
        "partial": 2,
        "ill-formed": 1,
        "byte": 128,
        "special": 1,
        "unused": 0,
    }


def test_ids_that_are_not_in_use():
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 300}
    tokenizer = Tokenizer("gaps", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    assert described(tokenizer).kinds["unused"] == 44
    assert described(Plain(tokenizer)).kinds["unused"] == 44


def test_scripts():
    tokenizer = toy("ab", "Да", "Да ab", "中", "12", "のabc", b"\xd0\x94\xd0")
    assert described(tokenizer).scripts == {"Common": 76 + 1, "Latin": 52 + 3, "Cyrillic": 2, "Han": 1}
    assert scripts_of(["αβγ, a", "", "?", "бa"]).tolist() == [SCRIPTS.index("Greek"), -1, -1, 0]
    assert script_of("ab бвг") == "Cyrillic"


def test_what_the_corpus_uses():
    found = described(toy("ab", "cd", "xy"), "ab" * 6 + " cd")
    assert texts_of(found.rare) == [" ", "cd"]
    assert "xy" in texts_of(found.absent) or found.absent.n > len(found.absent.shown)
    assert found.absent.n == 128 - 1 + 1  # all ASCII but the space, and xy


def test_entries_that_no_merge_builds():
    found = described(toy("ab", "cdef"))
    assert texts_of(found.unmerged) == ["cdef"]


def test_scaffolds_are_used_inside_others_only():
    found = described(toy("ab", "abc", "abcd", "xy"), "abcd")
    # abc and ab, and the letters; xy is in nothing that is used.
    assert {"ab", "abc", "a", "b", "c", "d"} == {*texts_of(found.scaffolds)}


def test_a_tokenizer_that_does_not_tell_its_merges():
    found = described(Plain(toy("ab", "cdef")), "ab")
    assert found.unmerged is None
    assert found.scaffolds is None


def test_a_character_needs_no_merge_where_merging_starts_from_characters():
    vocabulary = Vocabulary.from_characters(
        {256: "é".encode(), 257: b"a", 258: "éa".encode(), 259: "aé".encode()},
        merges=[(256, 257)],
        special_tokens={},
        byte_tokens=range(256),
    )
    tokenizer = Tokenizer.from_vocabulary("t", "whole", vocabulary)
    found = described(tokenizer)
    assert found.kinds["byte"] == 256
    assert texts_of(found.unmerged) == ["aé"]


def test_duplicates():
    found = described(toy("word", " word", "Word", "ﬁ", "fi"), "word")
    groups = {
        name: [[entry.text for entry in group] for group in each.groups]
        for name, each in found.duplicates.items()
    }
    assert groups["case"][0] == ["word", "Word"]
    assert found.duplicates["case"].n == 2 + 52 + 2
    assert groups["space"] == [["word", " word"]]
    assert groups["normalisation"] == [["fi", "ﬁ"]]


def test_utilisation():
    kinds = Subject(toy("ab", specials=("<end>",))).kinds
    uses = np.zeros(258, int)
    uses[[97, 256]] = 3
    assert utilisation(uses, kinds) == 2 / 257


def test_renyi_efficiency():
    assert renyi_efficiency(np.array([4, 0, 4]), 4) == pytest.approx(0.5)  # log 2 / log 4, of any order
    p = np.array([0.5, 0.25, 0.25])
    by_hand = np.log((p**2.5).sum()) / -1.5 / np.log(3)
    assert renyi_efficiency(np.array([2, 1, 1]), 3) == pytest.approx(by_hand)
    assert renyi_efficiency(np.array([2, 1, 1]), 3, order=1) == pytest.approx(1.5 * np.log(2) / np.log(3))
    assert np.isnan(renyi_efficiency(np.array([0, 0]), 2))
    both = renyi_efficiency(np.array([[2, 4], [1, 0], [1, 4]]), 3)
    assert both == pytest.approx([by_hand, np.log(2) / np.log(3)])


def test_a_published_vocabulary():
    report = diagnose([get_encoding("o200k_base")], "phrasebook", draws=0, reachability=False).tokenizer()
    assert report.vocabulary.kinds["special"] == 2
    assert report.vocabulary.kinds["byte"] == 128
    assert sum(report.vocabulary.kinds.values()) == report.n_vocab == 200019
    assert report.reachability is None
    assert report.entries is not None
    assert report.entries.uses.sum() == sum(each.n_tokens for each in report.languages.values())


def test_the_hash_tells_vocabularies_apart():
    corpus = ParallelCorpus.of([("eng", "1", "a")])
    hashes = {
        diagnose([each], corpus, draws=0).tokenizer().sha256
        for each in (toy("ab"), toy("ba"), toy("ab", "ba"), toy("ab", name="other"))
    }
    assert len(hashes) == 3
