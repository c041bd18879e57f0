"""Ids equal tiktoken's: on real files, on strings made to be difficult, and on every token there is."""

import itertools

import pytest

import strategies

pytest.importorskip("tiktoken", reason="tiktoken is not installed")

ADVERSARIAL = {
    "nothing": "",
    "one space": " ",
    "spaces": " " * 5000,
    "letters": "a" * 5000,
    "upper case": "A" * 5000 + "b",
    "carets": "^" * 5000,
    "newlines": "\n" * 5000,
    "carriage returns": "\r\n" * 2500,
    "digits": "1234567890" * 500,
    "Arabic digits": "\u0661\u0662\u0663" * 500,
    "marks": "\u0301" * 2000,
    "one word of marks": "e" + "\u0301" * 2000 + "e",
    "ideographs": "\u4e2d\u6587" * 1000,
    "wide spaces": "\u3000" * 1000 + "x",
    "zero-width joiners": "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466" * 200,
    "regional indicators": "\U0001f1eb\U0001f1ee" * 300,
    "contractions": "I'LL can't we'd y'all'd've 'tis 'S 's'S'\u017f" * 20,
    "case changes": "aBcDeFgHiJ" * 300 + "XMLHttpRequestDOMParser" * 50,
    "mixed white space": " \t\u00a0\u2003\n\u3000\r\n \u0085\u2028\u2029" * 100,
    "every byte as Latin-1": "".join(map(chr, range(256))) * 4,
    "null characters": "\0" * 1000,
    "base64": "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5eg==" * 20,
    "special tokens as text": "<|endoftext|><|fim_prefix|><|endoftext" * 50,
    "the last code points": "\U0010fffd\U0010ffff\ufffe\uffff" * 50,
    "a long word of its own": "Donaudampfschifffahrtsgesellschaftskapit\u00e4n" * 40,
    "alternating": "ab" * 3000 + "ba" * 3000,
    "nearly a token": " " * 79 + "x" + " " * 81 + "\n" * 33,
}


@pytest.mark.parametrize("kind", sorted(ADVERSARIAL))
def test_difficult_strings(encodings, kind):
    ours, theirs = encodings
    for text in (ADVERSARIAL[kind], "x" + ADVERSARIAL[kind] + "y", ADVERSARIAL[kind] + " "):
        assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)


def test_every_pair_of_fragments(main_encodings):
    ours, theirs = main_encodings
    for parts in itertools.product(strategies.FRAGMENTS, repeat=2):
        text = "".join(parts)
        assert ours.encode_ordinary(text) == theirs.encode_ordinary(text), repr(text)


def test_real_files(encodings, real_texts):
    ours, theirs = encodings
    for text in real_texts:
        assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)


def test_real_files_in_one_batch(main_encodings, real_texts):
    ours, theirs = main_encodings
    expected = theirs.encode_ordinary_batch(real_texts)
    assert ours.encode_ordinary_batch(real_texts) == expected
    ids, offsets = ours.encode_flat(real_texts, disallowed_special=())
    assert ids.tolist() == list(itertools.chain.from_iterable(expected))
    assert offsets[-1] == len(ids)


def test_every_code_point(main_encodings):
    """Each character once among letters, once among spaces and once between newlines."""
    ours, theirs = main_encodings
    characters = [chr(at) for at in range(0x110000) if not 0xD800 <= at < 0xE000]
    for frame in ("a{}b", " {} ", "\n{}\n"):
        for start in range(0, len(characters), 1 << 16):
            text = "".join(map(frame.format, characters[start : start + (1 << 16)]))
            assert ours.encode_ordinary(text) == theirs.encode_ordinary(text), hex(start)


def test_every_token_alone(main_encodings):
    """A whole piece that is a token is that token; the entries that merging cannot reach included."""
    ours, theirs = main_encodings
    ranks = ours._mergeable_ranks
    for token, rank in ranks.items():
        assert ours._encode_single_piece(token) == [rank]
    texts = [token.decode("utf-8", "replace") for token in ranks]
    assert ours.encode_ordinary_batch(texts) == theirs.encode_ordinary_batch(texts)


def test_every_token_behind_another(main_encodings):
    """Where a piece is two tokens joined, merging decides, not the dictionary."""
    ours, theirs = main_encodings
    tokens = ours.token_byte_values()
    for token in tokens[:: max(1, len(tokens) // 3000)]:
        data = b"the" + token
        assert ours._encode_single_piece(data) == theirs._encode_single_piece(data)
        data = token * 9
        assert ours._encode_single_piece(data) == theirs._encode_single_piece(data)
