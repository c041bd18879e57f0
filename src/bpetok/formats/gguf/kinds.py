"""What the words of a GGUF file stand for, read off llama.cpp: its pre-tokenizers, and names of tokens
that it takes for control tokens whatever their type says."""

from __future__ import annotations

from typing import NamedTuple

from bpetok.patterns import GPT2, GPT2_DIGITS_APART, LLAMA3, QWEN2, QWEN3_5

__all__ = ["CONTROL_TEXTS", "PRE_TOKENIZERS", "RETYPED", "ROLES", "PreTokenizer"]


class PreTokenizer(NamedTuple):
    """What belongs to a word of `tokenizer.ggml.pre`.

    Attributes:
        pattern: the split pattern.
        ignore_merges: whether a piece that is a token is that token without merging.
        add_bos: whether the token for the beginning goes before a text, where the file does not say.
    """

    pattern: str
    ignore_merges: bool = False
    add_bos: bool = False


# llama.cpp has `(?i:'s)` as `'[sS]`, without U+017F.
_ASCII = ("(?i:'s|'t|'re|'ve|'m|'ll|'d)", "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])")
_LLAMA3, _QWEN2 = LLAMA3.replace(*_ASCII), QWEN2.replace(*_ASCII)

# In writing, the first that fits is taken.
PRE_TOKENIZERS: dict[str, PreTokenizer] = {
    **dict.fromkeys(
        ("gpt-2", "phi-2", "gigachat", "a.x-4.0", "mellum", "exaone4", "mpt", "olmo", "jais", "trillion",
         "granite-docling"),
        PreTokenizer(GPT2),
    ),
    **dict.fromkeys(
        ("llama-bpe", "llama3", "llama-v3", "falcon3", "falcon-h1", "pixtral", "midm-2.0", "lfm2"),
        PreTokenizer(_LLAMA3, ignore_merges=True, add_bos=True),
    ),
    **dict.fromkeys(("smaug-bpe", "dbrx"), PreTokenizer(_LLAMA3)),
    **dict.fromkeys(
        ("qwen2", "deepseek-r1-qwen", "megrez", "stablelm2", "hunyuan", "solar-open", "kormo", "f2llmv2"),
        PreTokenizer(_QWEN2),
    ),
    **dict.fromkeys(
        ("smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"),
        PreTokenizer(GPT2_DIGITS_APART),
    ),
    "qwen35": PreTokenizer(QWEN3_5.replace(*_ASCII)),
}  # fmt: skip

# Role to the texts of which one is taken for a control token, where the file does not name the role's token.
ROLES: dict[str, tuple[str, ...]] = {
    "eot": (
        "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "<|end_of_text|>", "<EOT>",
        "_<EOT>", "[EOT]", "<｜end▁of▁sentence｜>", "<end_of_utterance>",
    ),
    "eom": ("<|eom_id|>",),
    "fim_pre": (
        "<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<｜fim▁begin｜>", "<PRE>", "▁<PRE>",
        "<|code_prefix|>", "<|prefix|>",
    ),
    "fim_suf": (
        "<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<｜fim▁hole｜>", "<SUF>", "▁<SUF>",
        "<|code_suffix|>", "<|suffix|>",
    ),
    "fim_mid": (
        "<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<｜fim▁end｜>", "<MID>", "▁<MID>",
        "<|code_middle|>", "<|middle|>",
    ),
    "fim_pad": ("<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"),
    "fim_rep": ("<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"),
    "fim_sep": ("<|file_sep|>",),
}  # fmt: skip
# These always are.
CONTROL_TEXTS = frozenset((
    "<|eot_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>", "<|endoftext|>", "</s>", "<|eom_id|>",
    "<EOT>", "_<EOT>", "[EOT]", "[EOS]", "<|end_of_text|>", "<end_of_utterance>", "<eos>", "<turn|>",
    "<｜end▁of▁sentence｜>",
))  # fmt: skip
# The type of these is changed, or that of others because of them.
RETYPED = frozenset(
    ("<|channel|>", "<|message|>", "<|start|>", "<|constrain|>", "<|return|>", "<|call|>", "<|calls|>",
     "<|flush|>", "<|tool_response>")
)  # fmt: skip
