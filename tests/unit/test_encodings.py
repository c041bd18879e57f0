"""The embedded encodings: names, sizes, damage, and the script that makes them."""

import hashlib
import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bpetok
from bpetok import encodings
from bpetok.encodings import build
from bpetok.errors import TokenError, VocabularyError

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("name", "n_vocab", "n_tokens"),
    [
        ("gpt2", 50257, 50256),
        ("r50k_base", 50257, 50256),
        ("p50k_base", 50281, 50280),
        ("p50k_edit", 50284, 50280),
        ("cl100k_base", 100277, 100256),
        ("o200k_base", 200019, 199998),
        ("o200k_harmony", 201088, 199998),
    ],
)
def test_sizes(name, n_vocab, n_tokens):
    encoding = bpetok.get_encoding(name)
    assert encoding.n_vocab == n_vocab
    assert len(encoding.vocabulary) == n_tokens
    assert encoding is bpetok.get_encoding(name)


@pytest.mark.parametrize("name", ["r50k_base", "p50k_base", "cl100k_base", "o200k_base"])
def test_the_published_file_comes_out_again(name):
    # Lines of base64 and rank in the order of ranks have the SHA-256 that the publisher states.
    import base64

    ranks = bpetok.get_encoding(name)._mergeable_ranks
    lines = (
        b"%s %d\n" % (base64.b64encode(data), rank)
        for data, rank in sorted(ranks.items(), key=lambda x: x[1])
    )
    assert hashlib.sha256(b"".join(lines)).hexdigest() == encodings.SHA256[name]


def test_the_binaries_are_what_the_script_makes():
    folder = Path(os.environ.get("BPETOK_TEST_DATA", ROOT.parent / "shared" / "data"))
    if not (folder / "cl100k_base.tiktoken.gz").exists():
        pytest.skip("the published .tiktoken files are not here: set BPETOK_TEST_DATA to their folder")
    assert build.main([str(folder), "--check"]) == 0


def test_names():
    assert set(bpetok.list_encoding_names()) >= {"gpt2", "cl100k_base", "o200k_base"}
    with pytest.raises(VocabularyError, match="use one of gpt2"):
        bpetok.get_encoding("cl200k")
    with pytest.raises(ValueError, match="name"):
        bpetok.get_encoding(3)
    with pytest.raises(TokenError, match="gpt-9"):
        bpetok.encoding_for_model("gpt-9")


def test_a_damaged_binary_is_refused(monkeypatch):
    recipe = encodings._RECIPES["gpt2"]
    blob = bytearray((Path(encodings.__file__).parent / "r50k_base.bin").read_bytes())
    blob[5000] ^= 1
    monkeypatch.setattr(encodings, "open", lambda *_: io.BytesIO(blob), raising=False)
    with pytest.raises(bpetok.BpetokError, match=r"r50k_base\.bin is damaged"):
        encodings._make("gpt2", recipe)


def test_nothing_is_imported_or_downloaded_to_load_one():
    code = (
        "import sys, socket\n"
        "socket.socket = None\n"
        "import bpetok\n"
        "assert bpetok.get_encoding('cl100k_base').encode('hello world') == [15339, 1917]\n"
        "print(sorted({'numpy', 'regex', 'click', 'rich', 'torch'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
