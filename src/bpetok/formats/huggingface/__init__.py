r"""The `tokenizer.json` of Hugging Face's `tokenizers`, and the folder around it of `transformers`.

`read` takes BPE models of both kinds: byte-level ones, whose tokens are spelled in GPT-2's alphabet of
one character a byte, and those of characters, with tokens for bytes or for the unknown beside. What is
done to a text before merging is taken over step by step; where one split pattern says all, it is served
natively.

Parts that would give other ids than bpetok's are refused by name, in both directions.
"""

from bpetok.formats.huggingface.folder import to_transformers
from bpetok.formats.huggingface.read import looks_like, read
from bpetok.formats.huggingface.write import dump

__all__ = ["dump", "looks_like", "read", "to_transformers"]
