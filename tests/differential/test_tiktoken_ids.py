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


CUSTOM = {
    "side by side": r"\p{L}+|\p{N}{1,2}| ?[^\s\p{L}\p{N}]+|\s+",
    "text left out": r"\p{L}+|\p{N}",
    "one piece in a thousand": r"z+",
    "groups": r"(\p{L})+|( ?)([^\s\p{L}]+)|\s+",
    "looking back": r"(?<=\p{L})\p{L}+|(?<![a-m])\s+|(?s:.)",
    "looking ahead": r"\w+(?=\s)|\s+(?!\S)|(?s:.)",
    "the end": r"[^\n]+$|\n+$|(?s:.)",
    "characters": r"(?s:.)",
    "the whole": r"(?s:.+)",
}


@pytest.mark.parametrize("kind", sorted(CUSTOM))
def test_custom_patterns(main_encodings, kind):
    """Patterns that the `regex` package serves, around the number of pieces that is encoded at once."""
    ours, theirs = (
        type(encoding)(
            "custom",
            pat_str=CUSTOM[kind],
            mergeable_ranks=encoding._mergeable_ranks,
            special_tokens={"<x>": 300_000, "<xy>": 300_001},
        )
        for encoding in main_encodings
    )
    mixed = (
        "Hello w\u00f6rld, it's 12345 \u4e2d\u6587\u5b57 \U0001f469\u200d\U0001f467!\n\n"
        "  \u0442\u0435\u0441\u0442 zz\n"
    )
    texts = ["", "z", " ", "\n", "123", mixed, mixed * 300, mixed.encode("ascii", "ignore").decode() * 300]
    texts += [char * n for char in ("a ", "\u00e9 ", "1\u4e2d") for n in (127, 128, 129, 255, 256, 257)]
    texts += ["<x>", "a<x>", "a \n<xy> b<x> \n", (mixed + "<x>") * 20, "z" * 256 + "<xy>" + "\u00e9"]
    for text in texts:
        expected = theirs.encode(text, allowed_special="all")
        assert ours.encode(text, allowed_special="all") == expected
        assert ours.count(text, allowed_special="all") == len(expected)
        assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)
    batch = ours.encode_batch(texts, allowed_special="all")
    assert batch == theirs.encode_batch(texts, allowed_special="all")


def test_a_custom_pattern_on_a_text_whose_matches_are_not_kept(main_encodings):
    ours, theirs = (
        type(encoding)(
            "custom", pat_str=r"\w+|\W+", mergeable_ranks=encoding._mergeable_ranks, special_tokens={}
        )
        for encoding in main_encodings
    )
    text = "na\u00efve words, and " * 70_000
    assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)
