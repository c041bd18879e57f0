"""tiktoken beside bpetok, built without a download."""

import functools

import pytest

ENCODINGS = ("gpt2", "r50k_base", "p50k_base", "p50k_edit", "cl100k_base", "o200k_base", "o200k_harmony")


@functools.cache
def tiktoken_encoding(name: str):
    """tiktoken's `Encoding` over the vocabulary that bpetok embeds: nothing is downloaded."""
    tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed")
    import bpetok

    ours = bpetok.get_encoding(name)
    return tiktoken.Encoding(
        name,
        pat_str=ours._pat_str,
        mergeable_ranks=dict(ours._mergeable_ranks),
        special_tokens=dict(ours._special_tokens),
    )
