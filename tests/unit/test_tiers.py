"""Every tier of instructions gives the same ids, to the last of them."""

import functools
import os
import subprocess
import sys
from pathlib import Path

import pytest

from bpetok import _cpu

# Run in a process of each tier: prints one checksum for each vocabulary, over the ids of all texts.
SCRIPT = """
import hashlib, random, sys
import strategies
from bpetok import Tokenizer, _cpu, get_encoding
from bpetok import train

draw = random.Random(17)
fragments = [*strategies.FRAGMENTS, *strategies.TRAPS]
classes = list(strategies.code_points_by_class().values())
texts = ["", "a", *fragments]
texts += ["".join(draw.choices(fragments, k=draw.randint(1, 80))) for _ in range(400)]
texts += ["".join(chr(draw.choice(draw.choice(classes))) for _ in range(n)) for n in range(1, 200)]
texts += [draw.randbytes(draw.randint(1, 500)).decode("latin-1") for _ in range(200)]
texts += ["".join(chr(start + draw.randrange(90)) for _ in range(300))
          for start in (0x20, 0xC0, 0x370, 0x400, 0x530, 0x5D0, 0x620, 0x905, 0xE01, 0x10D0, 0x1100, 0x3041,
                        0x30A1, 0x4E00, 0xAC00, 0x10400, 0x1F300)]
texts += [letter * n for letter in ("a", "!", " ", "=", "\\n", "\\u4e2d")
          for n in (*range(60, 70), 511, 512, 513, 1024, 1025, 5000)]
texts += ["".join(draw.choices("!?)-", k=n)) for n in (*range(14, 68), 300, 1000)]
texts += ["".join(draw.choices("etaoinshrdlu", k=n)) for n in (*range(1, 68), 300, 1000, 5000)]
texts += ["".join(draw.choices("ab", k=draw.randint(1, 30))) * draw.randint(1, 60) for _ in range(100)]
texts.append(" ".join("".join(draw.choices("abcdefgh", k=draw.randint(1, 40))) for _ in range(5000)))

trained = train([" ".join(texts[50:300])], vocab_size=600)
assert _cpu.TIER == sys.argv[1]
for tokenizer in (*map(get_encoding, ("gpt2", "cl100k_base", "o200k_base")), trained,
                  Tokenizer.from_vocabulary("whole", "(?s:.+)", trained.vocabulary)):
    digest = hashlib.sha256()
    for text in texts:
        array = tokenizer.encode_to_numpy(text, disallowed_special=())
        assert tokenizer.decode(array.tolist()) == text
        digest.update(len(array).to_bytes(8, "little") + array.tobytes())
    print(digest.hexdigest())
"""


@functools.cache
def checksums(tier: str) -> list[str]:
    here = Path(__file__).parent.parent
    environment = os.environ | {"BPETOK_FORCE_CPU": tier}
    environment["PYTHONPATH"] = os.pathsep.join([str(here), *filter(None, [os.environ.get("PYTHONPATH")])])
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, tier], env=environment, capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout.split()


@pytest.mark.parametrize("tier", _cpu.available())
def test_every_tier_gives_the_ids_of_the_scalar_one(tier):
    assert len(checksums(tier)) == 5
    assert checksums(tier) == checksums("scalar")
