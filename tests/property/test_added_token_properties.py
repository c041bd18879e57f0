"""Searching for tokens: natively and naively; all kinds of tokens at once and step by step."""

from hypothesis import example, given, reject
from hypothesis import strategies as st

from bpetok import AddedToken, Tokenizer, Vocabulary
from bpetok._specials import Specials
from bpetok.errors import VocabularyError
from bpetok.normalization import NFC, Replace, Sequence

LETTERS = "<a b\u2581\uff5c"
spellings = st.lists(st.text(LETTERS, min_size=1, max_size=4), min_size=1, max_size=12, unique=True)
padded = st.text(LETTERS, max_size=40).flatmap(
    lambda text: st.sampled_from(["", "x" * 70, "x" * 15]).map(lambda filler: filler + text + filler + text)
)


def first_of(tokens: list[bytes], data: bytes, start: int, allowed: bytes) -> tuple[int, int, int] | None:
    """What `Specials.next` finds: at the first place where there is one, the longest."""
    for at in range(start, len(data)):
        fitting = [
            (len(token), place)
            for place, token in enumerate(tokens)
            if allowed[place] and data.startswith(token, at)
        ]
        if fitting:
            size, place = max(fitting)
            return at, at + size, place
    return None


@given(tokens=spellings, text=padded, data=st.data())
@example(tokens=["  ", "   ", "<|"], text="x" * 63 + "   <|", data=None)
def test_the_first_and_longest_is_found(tokens, text, data):
    allowed = bytes([1] * len(tokens) if data is None else [data.draw(st.integers(0, 1)) for _ in tokens])
    specials, at = Specials(dict.fromkeys(tokens, 0)), 0
    encoded, spelled = text.encode(), [token.encode() for token in tokens]
    while True:
        found = specials.next(encoded, at, allowed)
        assert found == first_of(spelled, encoded, at, allowed)
        if found is None:
            break
        at = found[1]


@given(
    tokens=spellings,
    flags=st.lists(st.tuples(*[st.booleans()] * 3), min_size=12, max_size=12),
    text=padded,
    everything=st.booleans(),
)
@example(tokens=["a<", "<b"], flags=[(True, False, False), *[(False,) * 3] * 11], text="a<b", everything=True)
@example(tokens=["<ab", "<"], flags=[(True, False, False), *[(False,) * 3] * 11], text="<ab", everything=True)
def test_all_tokens_at_once_are_those_found_one_kind_after_the_other(tokens, flags, text, everything):
    alphabet = {bytes([byte]): byte for byte in range(256)}
    special = {token: 256 + at for at, token in enumerate(tokens)}
    added = [
        AddedToken(token, number, special=not always, lstrip=strips, normalized=normalized)
        for (token, number), (normalized, always, strips) in zip(special.items(), flags, strict=False)
    ]
    vocabulary = Vocabulary.from_ranks(alphabet, special)
    tokenizer = Tokenizer.from_vocabulary("toy", "gpt2", vocabulary, added_tokens=added)
    expected: list[int] = []
    for token, part in two_passes(text, [each for each in added if everything or not each.special]):
        expected += [token] if token >= 0 else tokenizer._encode(part, None)
    allowed = "all" if everything else set()
    assert tokenizer.encode(text, allowed_special=allowed, disallowed_special=()) == expected


def two_passes(text: str, added: list[AddedToken]) -> list[tuple[int, str]]:
    """The tokens of a text and what is between: those of the raw text first."""
    parts = [(-1, text)]
    for normalized in (False, True):
        tokens = [each for each in added if each.normalized == normalized]
        parts = [
            new for token, part in parts for new in (one_pass(part, tokens) if token < 0 else [(token, part)])
        ]
    return parts


def one_pass(text: str, added: list[AddedToken]) -> list[tuple[int, str]]:
    parts, done, at = [], 0, 0
    while at < len(text):
        fitting = [each for each in added if text.startswith(each.text, at)]
        if not fitting:
            at += 1
            continue
        token = max(fitting, key=lambda each: len(each.text))
        start = at
        while token.lstrip and start > done and text[start - 1] == " ":
            start -= 1
        if start > done:
            parts.append((-1, text[done:start]))
        at += len(token.text)
        parts.append((token.id, text[start:at]))
        done = at
    return parts if done == len(text) else [*parts, (-1, text[done:])]


NORMALIZERS = [
    Replace("▁", " "),
    Replace("ab", "b"),
    Replace(" ", "<"),
    Replace("\ufffd", "a"),
    Replace("😀", "<a"),
    Sequence((Replace("▁", " "), NFC())),
    Sequence((NFC(), Replace("b", "▁a"))),
]


@given(
    tokens=spellings,
    normalized=st.lists(st.booleans(), min_size=12, max_size=12),
    text=st.text(LETTERS + "\ufffd😀\ud83d\ude00e\u0301\u0338", max_size=40),
    normalizer=st.sampled_from(NORMALIZERS),
)
@example(tokens=["<"], normalized=[False] * 12, text="\ud83d\ude00", normalizer=NORMALIZERS[4])
@example(tokens=["<"], normalized=[False] * 12, text="\ud83d", normalizer=NORMALIZERS[3])
def test_a_text_that_nothing_changes_is_searched_as_its_parts_are(tokens, normalized, text, normalizer):
    alphabet = {bytes([byte]): byte for byte in range(256)}
    special = {token: 256 + at for at, token in enumerate(tokens)}
    added = [
        AddedToken(token, number, normalized=each)
        for (token, number), each in zip(special.items(), normalized, strict=False)
    ]
    vocabulary = Vocabulary.from_ranks(alphabet, special)
    try:
        tokenizer = Tokenizer.from_vocabulary(
            "toy", "gpt2", vocabulary, normalizer=normalizer, added_tokens=added
        )
    except VocabularyError:
        reject()  # two tokens are one when normalized
    plain = Tokenizer.from_vocabulary("plain", "gpt2", vocabulary)
    parts = tokenizer._preparation.parts(text, bytes([1] * len(tokens)))
    expected = [
        each for token, part in parts for each in ([token] if token >= 0 else plain._encode(part, None))
    ]
    assert tokenizer.encode(text, allowed_special="all") == expected
