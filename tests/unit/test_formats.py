"""Tokenizer files: what is written comes back, what is damaged or foreign is refused, nothing is lost."""

import errno
import gzip
import hashlib
import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest

from bpetok import Tokenizer, Vocabulary, get_encoding, train
from bpetok.added_tokens import AddedToken
from bpetok.bytelevel import spell, unspell
from bpetok.errors import EncodeError, FormatError, VocabularyError
from bpetok.formats import FORMATS, atomic, checks, load, paths, recognise
from bpetok.formats.file import File
from bpetok.normalization import NFC
from bpetok.splits import Digits, Splits
from files import everything, refused, signed

# The formats that hold any byte-level tokenizer of a known pattern.
GENERAL = ("native", "tiktoken", "huggingface")
BYTES = {bytes([byte]): byte for byte in range(256)}
TEXT = "the cat sat on the mat, the cats can't sit\n  \nthat's 12345 naïve <s> 東京  \n "


def trained(**options) -> Tokenizer:
    settings = {"vocab_size": 300, "pattern": "cl100k", "special_tokens": ["<s>", "<é>"], **options}
    return train([TEXT * 3], **settings)


def ranked() -> Tokenizer:
    """Ranks with a gap, a token that no merge reaches, and bytes whose ids are not their values."""
    ranks = {bytes([byte]): (byte + 7) % 256 for byte in range(256)}
    ranks |= {b"th": 256, b"the": 258, b" cat": 300, b"at": 301}
    return Tokenizer("ranked", pat_str="o200k", mergeable_ranks=ranks, special_tokens={"<s>": 257})


def same(one: Tokenizer, other: Tokenizer) -> None:
    """See that two tokenizers agree in what every format keeps."""
    if len(one.vocabulary):
        assert one.encode(TEXT, allowed_special="all") == other.encode(TEXT, allowed_special="all")
    assert dict(one.vocabulary.special_tokens) == dict(other.vocabulary.special_tokens)
    assert one.vocabulary.tokens() == other.vocabulary.tokens()
    assert one.n_vocab == other.n_vocab


def identical(one: Tokenizer, other: Tokenizer) -> None:
    """See that two tokenizers agree in everything that there is."""
    same(one, other)
    assert everything(one) == everything(other)


# ---- all formats -------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [trained, ranked], ids=["merges", "ranks"])
@pytest.mark.parametrize("format", GENERAL)
def test_what_is_saved_is_loaded_whatever_the_file_is_called(tmp_path, make, format):
    tokenizer = make()
    path = tmp_path / "file.unknown"
    tokenizer.save(path, format)
    same(tokenizer, Tokenizer.load(path))
    same(tokenizer, Tokenizer.load(str(path)))
    assert not list(tmp_path.glob(".bpetok-*"))


@pytest.mark.parametrize("format", GENERAL)
def test_saving_twice_gives_the_same_bytes(tmp_path, format):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        trained().save(tmp_path / name / "file", format)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes()


def test_an_unknown_format_is_refused(tmp_path):
    with pytest.raises(FormatError, match="unknown format 'pickle' to write: use one of native, tekken"):
        trained().save(tmp_path / "file", "pickle")
    assert not list(tmp_path.iterdir())


def test_a_file_of_each_general_format_looks_like_it_alone(tmp_path):
    for format in GENERAL:
        path = tmp_path / format
        trained().save(path, format)
        file = File(str(path))
        assert recognise(file) == format
        assert [name for name, known in FORMATS.items() if known.load().looks_like(file)] == [format]


def test_the_paths_are_those_that_are_written(tmp_path):
    for format in GENERAL:
        folder = tmp_path / format
        folder.mkdir()
        trained().save(folder / "file", format)
        assert {str(path) for path in folder.iterdir()} == set(paths(str(folder / "file"), format))


def test_a_folder_stands_for_the_file_that_its_library_would_read(tmp_path):
    trained().save(tmp_path / "tokenizer.json", "huggingface")
    same(trained(), load(tmp_path))


def test_a_folder_of_transformers_is_written_and_read(tmp_path):
    folder = tmp_path / "new" / "folder"
    tokenizer = trained(special_tokens=["<s>", "<|endoftext|>"])
    tokenizer.save(folder, "transformers")
    assert {str(path) for path in folder.iterdir()} == set(paths(str(folder), "transformers"))
    loaded = load(folder)
    same(tokenizer, loaded)
    assert loaded.name == "folder"
    assert loaded.provenance["transformers"]["eos_token"] == "<|endoftext|>"
    # Its tokenizer.json by itself is a file like any other.
    assert recognise(File(str(folder / "tokenizer.json"))) == "huggingface"
    assert "transformers" not in load(folder / "tokenizer.json").provenance
    refused(folder, "without these arguments", pattern="gpt2")
    refused(folder, "needs no add_eos", add_eos=True)


@pytest.mark.parametrize("name", ["tekken.json", "added_tokens.json"])
def test_a_folder_with_a_file_of_another_tokenizer_is_not_written_to(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(FormatError, match=f"holds {name} of another tokenizer"):
        trained().save(tmp_path, "transformers")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_folder_that_could_not_be_filled_is_removed(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        trained().save(tmp_path / "new" / "folder", "transformers")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("more", "word"),
    [
        ({"normalizer": NFC()}, "'normalizer'"),
        ({"added_tokens": [AddedToken("<s>", 300, special=False)]}, "'added_tokens'"),
        ({"splits": Splits((Digits(individual=True),))}, "several steps"),
    ],
)
def test_ranks_hold_no_preparation(tmp_path, more, word):
    vocabulary = Vocabulary.from_ranks(BYTES, {"<s>": 300})
    pattern = more.pop("splits", "gpt2")
    tokenizer = Tokenizer.from_vocabulary("n", pattern, vocabulary, **more)
    with pytest.raises(FormatError, match=word):
        tokenizer.save(tmp_path / "file", "tiktoken")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("data", "word"),
    [
        (b"", "empty"),
        (b" \n\n", "empty"),
        (gzip.compress(b"{}", mtime=0), "gzip"),
        (b"PK\3\4", "zip"),
        (b"\xef\xbb\xbf{}", "byte-order mark"),
        (b"\xff\xfe{\0}\0", "UTF-16"),
        (b"#version: 0.2\na b\n", "vocab.json beside it"),
        (b"\x80\x04\x95", "Tokenizer.from_tiktoken"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"GGUF\3\0\0\0", "truncated"),
        (b"\x0a\x0e\x0a\x05<unk>", "native file"),
        (b"hello world\n", "native file"),
        (b" " * 5000, "empty"),
        (b"[1, 2]", "native file"),
        (b"{}", "neither 'format' nor 'model'"),
        (b'{"format": "other"}', "neither"),
        (b"{", "truncated or not valid JSON"),
        (b'{"format": "bpetok", "format": "bpetok"}', "given twice"),
        (b'{"format": NaN}', "NaN"),
        (b'{"format": 1e999}', "too large"),
        (b'{"format": ' + b"9" * 10_000 + b"}", "not valid JSON"),
        (b'{"a": ' * 100_000, "nested too deeply"),
        (b'{"a": ' + b"[" * 100_000, "nested too deeply"),
        (b'{"format": "bpetok\xff"}', "not valid UTF-8 at byte 18"),
    ],
)
def test_what_is_no_tokenizer_is_refused(tmp_path, data, word):
    path = tmp_path / "file"
    path.write_bytes(data)
    refused(path, word)


def test_what_is_no_file_is_refused(tmp_path):
    refused(tmp_path, "not a regular file")
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "not a regular file")
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")


def test_the_largest_id_is_that_of_vocabularies(tmp_path):
    tokenizer = Tokenizer("m", pat_str="gpt2", mergeable_ranks={b"a": checks.MAX_ID}, special_tokens={})
    for format in ("native", "tiktoken"):
        tokenizer.save(tmp_path / "file", format)
        assert load(tmp_path / "file").encode("a") == [checks.MAX_ID]
    with pytest.raises(VocabularyError):
        Vocabulary.from_ranks({b"a": checks.MAX_ID + 1}, {})


def test_a_file_that_is_too_large_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "file"
    trained().save(path)
    monkeypatch.setattr(checks, "MAX_FILE", 1000)
    refused(path, "larger than")
    with pytest.raises(FormatError, match=r"cannot write .* larger than"):
        trained().save(path)


@pytest.mark.parametrize("format", GENERAL)
@pytest.mark.parametrize("change", [{"name": "\ud800"}, {"name": None}, {"special_tokens": {"\ud800": 300}}])
def test_what_no_file_can_hold_is_not_written(tmp_path, format, change):
    parts = {"name": "n", "special_tokens": {}, **change}
    vocabulary = Vocabulary.from_ranks(BYTES, parts["special_tokens"])
    with pytest.raises(FormatError, match="lone surrogates"):
        Tokenizer.from_vocabulary(parts["name"], "gpt2", vocabulary).save(tmp_path / "file", format)
    assert not list(tmp_path.iterdir())


# ---- writing -----------------------------------------------------------------------------------------


def fail(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("format", GENERAL)
@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_failure_leaves_the_old_files_and_nothing_else(tmp_path, monkeypatch, format, call):
    path = tmp_path / "file"
    ranked().save(path, format)
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    monkeypatch.setattr(atomic.os, call, fail)
    with pytest.raises(OSError, match="No space"):
        trained().save(path, format)
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


@pytest.mark.parametrize("existing", [True, False])
def test_when_the_second_of_two_files_fails_the_first_is_put_back(tmp_path, monkeypatch, existing):
    path = tmp_path / "file"
    if existing:
        ranked().save(path, "tiktoken")
    before = {file: file.read_bytes() for file in tmp_path.iterdir()}
    replace = os.replace

    def fail_for_ranks(source, target):
        if str(target) == str(path):
            raise KeyboardInterrupt
        replace(source, target)

    monkeypatch.setattr(atomic.os, "replace", fail_for_ranks)
    with pytest.raises(KeyboardInterrupt):
        trained().save(path, "tiktoken")
    assert {file: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_permissions_are_those_that_a_file_has_or_would_get(tmp_path):
    path = tmp_path / "file"
    old = os.umask(0o027)
    try:
        trained().save(path)
    finally:
        os.umask(old)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    trained().save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o604


def test_a_symbolic_link_is_followed(tmp_path):
    (tmp_path / "there").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "there" / "file")
    trained().save(link)
    assert link.is_symlink()
    identical(load(tmp_path / "there" / "file"), trained())


def test_only_files_are_written_to(tmp_path):
    with pytest.raises(FormatError, match="not a regular file"):
        trained().save(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(FormatError, match="not a regular file"):
        trained().save(tmp_path / "pipe")
    with pytest.raises(FileNotFoundError) as caught:
        trained().save(tmp_path / "missing" / "file")
    assert caught.value.filename == str(tmp_path / "missing")
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


# ---- native ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        trained,
        ranked,
        lambda: trained(tie_break="huggingface"),
        lambda: trained(pattern=r"\w+|[^\w]+", special_tokens=[], name="mine\u2028\n"),
        lambda: trained(vocab_size=258),
        lambda: Tokenizer("word", pat_str="word", mergeable_ranks=BYTES, special_tokens={}),
        lambda: Tokenizer.from_vocabulary("", "gpt2", Vocabulary.from_merges({}, [], {})),
        lambda: get_encoding("gpt2"),
    ],
)
def test_native_keeps_everything(tmp_path, make):
    tokenizer = make()
    tokenizer.save(tmp_path / "file")
    identical(tokenizer, load(tmp_path / "file"))
    assert all(byte < 0x80 for byte in (tmp_path / "file").read_bytes())


def test_native_keeps_a_token_that_is_used_before_it_is_made(tmp_path):
    tokens = {**{byte: bytes([byte]) for byte in range(256)}, 256: b"abc", 257: b"ab", 258: b"bc"}
    merges = [(257, 99), (97, 98), (98, 99), (97, 258)]  # abc by two ways, the first before its part ab
    for ignore_merges in (False, True):
        vocabulary = Vocabulary.from_merges(
            tokens,
            merges,
            {"<s>": 300, "abc": 256},
            ignore_merges=ignore_merges,
            merge_counts=np.array([5, -(2**63), 2**63 - 1, 0]),
        )
        tokenizer = Tokenizer.from_vocabulary(
            "m", "gpt2", vocabulary, provenance={"a": [1, 0.1, None, True, "\ud800"]}
        )
        tokenizer.save(tmp_path / "file")
        identical(tokenizer, load(tmp_path / "file"))


@pytest.mark.parametrize("value", [(1, 2), {1: 2}, float("nan"), {1, 2}, b"x", object(), "\ud83d\ude00"])
def test_a_provenance_that_would_not_come_back_is_refused(tmp_path, value):
    if value == "\ud83d\ude00":
        value = "\ud83d" + "\ude00"
    tokenizer = Tokenizer.from_vocabulary(
        "p", "gpt2", Vocabulary.from_ranks(BYTES, {}), provenance={"a": value}
    )
    with pytest.raises(FormatError, match="provenance"):
        tokenizer.save(tmp_path / "file")
    assert not list(tmp_path.iterdir())


def test_a_deep_provenance_is_refused(tmp_path):
    deep: list = []
    for _ in range(100_000):
        deep = [deep]
    tokenizer = Tokenizer.from_vocabulary(
        "p", "gpt2", Vocabulary.from_ranks(BYTES, {}), provenance={"a": deep}
    )
    with pytest.raises(FormatError, match="provenance"):
        tokenizer.save(tmp_path / "file")
    while deep:
        deep = deep[0]


def test_a_token_that_is_too_long_is_not_written(tmp_path):
    ranks = {**BYTES, b"a" * (checks.MAX_TOKEN + 1): 256}
    tokenizer = Tokenizer("long", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={})
    for format in GENERAL:
        with pytest.raises(FormatError, match=r"max_token_length|at most"):
            tokenizer.save(tmp_path / "file", format)
    assert not list(tmp_path.iterdir())


def native(path: Path, tokenizer: Tokenizer | None = None) -> dict:
    (tokenizer or trained()).save(path)
    return json.loads(path.read_bytes())


def test_the_checksum_is_the_documented_one(tmp_path):
    path = tmp_path / "file"
    document = native(path)
    assert json.loads(signed(document))["sha256"] == document["sha256"]
    path.write_bytes(signed(document))
    identical(load(path), trained())


@pytest.mark.parametrize("share", [0.0001, 0.01, 0.3, 0.5, 0.9, 0.9999])
def test_a_truncated_native_file_is_refused(tmp_path, share):
    path = tmp_path / "file"
    trained().save(path)
    data = path.read_bytes()
    path.write_bytes(data[: max(1, int(len(data.rstrip()[:-1]) * share))])
    refused(path, "truncated")


@pytest.mark.parametrize("key", ["name", "pattern", "special_tokens", "tokens", "merges", "merge_counts"])
def test_any_change_is_noticed(tmp_path, key):
    path = tmp_path / "file"
    document = native(path)
    value = document[key]
    document[key] = value[:-1] if isinstance(value, list | str) else dict(list(value.items())[:-1])
    path.write_text(json.dumps(document))
    refused(path, "SHA-256")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"version": 3}, ["version 3", "install the release"]),
        ({"version": True}, ["'version'"]),
        ({"version": "1"}, ["'version'"]),
        ({"extra": 1}, ["'extra'"]),
        ({"name": None}, ["'name'"]),
        ({"name": 5}, ["'name'"]),
        ({"name": "\ud800"}, ["name", "surrogate"]),
        ({"pattern": "\ud800"}, ["pattern", "surrogate"]),
        ({"pattern": ""}, ["split pattern has 0"]),
        ({"pattern": "a" * 20_000}, ["split pattern has 20000"]),
        ({"pattern": "cl100k"}, ["is a name"]),
        ({"pattern": "(a"}, ["does not compile"]),
        ({"pattern": "a*"}, ["empty string"]),
        ({"pattern": "(" * 5000 + "a" + ")" * 5000}, ["nested too deeply"]),
        ({"pattern": "(?:(?:a?){9999}){9999}b"}, ["repeat counts"]),
        ({"pattern": "(?:" * 40 + "a?" + "){2}" * 40}, ["repeat counts"]),
        ({"pattern": "a{1,99999999999999999999}"}, ["repeat counts"]),
        ({"semantics": "other"}, ["'semantics'"]),
        ({"semantics": []}, ["'semantics'"]),
        ({"semantics": "ranks"}, ["'merge_counts'"]),
        ({"semantics": "ranks", "ignore_merges": True}, ["'semantics'"]),
        ({"ignore_merges": 1}, ["'ignore_merges'"]),
        ({"special_tokens": []}, ["'special_tokens'"]),
        ({"special_tokens": {"": 300}}, ["special token"]),
        ({"special_tokens": {"\ud800": 300}}, ["surrogate"]),
        ({"special_tokens": {"a": -1}}, ["from 0 to 16776959"]),
        ({"special_tokens": {"a": 1 << 24}}, ["from 0 to 16776959"]),
        ({"special_tokens": {"a": 10**30}}, ["from 0 to 16776959"]),
        ({"special_tokens": {"a": checks.MAX_ID + 1}}, ["from 0 to 16776959"]),
        ({"special_tokens": {"a": True}}, ["from 0 to 16776959"]),
        ({"special_tokens": {"a": 1.0}}, ["from 0 to 16776959"]),
        ({"provenance": []}, ["'provenance'"]),
        ({"tokens": {}}, ["'tokens'"]),
        ({"tokens": [[0, "00"], 5]}, ["row 1 of 'tokens'"]),
        ({"tokens": [[0, "0"]]}, ["row 0 of 'tokens'"]),
        ({"tokens": [[0, ""]]}, ["row 0 of 'tokens'"]),
        ({"tokens": [[0, "AB"]]}, ["row 0 of 'tokens'"]),
        ({"tokens": [[0, " 61"]]}, ["row 0 of 'tokens'"]),
        ({"tokens": [[0, "zz"]]}, ["row 0 of 'tokens'"]),
        ({"tokens": [[0, 61]]}, ["row 0 of 'tokens'"]),
        ({"tokens": [[-1, "61"]]}, ["row 0 of 'tokens'"]),
        ({"tokens": [[0, "61"], [0, "62"]]}, ["token 0 is spelled twice"]),
        ({"tokens": [[0, "61"], [1, "61"]], "merges": [], "merge_counts": None}, ["two ids, 0 and 1"]),
        ({"merges": None}, ["'merges'"]),
        ({"merges": [[0, 1]]}, ["row 0 of 'merges'"]),
        ({"merges": [[0, 1, 2.0]]}, ["row 0 of 'merges'"]),
        ({"merges": [[0, 1, 1 << 24]]}, ["row 0 of 'merges'"]),
        ({"merges": [[0, 1, True]]}, ["row 0 of 'merges'"]),
        ({"merges": [[0, 5000, 256]]}, ["row 0 of 'merges' uses id 5000"]),
        ({"merges": [[0, 1, 7]]}, ["row 0 of 'merges' joins", "which is"]),
        ({"merges": [[0, 1, 256]]}, ["merge counts were given"]),
        ({"merges": [[0, 1, 256]] * 2, "merge_counts": None}, ["merged twice"]),
        ({"merge_counts": 5}, ["'merge_counts'"]),
        ({"merge_counts": [1 << 63]}, ["'merge_counts'"]),
        ({"merge_counts": [1.5]}, ["'merge_counts'"]),
        ({"merge_counts": [True]}, ["'merge_counts'"]),
        # forty rows that ask for a terabyte
        (
            {"merges": [[97, 97, 256], *([256 + n, 256 + n, 257 + n] for n in range(40))]},
            ["row 20 of 'merges' asks for a token of 2097152 bytes"],
        ),
    ],
)  # fmt: skip
def test_a_native_file_that_contradicts_the_format_is_refused(tmp_path, changes, words):
    path = tmp_path / "file"
    document = native(path)
    path.write_bytes(signed({**document, **changes}))
    refused(path, *words)


@pytest.mark.parametrize("key", ["version", "name", "pattern", "tokens", "merges", "sha256", "provenance"])
def test_a_missing_part_is_named(tmp_path, key):
    path = tmp_path / "file"
    document = native(path)
    document.pop("sha256")
    document.pop(key, None)
    path.write_bytes(signed(document) if key != "sha256" else json.dumps(document).encode())
    refused(path, f"has no '{key}'")


def test_ranks_whose_merges_are_others_are_refused(tmp_path):
    path = tmp_path / "file"
    document = native(path, ranked())
    merges = document["merges"]
    path.write_bytes(signed({**document, "merges": [merges[-1], *merges[:-1]]}))
    refused(path, "not those that its ranks give")
    path.write_bytes(signed({**document, "tokens": [*document["tokens"], [400, "61"]]}))
    refused(path, "same bytes")


def test_many_merged_tokens_of_great_length_are_refused(tmp_path):
    # Each row is short, joins two tokens of half a mebibyte, and gives another pair.
    half = ["61" * (1 << 19), *("62" + "61" * n for n in range(0, 2000, 2))]
    rows = [[0, n + 1, 5000 + n] for n in range(200)]
    document = native(tmp_path / "file")
    document |= {"tokens": [[n, text] for n, text in enumerate(half)], "merges": rows, "merge_counts": None}
    (tmp_path / "file").write_bytes(signed(document))
    refused(tmp_path / "file", "at most 1048576 and 67108864 are allowed")


# ---- tiktoken ----------------------------------------------------------------------------------------


def test_the_ranks_are_lines_and_the_rest_is_beside_them(tmp_path):
    path = tmp_path / "toy.tiktoken"
    ranked().save(path, "tiktoken")
    lines = path.read_bytes().splitlines()
    assert lines[0] == b"+Q== 0"
    assert lines[-2:] == [b"IGNhdA== 300", b"YXQ= 301"]
    beside = json.loads((tmp_path / "toy.tiktoken.json").read_bytes())
    assert beside["name"] == "ranked"
    assert beside["special_tokens"] == {"<s>": 257}
    assert beside["ranks_sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    refused(tmp_path / "toy.tiktoken.json", "load that one", str(path))
    identical(load(path), ranked())


@pytest.mark.parametrize("name", ["r50k_base", "p50k_base", "cl100k_base", "o200k_base"])
def test_a_published_file_is_known_by_its_content(tmp_path, name):
    path = tmp_path / "whatever"
    get_encoding(name).save(path, "tiktoken")
    (tmp_path / "whatever.json").unlink()
    assert load(path) is get_encoding(name)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert load(path) is get_encoding(name)
    renamed = load(path, name="other")
    assert renamed.name == "other"
    assert renamed.special_tokens_set == get_encoding(name).special_tokens_set
    assert load(path, special_tokens={"<s>": 300_000}).special_tokens_set == {"<s>"}


def test_other_ranks_need_to_be_told_their_pattern(tmp_path):
    path = tmp_path / "toy.tiktoken"
    ranked().save(path, "tiktoken")
    (tmp_path / "toy.tiktoken.json").unlink()
    refused(path, "load(path, pattern=..., special_tokens=...)")
    given = load(path, pattern="o200k", special_tokens={"<s>": 257}, name="ranked")
    identical(given, ranked())
    bare = load(path, pattern="o200k")
    assert (bare.name, bare.special_tokens_set) == ("toy", set())
    refused(path, "unknown pattern name", pattern="o200")
    refused(path, "does not compile", pattern="(")
    refused(path, "from 0 to", pattern="o200k", special_tokens={"<s>": -1})


def test_arguments_are_for_tiktoken_files_only(tmp_path):
    for format in ("native", "huggingface"):
        trained().save(tmp_path / format, format)
        for arguments in ({"pattern": "gpt2"}, {"special_tokens": {}}, {"name": "n"}):
            refused(tmp_path / format, "without these arguments", **arguments)


def test_the_file_beside_the_ranks_must_belong_to_them(tmp_path):
    path, beside = tmp_path / "file", tmp_path / "file.json"
    ranked().save(path, "tiktoken")
    good = json.loads(beside.read_bytes())
    for changes, word in [
        ({"version": 2}, "version 2"),
        ({"ranks_sha256": "00"}, "other ranks"),
        ({"pattern": 5}, "'pattern'"),
        ({"special_tokens": {"": 1}}, "special token"),
        ({"format": "other"}, "does not belong"),
    ]:
        beside.write_text(json.dumps({**good, **changes}))
        with pytest.raises(FormatError, match=word):
            load(path)
    beside.write_text("[]")
    with pytest.raises(FormatError, match="does not belong"):
        load(path)
    assert load(path, pattern="gpt2").name == "file"


def test_a_file_of_another_kind_is_not_overwritten(tmp_path):
    beside = tmp_path / "tok.json"
    trained().save(beside, "huggingface")
    before = beside.read_bytes()
    with pytest.raises(FormatError, match="in the way"):
        ranked().save(tmp_path / "tok", "tiktoken")
    assert [file.name for file in tmp_path.iterdir()] == ["tok.json"]
    assert beside.read_bytes() == before


def test_merges_without_equivalent_ranks_are_refused(tmp_path):
    tokens = [*(bytes([byte]) for byte in range(256)), b"cd", b"ab"]
    vocabulary = Vocabulary.from_merges(tokens, [(97, 98), (99, 100)], {})
    tokenizer = Tokenizer.from_vocabulary("m", "gpt2", vocabulary)
    with pytest.raises(FormatError, match="'native' or 'huggingface'"):
        tokenizer.save(tmp_path / "file", "tiktoken")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"YWI=", ["is not a token in base64"]),
        (b"YWI= -5", ["is not a token in base64"]),
        (b"YWI= 5 6", ["is not a token in base64"]),
        (b"YWI 256", ["is not a token in base64"]),
        (b"Y*I= 256", ["is not a token in base64"]),
        (b"= 256", ["is not a token in base64"]),
        (b"YWI= 2x", ["is not a token in base64"]),
        ("YWI= ٢٥٦".encode(), ["is not a token in base64"]),
        (b"YWI= 16777216", ["at most"]),
        (b"YWI= 99999999999999999999", ["is not a token in base64"]),
        (b"YWI= 255", ["rank 255 is given a second time"]),
        (b"YQ== 256", ["the token b'a' is given a second time"]),
    ],
)  # fmt: skip
def test_a_damaged_line_is_named(tmp_path, line, words):
    path = tmp_path / "file"
    Tokenizer("b", pat_str="gpt2", mergeable_ranks=BYTES, special_tokens={}).save(path, "tiktoken")
    path.write_bytes(path.read_bytes() + line + b"\n")
    refused(path, "line 257", *words, pattern="gpt2")


# ---- Hugging Face ------------------------------------------------------------------------------------


def hugging(path: Path, tokenizer: Tokenizer | None = None) -> dict:
    (tokenizer or trained(pattern="gpt2")).save(path, "huggingface")
    return json.loads(path.read_bytes())


def test_bytes_are_spelled_visibly():
    everything = bytes(range(256))
    assert unspell(spell(everything)) == everything
    assert len(set(spell(everything))) == 256
    assert spell(everything).isprintable()
    assert unspell("東") is None
    assert spell("\n é".encode()) == "ĊĠÃ©"


@pytest.mark.parametrize(
    "pre_tokenizer",
    [
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": False},
        {
            "type": "Sequence",
            "pretokenizers": [{"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True}],
        },
        {
            "type": "Sequence",
            "pretokenizers": [
                {
                    "type": "Split",
                    "pattern": {
                        "Regex": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+"
                        r"|\s+(?!\S)|\s+"
                    },
                    "behavior": "Removed",
                    "invert": True,
                },
                {
                    "type": "ByteLevel",
                    "add_prefix_space": False,
                    "trim_offsets": True,
                    "use_regex": False,
                },
            ],
        },
    ],
)
def test_the_shapes_of_files_in_use_are_read(tmp_path, pre_tokenizer):
    path = tmp_path / "file"
    document = hugging(path)
    expected = trained(pattern="gpt2")
    document["pre_tokenizer"] = pre_tokenizer
    document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    del document["model"]["type"]
    document["model"] |= {"continuing_subword_prefix": "", "end_of_word_suffix": "", "dropout": 0.0}
    document["post_processor"] = {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": False}
    document["added_tokens"] = [{**added, "normalized": True} for added in document["added_tokens"]]
    path.write_text(json.dumps(document))
    same(load(path), expected)
    assert load(path).vocabulary.merges().tolist() == expected.vocabulary.merges().tolist()


def test_an_end_of_text_is_written_and_read_in_a_spelling_that_all_engines_share(tmp_path):
    path = tmp_path / "file"
    document = hugging(path, trained(pattern="cl100k"))
    source = document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"]
    assert r"|\s+(?![\s\S])|\s*[\r\n]|" in source
    assert "$" not in source
    assert "++" not in source
    for end in (r"(?![\s\S])", r"\z"):
        changed = source.replace(r"(?![\s\S])", end)
        document["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = changed
        path.write_text(json.dumps(document))
        assert load(path).pattern.scanner.parameters == trained(pattern="cl100k").pattern.scanner.parameters


def put(document: dict, where: str, value: object) -> None:
    *folders, last = where.split("/")
    for name in folders:
        document = document[int(name) if isinstance(document, list) else name]
    if isinstance(document, list):
        document[int(last)] = value
    else:
        document[last] = value


SPLIT = "pre_tokenizer/pretokenizers/0"
LEVEL = "pre_tokenizer/pretokenizers/1"
LEVELS = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}


def template(single=("A",), pair=("A", "B"), type_id=0) -> dict:
    """A post-processor; what is no letter is a token."""

    def part(name):
        return {"Sequence" if name in "AB" else "SpecialToken": {"id": name, "type_id": type_id}}

    return {
        "type": "TemplateProcessing",
        "single": list(map(part, single)),
        "pair": list(map(part, pair)),
        "special_tokens": {},
    }


@pytest.mark.parametrize(
    ("where", "value", "words"),
    [
        ("truncation", {"max_length": 5}, ["'truncation'"]),
        ("padding", {"strategy": "BatchLongest"}, ["'padding'"]),
        ("version", "2.0", ["version '2.0'"]),
        ("more", 1, ["'more', which is no part"]),
        ("normalizer", {"type": "NFX"}, ["'normalizer'", "'NFX' is not known"]),
        ("normalizer", {"type": "Strip", "strip_left": True}, ["'strip_right'"]),
        ("normalizer", {"type": "Prepend", "prepend": 5}, ["'prepend'"]),
        ("normalizer", {"type": "Sequence", "normalizers": 5}, ["'normalizers'"]),
        ("normalizer", 5, ["'normalizer' is 5"]),
        ("post_processor", {"type": "Other"}, ["'Other', which is not known"]),
        ("post_processor", template(single=["A", "A"]), ["'single' must have A once"]),
        ("post_processor", template(pair=["A"]), ["'pair' must have A and B once"]),
        ("post_processor", template(single=["<x>", "A"]), ["no token of 'special_tokens'"]),
        ("post_processor", template(type_id=-1), ["no 'type_id'"]),
        ("post_processor", {"type": "Sequence", "processors": [template(), template()]}, ["2 templates"]),
        ("pre_tokenizer", {"type": "BertPreTokenizer"}, ["'BertPreTokenizer' is not known"]),
        ("pre_tokenizer/pretokenizers", [LEVELS, LEVELS], ["the last step"]),
        (LEVEL + "/trim_offsets", None, ["'trim_offsets'"]),
        (SPLIT + "/behavior", "Joined", ["'Joined'"]),
        (SPLIT + "/pattern", {"Other": " "}, ["pattern of Split"]),
        ("model/dropout", 1.5, ["'dropout' is 1.5"]),
        ("model/dropout", "0.1", ["'dropout' is '0.1'"]),
        ("model/unk_token", 5, ["'unk_token' is 5"]),
        ("model/byte_fallback", 1, ["'byte_fallback'"]),
        ("model/ignore_merges", "no", ["'ignore_merges'"]),
        ("model/merges/1", "a t", ["spelled like the others"]),
        ("added_tokens/0/special", None, ["'special'"]),
        ("added_tokens/0/lstrip", 1, ["'lstrip'"]),
        ("post_processor", {"type": "TemplateProcessing"}, ["TemplateProcessing has no 'special_tokens'"]),
        (
            "post_processor",
            {"type": "Sequence", "processors": [{"type": "ByteLevel"}, {"type": "RobertaProcessing"}]},
            ["'cls' of 'post_processor' is None"],
        ),
        ("post_processor", {"type": "Sequence", "processors": 5}, ["'processors'"]),
        ("post_processor", {}, ["'post_processor' is None"]),
        ("decoder", {"type": "Metaspace"}, ["'replacement' of the decoder Metaspace"]),
        ("decoder", "ByteLevel", ["'decoder'"]),
        ("pre_tokenizer", None, ["neither 'unk_token' nor 'byte_fallback'"]),
        ("pre_tokenizer", {"type": "Whitespace"}, ["neither 'unk_token' nor"]),
        ("pre_tokenizer", {"type": "Sequence", "pretokenizers": []}, ["neither 'unk_token' nor"]),
        ("pre_tokenizer", {"type": "Sequence", "pretokenizers": 5}, ["'pretokenizers' is 5"]),
        (LEVEL + "/type", "Digits", ["'individual_digits' of the pre-tokenizer Digits"]),
        (SPLIT + "/behavior", [], ["behavior"]),
        (SPLIT + "/pattern", {"Regex": "("}, ["the expression '('", "a group is not closed"]),
        ("model", None, ["'model'"]),
        ("model/type", "WordPiece", ["'model' is 'WordPiece'"]),
        ("model/continuing_subword_prefix", "##", ["'continuing_subword_prefix'"]),
        ("model/end_of_word_suffix", "</w>", ["'end_of_word_suffix'"]),
        ("model/vocab", [], ["'vocab'"]),
        ("model/vocab/東", 500, ["'added_tokens' says that"]),
        ("model/vocab/", 500, ["'added_tokens' says that"]),
        ("model/vocab/x", -1, ["'vocab' gives 'x' the id -1"]),
        ("model/vocab/x", "5", ["'vocab' gives 'x' the id '5'"]),
        ("model/vocab/xy", 120, ["gives id 120 to two tokens"]),
        ("model/merges", {}, ["'merges'"]),
        ("model/merges/3", "a b c", ["merge 3 of 'merges' is 'a b c'"]),
        ("model/merges/3", "ab", ["merge 3 of 'merges' is 'ab'"]),
        ("model/merges/3", ["a", ""], ["merge 3 of 'merges'"]),
        ("model/merges/3", ["a", 5], ["merge 3 of 'merges'"]),
        ("model/merges/3", ["a", "東"], ["merge 3", "'東', which is not in 'vocab'"]),
        ("model/merges/3", ["z", "z"], ["merge 3 joins b'z' and b'z'", "not a token"]),
        ("added_tokens", None, ["'added_tokens'"]),
        ("added_tokens/0", 5, ["entry 0 of 'added_tokens' is 5"]),
        ("added_tokens/0/content", "", ["entry 0 of 'added_tokens'"]),
        ("added_tokens/0/content", 5, ["'content'"]),
        ("added_tokens/0/content", "<é>", ["entry 1 of 'added_tokens'"]),
        ("added_tokens/0/content", "th", ["says that 'th' has id"]),
        ("added_tokens/0/id", 298, ["entry 1 of 'added_tokens'"]),
        ("added_tokens/0/id", 400, ["`tokenizers` gives it"]),
        ("added_tokens/0/id", -1, ["entry 0 of 'added_tokens'"]),
    ],
)  # fmt: skip
def test_a_part_that_would_give_other_ids_is_refused_by_name(tmp_path, where, value, words):
    path = tmp_path / "file"
    document = hugging(path)
    put(document, where, value)
    path.write_text(json.dumps(document))
    refused(path, *words)


@pytest.mark.parametrize(
    ("where", "value"),
    [
        ("normalizer", {"type": "NFC"}),
        ("normalizer", {"type": "Sequence", "normalizers": []}),
        (LEVEL + "/add_prefix_space", True),
        (LEVEL + "/use_regex", True),
        (SPLIT + "/behavior", "Removed"),
        (SPLIT + "/invert", True),
        (SPLIT + "/pattern", {"String": " "}),
        (SPLIT + "/pattern", {"Regex": r"\w+|\W+"}),
        ("model/unk_token", "<unk>"),
        ("model/byte_fallback", True),
        ("model/ignore_merges", None),
        ("model/merges/1", ["a", "t"]),
        ("added_tokens/0/special", False),
        ("added_tokens/0/lstrip", True),
        ("added_tokens/0/rstrip", True),
        ("added_tokens/0/single_word", True),
        ("added_tokens/0/normalized", True),
    ],
)
def test_a_part_that_changes_ids_gives_those_of_tokenizers(tmp_path, where, value):
    tokenizers = pytest.importorskip("tokenizers", reason="it says which ids are right (extra hf)")
    path = tmp_path / "file"
    document = hugging(path)
    put(document, where, value)
    path.write_text(json.dumps(document))
    ours, theirs = load(path), tokenizers.Tokenizer.from_file(str(path))
    for text in (
        "the cat and the king",
        " word th the  x",
        "<\u00e9> thing <|endoftext|> in",
        "nai\u0308ve \u6771\u4eac 123",
        "a\n b<|endoftext|>x<|endoftext|>",
    ):
        assert ours.encode(text, allowed_special="all") == theirs.encode(text, add_special_tokens=False).ids


def test_dropout_is_kept(tmp_path):
    path = tmp_path / "file"
    document = hugging(path)
    put(document, "model/dropout", 0.1)
    path.write_text(json.dumps(document))
    assert load(path).dropout == 0.1


@pytest.mark.parametrize(
    "pattern",
    [
        # What these say to Oniguruma is something else than to other engines.
        r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]+[\r\n]*|\s+(?!\S)|\s+",
        r" ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+$|\s+(?!\S)|\s+",
    ],
)
def test_patterns_that_engines_read_differently_are_read_as_tokenizers_reads_them(tmp_path, pattern):
    tokenizers = pytest.importorskip("tokenizers", reason="it says which ids are right (extra hf)")
    path = tmp_path / "file"
    document = hugging(path)
    put(document, SPLIT + "/pattern", {"Regex": pattern})
    path.write_text(json.dumps(document))
    ours, theirs = load(path), tokenizers.Tokenizer.from_file(str(path))
    for text in ("12345678 a\n", "the  \n", "the \n\n", "the  \n king  ", "1\n", " \n", "\n", "can't 1234"):
        assert ours.encode_ordinary(text) == theirs.encode(text, add_special_tokens=False).ids, text


def test_a_vocabulary_without_a_byte_is_refused_in_both_directions(tmp_path):
    path = tmp_path / "file"
    few = {data: token for data, token in BYTES.items() if data != b"q"}
    tokenizer = Tokenizer("few", pat_str="gpt2", mergeable_ranks=few, special_tokens={})
    with pytest.raises(FormatError, match="no token for byte 0x71"):
        tokenizer.save(path, "huggingface")
    document = hugging(path)
    del document["model"]["vocab"]["q"]
    document["added_tokens"] = []
    path.write_text(json.dumps(document))
    refused(path, "no token for byte 0x71")


def test_bytes_that_no_text_holds_may_be_missing(tmp_path):
    path = tmp_path / "file"
    some = {data: token for data, token in BYTES.items() if data not in (b"\xc0", b"\xff")}
    tokenizer = Tokenizer("some", pat_str="gpt2", mergeable_ranks=some, special_tokens={"<s>": 256})
    tokenizer.save(path, "huggingface")
    same(load(path), tokenizer)


def test_bytes_that_texts_hardly_hold_may_be_missing_and_are_refused_in_a_text(tmp_path):
    """SmolLM2's vocabulary lacks six control characters and what begins characters from U+40000 on."""
    tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")
    path = tmp_path / "tokenizer.json"
    some = {data: token for data, token in BYTES.items() if data not in (b"\x04", b"\xf1", b"\xff")}
    tokenizer = Tokenizer("some", pat_str="gpt2", mergeable_ranks=some, special_tokens={"<s>": 256})
    tokenizer.save(path, "huggingface")
    ours, theirs = load(path), tokenizers.Tokenizer.from_file(str(path))
    same(ours, tokenizer)
    text = "the \x03\x05 way\t\U0003ffff\U000e0041"
    assert ours.encode(text) == theirs.encode(text, add_special_tokens=False).ids
    for char, named in (("\x04", "0x04 at byte 1"), ("\U00040000", "0xf1 at byte 1")):
        # Which `tokenizers` leaves out.
        assert len(theirs.encode(f"a{char}b", add_special_tokens=False).ids) < len(f"a{char}b".encode())
        with pytest.raises(EncodeError, match=named):
            ours.encode(f"a{char}b")


@pytest.mark.parametrize(
    ("pattern", "specials", "words"),
    [
        (r"\w+|\W+", {}, "another regular-expression engine"),
        ("gpt2", {"<a>": 257, "<b>": 257}, "an id has one text"),
        ("gpt2", {"<a>": 97}, "an id has one text"),
        ("gpt2", {"Ġ": 300}, "which are token 32"),
        ("gpt2", {"th": 300}, "which are token 256"),
        ("gpt2", {"Ġword": 300}, "spells a piece of ordinary text"),
        ("gpt2", {"word": 300}, "spells a piece of ordinary text"),
    ],
)
def test_what_the_format_cannot_hold_is_refused(tmp_path, pattern, specials, words):
    ranks = {**BYTES, b"th": 256}
    tokenizer = Tokenizer("t", pat_str=pattern, mergeable_ranks=ranks, special_tokens=specials)
    with pytest.raises(FormatError, match=words):
        tokenizer.save(tmp_path / "file", "huggingface")
    assert not list(tmp_path.iterdir())


def test_a_special_token_may_be_an_ordinary_one_too(tmp_path):
    ranks = {**BYTES, b"th": 256}
    tokenizer = Tokenizer("t", pat_str="gpt2", mergeable_ranks=ranks, special_tokens={"th": 256, "<s>": 257})
    tokenizer.save(tmp_path / "file", "huggingface")
    back = load(tmp_path / "file")
    same(back, tokenizer)
    assert back.encode("the", allowed_special="all") == [256, 101]
    assert back.encode_ordinary("th the") == tokenizer.encode_ordinary("th the")


def test_a_special_token_that_can_be_a_piece_is_read_as_both(tmp_path):
    path = tmp_path / "file"
    document = hugging(path, ranked())
    assert document["model"]["ignore_merges"] is True
    document["model"]["vocab"]["word"] = 400
    document["added_tokens"].append({**document["added_tokens"][0], "content": "word", "id": 400})
    path.write_text(json.dumps(document))
    assert load(path).encode_ordinary("word") == [400]
    document["model"]["ignore_merges"] = False
    path.write_text(json.dumps(document))
    assert len(load(path).encode_ordinary("word")) == 4
    assert load(path).encode("word", allowed_special="all") == [400]


def test_a_special_token_with_the_id_of_another_is_refused(tmp_path):
    path = tmp_path / "file"
    document = hugging(path, ranked())
    document["model"]["vocab"]["<x>"] = document["model"]["vocab"]["a"]
    added = {**document["added_tokens"][0], "content": "<x>", "id": document["model"]["vocab"]["a"]}
    document["added_tokens"].append(added)
    path.write_text(json.dumps(document))
    refused(path, "to two tokens, 'a' and '<x>'")
