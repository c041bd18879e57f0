"""`tie_break="minbpe"` against minbpe's RegexTokenizer.

minbpe is no package that can be installed. `theirs` says what its `RegexTokenizer.train` does, step by step;
where a module `minbpe` can be imported, the two are compared as well.
"""

from itertools import pairwise
from random import Random

import pytest
import regex

from bpetok import train
from bpetok.patterns import NAMED

PATTERN = NAMED["gpt2"]


def theirs(text, n_merges):
    """Count all pairs in the order of the text, take the first of the most frequent, and replace it."""
    chunks = [list(chunk.encode()) for chunk in regex.findall(PATTERN, text)]
    merges = []
    while len(merges) < n_merges:
        counts = {}
        for chunk in chunks:
            for pair in pairwise(chunk):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break  # minbpe itself fails here
        best = max(counts, key=counts.get)
        for chunk in chunks:
            at = 0
            while at < len(chunk) - 1:
                if (chunk[at], chunk[at + 1]) == best:
                    chunk[at : at + 2] = [256 + len(merges)]
                at += 1
        merges.append(best)
    return merges


def ours(text, n_merges):
    trained = train([text], vocab_size=256 + n_merges, pattern="gpt2", tie_break="minbpe", min_frequency=1)
    return [tuple(pair) for pair in trained.vocabulary.merges().tolist()]


def test_real_text(real_texts):
    text = "".join(text[:4000] for text in real_texts[:12])
    assert ours(text, 300) == theirs(text, 300)


@pytest.mark.parametrize("seed", range(8))
def test_ties_everywhere(seed):
    random = Random(seed)
    letters = random.choice([list("abc"), ["a", "ab", "aab", "aaaa", "b", " "], list("abcdefghijklm é中 ")])
    text = "".join(random.choices(letters, k=random.choice([60, 400])))
    assert ours(text, 500) == theirs(text, 500)


def test_minbpe_itself(real_texts):
    minbpe = pytest.importorskip("minbpe", reason="minbpe is not installed")
    text = "".join(text[:4000] for text in real_texts[:12])
    tokenizer = minbpe.RegexTokenizer(PATTERN)
    tokenizer.train(text, 400)
    assert list(tokenizer.merges) == theirs(text, 144) == ours(text, 144)
