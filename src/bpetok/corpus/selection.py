"""Which documents are taken, and how often: decided by each text alone, so in any order, on any machine."""

import math
from _blake2 import blake2b  # what `hashlib` has, which also loads OpenSSL: 4 MB


def copies(text: str | bytes, weight: float, seed: int) -> int:
    """How often a document is taken: the whole part of its weight, and once more by chance.

    The chance is the rest of the weight. It is drawn from a hash of the seed and the text, so that equal
    texts are taken equally often, and what a smaller weight takes a larger one takes, too.

    >>> copies("a text", 2, seed=0), copies("a text", 0.25, seed=0), copies("a text", 1.25, seed=0)
    (2, 0, 1)
    """
    whole = math.floor(weight)
    rest = weight - whole
    if not rest:
        return whole
    drawn = blake2b(_utf8(text), digest_size=8, key=str(seed).encode()).digest()
    return whole + (int.from_bytes(drawn) < rest * 2**64)


def fingerprint(text: str | bytes) -> bytes:
    """128 bits by which a text is known: BLAKE2b of its UTF-8."""
    return blake2b(_utf8(text), digest_size=16).digest()


def _utf8(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
