"""Extended and pruned vocabularies in other libraries: the same ids there."""

import pytest

from bpetok import Tokenizer, get_encoding, train


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base"])
def test_tiktoken(name, real_texts):
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    longer = get_encoding(name).extend(real_texts[::5], 200).tokenizer
    smaller = longer.prune(real_texts[::9], vocab_size=5000).tokenizer
    for ours in (longer, smaller):
        theirs = tiktoken.Encoding(
            ours.name,
            pat_str=ours.pattern.source,
            mergeable_ranks=ours.vocabulary.ranks(),
            special_tokens=dict(ours.vocabulary.special_tokens),
        )
        for text in real_texts[::3]:
            assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)


def test_tokenizers(real_texts, tmp_path):
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    old = train(
        real_texts[::2], vocab_size=2000, special_tokens=["<s>"], tie_break="huggingface", pattern="gpt2"
    )
    longer = old.extend(real_texts[1::2], 200).tokenizer
    smaller = longer.prune(real_texts[::9], vocab_size=1000).tokenizer
    for ours in (longer, smaller):
        path = tmp_path / f"{ours.name}.json"
        ours.save(path, "huggingface")
        theirs = tokenizers.Tokenizer.from_file(str(path))
        for text in real_texts[::3]:
            assert ours.encode_ordinary(text) == theirs.encode(text).ids
        again = Tokenizer.load(path)
        assert again.vocabulary.tokens() == ours.vocabulary.tokens()
        assert again.extend(real_texts[:3], 5).tokenizer.n_vocab == ours.n_vocab + 5
