"""GGUF files against the package `gguf`, which reads and writes them, and against llama.cpp's tokenizer."""

import contextlib
import io
import struct
import tempfile
import unicodedata

import pytest
from hypothesis import given, reject, settings
from hypothesis import strategies as st

import strategies
from bpetok import Tokenizer, get_encoding, train
from bpetok.added_tokens import AddedToken
from bpetok.errors import FormatError
from bpetok.formats import load, save
from bpetok.formats.gguf import reading
from bpetok.formats.gguf.container import read_metadata, write_metadata
from bpetok.formats.gguf.kinds import PRE_TOKENIZERS
from bpetok.normalization import NFC
from bpetok.templates import Template
from llama_cpp import Llama

LINES = [
    "the cat sat on the mat, the cats can't SIT; naïve 12345\n\n東京  They'LL  \t x",
    "I'll 'S 're  über Ελλάδα  can't don't 2024 2025 the the the the",
] * 3
SPECIALS = ["<|begin|>", "<|end_of|>", "<é>"]


def known(text: str) -> str:
    """A text without the characters that are newer than llama.cpp's tables, which are of Unicode 15."""
    return "".join(char for char in text if unicodedata.category(char) != "Cn")


def merging_bytes(pre: str) -> Tokenizer:
    """A tokenizer that merges as the pre-tokenizer says, with a token that no merge reaches if it may."""
    pattern, ignore_merges, _ = PRE_TOKENIZERS[pre]
    trained = train(LINES, vocab_size=340, pattern=pattern, special_tokens=SPECIALS)
    if not ignore_merges:
        return trained
    ranks = trained.vocabulary.ranks() | {b" mats": trained.n_vocab}
    specials = dict(trained.vocabulary.special_tokens)
    return Tokenizer("ranked", pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)


@pytest.fixture(scope="module", params=["gpt-2", "llama-bpe", "smaug-bpe", "qwen2", "smollm", "qwen35"])
def bytes_pair(request, tmp_path_factory):
    """A tokenizer, the same after a file, and llama.cpp's reading of that file."""
    path = tmp_path_factory.mktemp("gguf") / "file.gguf"
    ours = merging_bytes(request.param)
    save(ours, path, "gguf")
    again = load(path)
    assert again.provenance["gguf"]["tokenizer.ggml.pre"] == request.param
    return ours, again, Llama(path)


def texts():
    special = st.sampled_from([*SPECIALS, "<s>", "</s>", "<unk>", "<0x41>", "'\u017f", " mats", "'S"])
    return st.lists(st.one_of(special, strategies.hostile_text()), max_size=4).map("".join).map(known)


@settings(max_examples=200)
@given(text=texts())
def test_ids_of_merged_bytes_are_those_of_llama_cpp(bytes_pair, text):
    ours, again, theirs = bytes_pair
    ordinary, special = theirs.encode(text), theirs.encode(text, parse_special=True)
    for one in (ours, again):
        assert one.encode_ordinary(text) == ordinary
        assert one.encode(text, allowed_special="all") == special


@pytest.fixture(scope="module", params=["merges", "scores"])
def characters_pair(request, tmp_path_factory):
    """As above, for a tokenizer that merges characters."""
    folder = tmp_path_factory.mktemp("gguf")
    ours = train(LINES, vocab_size=420, byte_fallback=True)
    if request.param == "scores":
        save(ours, folder / "tokenizer.model", "sentencepiece")
        ours = load(folder / "tokenizer.model", add_bos=True)
    save(ours, folder / "file.gguf", "gguf")
    return ours, load(folder / "file.gguf"), Llama(folder / "file.gguf")


@settings(max_examples=200)
@given(text=texts())
def test_ids_of_merged_characters_are_those_of_llama_cpp(characters_pair, text):
    ours, again, theirs = characters_pair
    ordinary, special = theirs.encode(text), theirs.encode(text, parse_special=True)
    for one in (ours, again):
        assert one.encode_ordinary(text) == ordinary
        assert one.encode(text, allowed_special="all") == special


# ---- what the file says of single tokens ---------------------------------------------------------------


def changed(tokenizer: Tokenizer, **more) -> Tokenizer:
    """A tokenizer with other parts."""
    parts = {"provenance": tokenizer.provenance, **tokenizer.extras(), **more}
    pattern = parts.pop("pattern", tokenizer.pattern.source)
    return Tokenizer.from_vocabulary(tokenizer.name, pattern, tokenizer.vocabulary, **parts)


def test_what_goes_around_a_text_and_is_always_found(tmp_path):
    ours = merging_bytes("gpt-2")
    begin, end, always = (ours.vocabulary.special_tokens[text] for text in SPECIALS)
    ours = changed(
        ours,
        template=Template((begin, "A", end), (begin, "A", end, begin, "B", end)),
        added_tokens=[AddedToken("<é>", always, special=False)],
        chat_template="{{ messages }}",
    )
    path = tmp_path / "x.gguf"
    save(ours, path, "gguf")
    again, theirs = load(path), Llama(path)
    assert (again.template, again.added_tokens) == (ours.template, ours.added_tokens)
    assert (again.chat_template, again.name) == (ours.chat_template, ours.name)
    for text in ("the <é> cat<|begin|>", ""):
        assert ours.encode_ordinary(text) == again.encode_ordinary(text) == theirs.encode(text)
        around = again.encode_with_template(text, allowed_special="all")
        assert around == theirs.encode(text, add_special=True, parse_special=True)
    again.save(tmp_path / "y.gguf", "gguf")
    assert (tmp_path / "y.gguf").read_bytes() == path.read_bytes()


def test_any_spelling_of_a_pattern_will_do(tmp_path):
    source = r"""'s|'t|'re|'ve|'m|'ll|'d| ?[\p{L}]+| ?[\p{N}]+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"""
    save(changed(merging_bytes("gpt-2"), pattern=source), tmp_path / "x.gguf", "gguf")
    assert load(tmp_path / "x.gguf").pattern.name == "gpt2"


def test_roles_are_written_and_kept(tmp_path):
    ours = train(LINES, vocab_size=420, byte_fallback=True)
    save(ours, tmp_path / "x.gguf", "gguf")
    kept = load(tmp_path / "x.gguf").provenance["gguf"]
    specials = ours.vocabulary.special_tokens
    assert kept["tokenizer.ggml.unknown_token_id"] == specials["<unk>"]
    assert kept["tokenizer.ggml.bos_token_id"] == specials["<s>"]
    assert kept["tokenizer.ggml.eos_token_id"] == specials["</s>"]
    changed(ours, provenance={"gguf": kept | {"tokenizer.ggml.eos_token_id": specials["<s>"]}}).save(
        tmp_path / "y.gguf", "gguf"
    )
    assert load(tmp_path / "y.gguf").provenance["gguf"]["tokenizer.ggml.eos_token_id"] == specials["<s>"]


@pytest.mark.parametrize("stored", [None, [], {"tokenizer.ggml.eos_token_id": []}, {"x_token_id": True}])
def test_a_provenance_of_anything_is_no_hindrance(tmp_path, stored):
    ours = merging_bytes("gpt-2")
    save(changed(ours, provenance={"gguf": stored}), tmp_path / "x.gguf", "gguf")
    assert load(tmp_path / "x.gguf").vocabulary.tokens() == ours.vocabulary.tokens()


BASE = {
    "general.architecture": "llama",
    "tokenizer.ggml.model": "llama",
    "tokenizer.ggml.tokens": ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256)), "\u2581"],
    "tokenizer.ggml.token_type": [2, 3, 3, *[6] * 256, 1],
    "tokenizer.ggml.scores": [0.0] * 260,
    "tokenizer.ggml.bos_token_id": 1,
    "tokenizer.ggml.eos_token_id": 2,
}


def more(*rows: tuple[str, float, int], **values) -> dict:
    """Metadata with further tokens: text, score and type."""
    texts, scores, kinds = zip(*rows, strict=True) if rows else ((), (), ())
    return {
        **BASE,
        "tokenizer.ggml.tokens": [*BASE["tokenizer.ggml.tokens"], *texts],
        "tokenizer.ggml.scores": [*BASE["tokenizer.ggml.scores"], *scores],
        "tokenizer.ggml.token_type": [*BASE["tokenizer.ggml.token_type"], *kinds],
        **{f"tokenizer.ggml.{key}": value for key, value in values.items()},
    }


@pytest.mark.parametrize(
    "metadata",
    [
        more(("<s", -1.0, 1), ("\u2581a", -1.0, 1), ("a", -3.0, 1), ("<", -4.0, 1)),
        more(("\u2581\u2581", 0.0, 4), ("<x>", 0.0, 4), ("<y>", 0.0, 3)),
        more(("ab", -1.0, 5), ("abc", -2.0, 1), ("bc", -1.5, 1), ("b", 0.0, 1)),
        more(("aa", -1.0, 1), ("ab", -1.0, 1), ("aab", -1.0, 1), add_space_prefix=False),
        more(("<|fim_prefix|>", 0.0, 4), ("</s> ", 0.0, 4), ("a", 0.0, 1), add_bos_token=False),
        more(("é", -1.0, 1), ("éa", -2.0, 1), ("東", -3.0, 3), add_eos_token=True),
    ],
    ids=["control is merged", "always found", "unused", "equal scores", "roles", "characters"],
)
def test_every_type_of_token_is_found_as_llama_cpp_finds_it(tmp_path, metadata):
    path = tmp_path / "x.gguf"
    path.write_bytes(write_metadata(metadata))
    theirs = Llama(path)
    ours = load(path)
    texts = (
        "a b<s>aabab  abc <0x41>x</s> </s><|fim_prefix|> é éa 東 <x><y>   bc", "<s", "", " ", "\u2581a", "ab",
        "  <s>  a", "<x> a<y> a",
    )  # fmt: skip
    for text in texts:
        assert ours.encode_ordinary(text) == theirs.encode(text), text
        assert ours.encode(text, allowed_special="all") == theirs.encode(text, parse_special=True), text
        around = ours.encode_with_template(text, allowed_special="all")
        assert around == theirs.encode(text, add_special=True, parse_special=True), text


@settings(max_examples=150)
@given(
    rows=st.lists(
        st.tuples(
            st.text("ab<>\u2581é", min_size=1, max_size=4),
            st.sampled_from([-2.0, -1.0, -0.5, 0.0]),
            st.sampled_from([1, 1, 1, 3, 4, 5]),
        ),
        max_size=14,
        unique_by=lambda row: row[0],
    ),
    texts=st.lists(st.text("ab<> \u2581é", max_size=12), min_size=3, max_size=3),
    prefix=st.booleans(),
)
def test_any_vocabulary_gives_the_ids_of_llama_cpp(rows, texts, prefix):
    metadata = more(*(row for row in rows if row[0] != "\u2581"), add_space_prefix=prefix)
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/x.gguf"
        save_bytes(path, write_metadata(metadata))
        try:
            ours = load(path)
        except FormatError:  # special tokens that can overlap
            reject()
        theirs = Llama(path)
    for text in texts:
        assert ours.encode_ordinary(text) == theirs.encode(text)
        assert ours.encode(text, allowed_special="all") == theirs.encode(text, parse_special=True)


def save_bytes(path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)


@pytest.mark.parametrize(
    ("metadata", "words"),
    [
        (more(("a", 0.0, 1), ("a", 0.0, 1)), "tokens 260 and 261 are both 'a'"),
        (more(("", 0.0, 1)), "token 260 has 0 characters"),
        (more(("a", 0.0, 9)), "of type 9"),
        (more(("a", float("nan"), 1)), "no finite number"),
        (more(("a b", 0.0, 1)), "holds a space"),
        (more(("<0x4", 0.0, 1), ("1>", 0.0, 1)), "text can become it"),
        (more(("<ab", 0.0, 3), ("b>", 0.0, 3)), "can overlap"),
        (more(("<|message|>", 0.0, 3)), "changes the type of '<|message|>'"),
        (more(("<|im_end|>", 0.0, 3), ("<|end|>", 0.0, 3)), None),
        (more(("<PRE>", 0.0, 4), ("<fim_prefix>", 0.0, 4)), "left to chance"),
        (more(("<PRE>", 0.0, 4), ("<fim_prefix>", 0.0, 4), fim_pre_token_id=260), None),
        (more(bos_token_id=999), "which is no token"),
        (more(bos_token_id="1"), "must be a int"),
        (more(scores=[0.0]), "a number for each"),
        (more(token_type=["x"]), "a number for each"),
        (more(tokens=[1]), "must be a list"),
        (more(tokens=["a"], scores=[0.0], token_type=[1]), "no token <0x00>"),
        (more(tokens=[*BASE["tokenizer.ggml.tokens"][:-1], "x"]), "bytes of U.2581"),
        (more(model="bert"), "'tokenizer.ggml.model' is 'bert'"),
        (more(model=7), "must be a str"),
        (more(model="gpt2"), "no 'tokenizer.ggml.pre'"),
        (more(model="gpt2", pre="tekken"), "'tokenizer.ggml.pre' is 'tekken'"),
        (more(model="gpt2", pre="gpt-2"), "of the type for bytes"),
        ({**BASE, "general.name": "My Phi-3 model"}, "phi-3"),
        ({"general.architecture": "llama"}, "no 'tokenizer.ggml.model'"),
    ],
)
def test_what_is_not_the_same_is_refused(tmp_path, metadata, words):
    path = tmp_path / "x.gguf"
    path.write_bytes(write_metadata(metadata))
    if words is None:
        assert load(path).n_vocab == len(metadata["tokenizer.ggml.tokens"])
    else:
        with pytest.raises(FormatError, match=words):
            load(path)


@pytest.mark.parametrize("rows", [["a b", "a b"], ["#version x"], ["a"], ["a  b"], ["a zz"]])
def test_damaged_merges_are_refused(tmp_path, rows):
    path = tmp_path / "x.gguf"
    save(merging_bytes("gpt-2"), path, "gguf")
    with open(path, "rb") as file:
        metadata = read_metadata(file, "x", lambda key: key != "tokenizer.ggml.merges")
    metadata["tokenizer.ggml.token_type"] = list(metadata["tokenizer.ggml.token_type"])
    path.write_bytes(write_metadata({**metadata, "tokenizer.ggml.merges": rows}))
    with pytest.raises(FormatError, match="merge"):
        load(path)


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (get_encoding("cl100k_base"), "does not cut texts by the split pattern"),
        (changed(merging_bytes("gpt-2"), normalizer=NFC()), "'normalizer'"),
        (changed(merging_bytes("gpt-2"), template=Template((0, 1, "A"))), "more than one token before"),
        (changed(merging_bytes("gpt-2"), pattern="metaspace"), "split pattern"),
        (changed(merging_bytes("gpt-2"), chat_template="\ud800"), "lone surrogate"),
        (
            Tokenizer("x", pat_str="gpt2", mergeable_ranks={b"a": 0}, special_tokens={}),
            "no token for byte 0x09",
        ),
        (
            Tokenizer(
                "x",
                pat_str="gpt2",
                mergeable_ranks={**{bytes([byte]): byte for byte in range(256)}, b"abc": 256},
                special_tokens={},
            ),
            "only ever taken as a whole piece",
        ),
        (
            Tokenizer(
                "x",
                pat_str="gpt2",
                mergeable_ranks={bytes([byte]): byte for byte in range(256)},
                special_tokens={"<s>": 300},
            ),
            "id 256 has none",
        ),
        (
            Tokenizer(
                "x",
                pat_str="gpt2",
                mergeable_ranks={bytes([byte]): byte for byte in range(256)},
                special_tokens={"<|message|>": 256},
            ),
            "changes the type",
        ),
        (
            train(LINES, vocab_size=420, byte_fallback=True, normalizer="nfkc"),
            "no normalizer|no more than put a space|maps of characters",
        ),
    ],
)
def test_what_llama_cpp_cannot_hold_is_refused(tmp_path, tokenizer, words):
    with pytest.raises(FormatError, match=words):
        save(tokenizer, tmp_path / "x.gguf", "gguf")
    assert not any(tmp_path.iterdir())


# ---- the package gguf ----------------------------------------------------------------------------------


def test_the_package_reads_what_is_written(tmp_path):
    gguf = pytest.importorskip("gguf", reason="gguf is not installed")
    path = tmp_path / "x.gguf"
    path.write_bytes(write_metadata(more(("a", -1.5, 1), add_bos_token=True, add_eos_token=False)))
    reader = gguf.GGUFReader(path)
    found = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    assert found == more(("a", -1.5, 1), add_bos_token=True, add_eos_token=False)
    assert reader.tensors == []


def test_what_the_package_writes_is_read(tmp_path):
    """With keys of all types in between, and a tensor behind."""
    gguf = pytest.importorskip("gguf", reason="gguf is not installed")
    np = pytest.importorskip("numpy")
    path = tmp_path / "x.gguf"
    ours = merging_bytes("qwen2")
    ours.save(tmp_path / "ours.gguf", "gguf")
    with open(tmp_path / "ours.gguf", "rb") as file:
        metadata = read_metadata(file, "x", lambda key: True)
    writer = gguf.GGUFWriter(path, "qwen2")
    for kind in ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64"):
        getattr(writer, f"add_{kind}")(f"x.{kind}", 7)
    writer.add_float32("x.float32", 0.5)
    writer.add_float64("x.float64", 0.5)
    writer.add_array("x.floats", [0.5, 1.5])
    writer.add_array("x.texts", ["a", "b"])
    writer.add_array("x.flags", [True, False])
    writer.add_name("a model")
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(metadata["tokenizer.ggml.tokens"])
    writer.add_token_types(list(metadata["tokenizer.ggml.token_type"]))
    writer.add_token_merges(metadata["tokenizer.ggml.merges"])
    writer.add_tensor("weights", np.ones((4, 4), np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    again = load(path)
    assert again.name == "a model"
    assert again.vocabulary.tokens() == ours.vocabulary.tokens()
    assert again.vocabulary.merges().tolist() == ours.vocabulary.merges().tolist()
    assert again.vocabulary.special_tokens == ours.vocabulary.special_tokens
    text = "the cats can't sit <|begin|>"
    assert again.encode(text, allowed_special="all") == ours.encode(text, allowed_special="all")


# ---- hostile files -------------------------------------------------------------------------------------


def head(n_keys: int, version: int = 3) -> bytes:
    return b"GGUF" + struct.pack("<IQQ", version, 0, n_keys)


def key(name: str) -> bytes:
    return struct.pack("<Q", len(name)) + name.encode()


HUGE = 1 << 62
HOSTILE = {
    "magic only": b"GGUF",
    "version 1": head(0, 1),
    "big-endian": b"GGUF" + struct.pack(">IQQ", 3, 0, 0),
    "no key": head(0),
    "many keys": head(HUGE),
    "fewer keys than said": head(9),
    "long key": head(1) + struct.pack("<Q", HUGE),
    "key that is no UTF-8": head(1) + struct.pack("<Q", 2) + b"\xff\xfe",
    "key twice": head(2) + 2 * (key("a") + struct.pack("<IB", 0, 1)),
    "long text": head(1) + key("tokenizer.x") + struct.pack("<IQ", 8, HUGE),
    "long text that is skipped": head(1) + key("x") + struct.pack("<IQ", 8, HUGE),
    "many texts": head(1) + key("tokenizer.x") + struct.pack("<IIQ", 9, 8, HUGE),
    "many texts that are skipped": head(1) + key("x") + struct.pack("<IIQ", 9, 8, 1 << 40),
    "many numbers": head(1) + key("tokenizer.x") + struct.pack("<IIQ", 9, 4, HUGE),
    "many numbers that are skipped": head(1) + key("x") + struct.pack("<IIQ", 9, 12, HUGE),
    "lists in lists": head(1) + key("x") + struct.pack("<IIQ", 9, 9, 1) * 1000,
    "unknown type": head(1) + key("x") + struct.pack("<IQ", 13, 1),
    "list of an unknown type": head(1) + key("x") + struct.pack("<IIQ", 9, 99, 1),
    "text that is no UTF-8": head(1) + key("tokenizer.x") + struct.pack("<IQ", 8, 1) + b"\xff",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_hostile_files_are_refused(tmp_path, what):
    path = tmp_path / "x.gguf"
    path.write_bytes(HOSTILE[what])
    with pytest.raises(FormatError, match=r"x\.gguf"):
        load(path)


def test_a_file_behind_the_metadata_is_not_read(tmp_path):
    """A model of many gigabytes, most of which is a hole here."""
    path = tmp_path / "x.gguf"
    path.write_bytes(write_metadata(BASE))
    with open(path, "r+b") as file:
        file.truncate(1 << 40)
    assert load(path).n_vocab == 260


@given(st.data())
def test_a_damaged_file_is_refused_or_another_tokenizer(data):
    content = bytearray(write_metadata(more(("a", -1.0, 1), ("ab", 0.0, 1))))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(4, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    cut = bytes(content[: data.draw(st.integers(4, len(content)))])
    with contextlib.suppress(FormatError):
        assert reading.read(io.BytesIO(cut), "x").encode_ordinary("ab") is not None
