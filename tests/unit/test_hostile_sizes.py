"""Small files that ask for enormous amounts: refused by name, within limits of memory and processor time.

Each is read in a process of its own, which the system ends if it takes more.
"""

import base64
import bz2
import gzip
import json
import lzma
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

import hostile
from bpetok import train

resource = pytest.importorskip("resource", reason="the system has no limits to set")

MEMORY = 3 << 30  # address space, most of which is never touched
SECONDS = 60
LIMITED = f"""
import resource, sys
resource.setrlimit(resource.RLIMIT_AS, ({MEMORY}, {MEMORY}))
resource.setrlimit(resource.RLIMIT_CPU, ({SECONDS}, {SECONDS}))
import bpetok
from bpetok.count_table import CountTable
try:
    {{}}
except bpetok.BpetokError as error:
    print(type(error).__name__, error)
else:
    print("read")
"""
LOAD = "bpetok.Tokenizer.load(sys.argv[1])"
CORPUS = "sum(len(document.text) for document in bpetok.corpus.read(sys.argv[1]))"


def limited(statement: str, path: Path) -> str:
    """What comes of a statement about a file: "read", or an error's name and message."""
    command = [sys.executable, "-c", LIMITED.format(statement), str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout.strip()


# ---- tokenizers ----------------------------------------------------------------------------------------


def _sparse(path: Path, start: bytes = b"") -> None:
    path.write_bytes(start)
    os.truncate(path, 1 << 40)


def _tekken() -> bytes:
    document = json.loads(hostile.whole("tekken")[0][hostile.FILE])
    document["config"] |= {
        "default_vocab_size": (1 << 24) - 256,
        "default_num_special_tokens": (1 << 24) - 600,
    }
    return json.dumps(document).encode()


def _nested(n: int) -> bytes:
    document = json.loads(hostile.whole("huggingface")[0][hostile.FILE])
    normalizer = {"type": "NFC"}
    for _ in range(n):
        normalizer = {"type": "Sequence", "normalizers": [normalizer]}
    document["normalizer"] = normalizer
    return json.dumps(document).encode()


LARGE = {
    "nothing of a TiB": lambda path: _sparse(path),
    "JSON of a TiB": lambda path: _sparse(path, b'{"format": "bpetok", "version": 1'),
    "objects without end": lambda path: path.write_bytes(b'{"a":' * 10_000_000),
    "lists without end": lambda path: path.write_bytes(b'{"a":' + b"[" * 50_000_000),
    "a field of an EiB": lambda path: path.write_bytes(b"\n\xff\xff\xff\xff\xff\xff\xff\x7f" + b"a" * 100),
    "pieces of no bytes": lambda path: path.write_bytes(b"\n\0" * 30_000_000),
    "tokens that double": lambda path: path.write_bytes(
        b"minbpe v1\n\n0\n97 97\n" + b"".join(b"%d %d\n" % (at, at) for at in range(256, 320))
    ),
    "millions of special tokens": lambda path: path.write_bytes(_tekken()),
}


@pytest.mark.parametrize("make", LARGE.values(), ids=LARGE.keys())
def test_tokenizers(tmp_path, make):
    path = tmp_path / "file"
    make(path)
    assert limited(LOAD, path).startswith("FormatError")


def test_ids_far_apart_are_taken(tmp_path):
    path = tmp_path / "file"
    lines = [b"%s %d" % (base64.b64encode(bytes([byte])), byte) for byte in range(256)]
    path.write_bytes(b"\n".join([*lines, b"YWI= 16776959\n"]))
    assert limited("bpetok.Tokenizer.load(sys.argv[1], pattern='gpt2')", path) == "read"


def test_steps_in_steps(tmp_path):
    path = tmp_path / "file"
    for n in (100, 300):
        path.write_bytes(_nested(n))
        assert limited(LOAD, path).partition(" ")[0] in ("read", "FormatError")


def test_special_tokens_that_begin_with_each_other(tmp_path):
    path = tmp_path / "file"
    lines = [b"%x %d" % (at + (1 << 28), at + 256) for at in range(200_000)]
    path.write_bytes(b"\n".join([b"minbpe v1", b"", b"200000", *lines, b""]))
    assert limited(LOAD, path) == "read"


def test_a_special_token_of_enormous_length(tmp_path):
    path = tmp_path / "file"
    specials = ["<|" * 100_000, "<end>"]
    train(["low lower"], vocab_size=260, special_tokens=specials, pattern="gpt2").save(path, "gguf")
    assert limited(LOAD, path) == "read"


# ---- corpora and counts --------------------------------------------------------------------------------

ZEROS = bytes(1 << 24)


def _gzip() -> bytes:
    return gzip.compress(ZEROS) * 40


def _bzip2() -> bytes:
    return bz2.compress(ZEROS) * 40


def _xz() -> bytes:
    return lzma.compress(ZEROS, preset=0) * 40


def _zstd() -> bytes:
    """A frame of blocks that repeat a byte (RFC 8878): 4 bytes for 128 KiB each."""
    block = (1 << 17) << 3 | 1 << 1
    blocks = (block.to_bytes(3, "little") + b"a") * 10_000
    return b"\x28\xb5\x2f\xfd\x00\x58" + blocks + (block | 1).to_bytes(3, "little") + b"a"


BOMBS = {"gz": _gzip, "bz2": _bzip2, "xz": _xz, "zst": _zstd}


@pytest.mark.parametrize(("compression", "kind"), [*((name, "txt") for name in BOMBS), ("gz", "jsonl")])
def test_texts_that_unpack_to_gigabytes(tmp_path, compression, kind):
    if compression == "zst":
        pytest.importorskip("zstandard", reason="zstandard is not installed")
    path = tmp_path / f"bomb.{kind}.{compression}"
    path.write_bytes(BOMBS[compression]())
    assert "unpacks to more than 500 times its size" in limited(CORPUS, path)


def test_a_text_that_is_packed_well_is_read(tmp_path):
    path = tmp_path / "even.txt.gz"
    path.write_bytes(gzip.compress(b"a" * 20_000_000))
    assert limited(CORPUS, path) == "read"


def test_counts_that_unpack_to_gigabytes(tmp_path):
    from bpetok.formats.counts import CRC, HEAD, MAGIC, VERSION

    packed = zlib.compress(bytes(1 << 28), 9)
    for size in (1 << 28, 1 << 62):
        head = HEAD.pack(len(packed), size, 0)
        block = head + CRC.pack(zlib.crc32(packed, zlib.crc32(head))) + packed
        path = tmp_path / "x.counts"
        path.write_bytes(MAGIC + VERSION + block * 66)
        assert limited("CountTable.load(sys.argv[1])", path).startswith("FormatError")
