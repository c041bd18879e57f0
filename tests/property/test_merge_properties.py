"""Merging of long pieces, which is done by parts, against merging as it is defined.

The engine merges a piece of more than 62 bytes chunk by chunk (48 bytes), mends the borders (up to 512
bytes), and takes a run of one byte (more than 1,024) by its period. Vocabularies over two to four letters
make merges meet at every border.
"""

import random
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bpetok import Tokenizer, Vocabulary, get_encoding, reference
from bpetok.errors import EncodeError

WHOLE = "(?s:.+)"  # one piece, whatever the text
NONE = float("inf")
LENGTHS = (63, 64, 95, 96, 97, 143, 144, 145, 511, 512, 513, 1023, 1024, 1025, 1026, 1100)


def merge_plainly(piece: bytes, rank_of) -> list[bytes]:
    """The parts of a piece: always the leftmost pair of the lowest rank, until there is none."""
    parts = [piece[at : at + 1] for at in range(len(piece))]
    ranks = [rank_of(*pair) for pair in pairwise(parts)]
    while ranks and (lowest := min(ranks)) != NONE:
        at = ranks.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
        del ranks[at]
        for left in (at - 1, at):
            if 0 <= left < len(ranks):
                ranks[left] = rank_of(parts[left], parts[left + 1])
    return parts


class Made:
    """A made-up vocabulary: its tokenizer, and what it should say."""

    def __init__(self, draw: random.Random, merge_list: bool, missing: bool, ignore_merges: bool):
        self.letters = "abcd"[: draw.randint(2, 4)].encode()
        singles = [bytes([letter]) for letter in self.letters]
        rest = [] if missing else [bytes([b]) for b in range(256) if b not in self.letters]
        words, pairs = list(singles), []
        longest = draw.choice((4, 12, 70, 600))
        for _ in range(draw.randint(1, 40)):
            # Recent ones more often, so that tokens get long.
            pair = tuple(draw.choice(words[-4:] if draw.random() < 0.5 else words) for _ in range(2))
            made = pair[0] + pair[1]
            if pair not in pairs and len(made) <= longest:
                pairs.append(pair)
                if made not in words:
                    words.append(made)
        if draw.random() < 0.5:  # some results are then part of pairs of a lower rank
            draw.shuffle(pairs)
        made = words[len(singles) :]
        for _ in range(draw.randint(0, 3)):  # that perhaps no merge reaches
            word = bytes(draw.choices(self.letters, k=draw.randint(2, 80)))
            if word not in made:
                made.append(word)
        if draw.random() < 0.3:
            draw.shuffle(made)
        # The letters may come first, so that one of them has id 0.
        self.tokens = singles + rest + made if draw.random() < 0.5 else rest + made + singles
        self.ids = {token: at for at, token in enumerate(self.tokens)}
        if merge_list:
            merges = [(self.ids[left], self.ids[right]) for left, right in pairs]
            vocabulary = Vocabulary.from_merges(self.tokens, merges, {}, ignore_merges=ignore_merges)
            table = {pair: rank for rank, pair in enumerate(pairs)}
            self.rank_of = lambda left, right: table.get((left, right), NONE)
        else:
            vocabulary = Vocabulary.from_ranks(self.ids, {})
            self.rank_of = lambda left, right: self.ids.get(left + right, NONE)
        self.whole = not merge_list or ignore_merges
        self.tokenizer = Tokenizer.from_vocabulary("made-up", WHOLE, vocabulary)

    def parts(self, piece: bytes) -> list[bytes]:
        return [piece] if self.whole and piece in self.ids else merge_plainly(piece, self.rank_of)

    def text(self, draw: random.Random, length: int) -> bytes:
        kind = draw.randrange(5)
        if kind == 0:
            found = bytes(draw.choices(self.letters, k=length))
        elif kind == 1:  # tokens side by side
            found = b""
            while len(found) < length:
                found += draw.choice(self.tokens[-45:])
        elif kind == 2:
            found = bytes(draw.choices(self.letters, k=draw.randint(1, 50))) * length
        elif kind == 3:  # one period, and another one from somewhere on
            first, second = (bytes(draw.choices(self.letters, k=draw.randint(1, 50))) for _ in range(2))
            found = (first * length)[: draw.randint(1, length)] + second * length
        else:  # runs of tokens
            found = b""
            while len(found) < length:
                found += draw.choice(self.tokens[-45:]) * draw.randint(1, 30)
        found = found[:length]
        return bytes(byte if byte in self.letters else self.letters[0] for byte in found)


def agrees(made: Made, piece: bytes) -> None:
    expected = made.parts(piece)
    ids = made.tokenizer.encode_ordinary(piece.decode())
    assert [made.tokens[token] for token in ids] == expected
    assert made.tokenizer.encode_ordinary(piece.decode()) == ids  # now perhaps from the cache
    assert made.tokenizer.count(piece.decode()) == len(ids)


@given(
    seed=st.integers(0, 2**32),
    length=st.sampled_from(LENGTHS) | st.integers(63, 1200),
    merge_list=st.booleans(),
    ignore_merges=st.booleans(),
    missing=st.booleans(),
)
@example(seed=0, length=5000, merge_list=False, ignore_merges=False, missing=False)
@example(seed=1, length=5000, merge_list=True, ignore_merges=False, missing=False)
@example(seed=2, length=5000, merge_list=True, ignore_merges=True, missing=True)
def test_long_pieces_of_any_vocabulary(seed, length, merge_list, ignore_merges, missing):
    draw = random.Random(seed)
    made = Made(draw, merge_list, missing, ignore_merges and merge_list)
    for _ in range(3):
        agrees(made, made.text(draw, length))


@given(seed=st.integers(0, 2**32), merge_list=st.booleans())
def test_tokens_are_found_whatever_stands_around_them(seed, merge_list):
    """Every long token alone, twice, and at every offset to the borders of the chunks."""
    draw = random.Random(seed)
    made = Made(draw, merge_list, missing=False, ignore_merges=False)
    token = max(made.tokens, key=len)
    letter = made.letters[:1]
    for piece in (token, token * 2, token * 5, letter * draw.randrange(64) + token + letter * 70):
        agrees(made, piece)


@given(seed=st.integers(0, 2**32), length=st.integers(64, 1500), at=st.floats(0, 0.999))
def test_a_missing_byte_of_a_long_piece_is_named_with_its_place(seed, length, at):
    draw = random.Random(seed)
    made = Made(draw, merge_list=False, missing=True, ignore_merges=False)
    piece = bytearray(made.text(draw, length))
    place = int(at * length)
    piece[place] = ord("z")
    before = " ".join("ab" for _ in range(draw.randrange(300))).encode()
    split = Tokenizer.from_vocabulary("split", "[^ ]+", made.tokenizer.vocabulary)
    with pytest.raises(EncodeError, match=f"byte 0x7a at byte {len(before) + 1 + place} of the text"):
        split.encode_ordinary((before + b" " + piece).decode())


@pytest.mark.parametrize(
    "sizes", [(2, 4, 8, 16), (2, 3), (2, 3, 6, 12), (2, 4, 5, 9, 256, 300), (3,), (7, 2)]
)
@pytest.mark.parametrize("merge_list", [False, True])
def test_runs_of_one_byte(sizes, merge_list):
    tokens = [bytes([b]) for b in (97, *range(97), *range(98, 256))]
    tokens += [b"a" * size for size in sizes]
    ids = {token: at for at, token in enumerate(tokens)}
    if merge_list:
        words = [b"a", *tokens[256:]]
        pairs = [(left, right) for left in words for right in words if left + right in ids]
        table = {pair: rank for rank, pair in enumerate(pairs)}
        vocabulary = Vocabulary.from_merges(tokens, [(ids[left], ids[right]) for left, right in pairs], {})
        rank_of = lambda left, right: table.get((left, right), NONE)  # noqa: E731
    else:
        vocabulary = Vocabulary.from_ranks(ids, {})
        rank_of = lambda left, right: ids.get(left + right, NONE)  # noqa: E731
    tokenizer = Tokenizer.from_vocabulary("runs", WHOLE, vocabulary)
    for length in (*range(1000, 1101), 10_000):
        found = tokenizer.encode_ordinary("a" * length)
        if length % 10 in (0, 3, 4) or 1022 < length < 1028:
            assert [tokens[token] for token in found] == merge_plainly(b"a" * length, rank_of), length
        # Beside another byte, which no pair takes in, the run is not merged as one.
        assert tokenizer.encode_ordinary("a" * length + "z") == [*found, ids[b"z"]]
        assert tokenizer.encode_ordinary("z" + "a" * length) == [ids[b"z"], *found]


@pytest.mark.parametrize("period", range(1, 51))
def test_periodic_text(period):
    draw = random.Random(period)
    for merge_list in (False, True):
        made = Made(draw, merge_list, missing=False, ignore_merges=False)
        unit = bytes(draw.choices(made.letters, k=period))
        for length in (600, 1500):
            agrees(made, (unit * length)[:length])


def test_a_pair_is_not_trusted_before_it_was_tried():
    """Id 0 twice, side by side where two chunks meet: a pair that a workspace of zeros might remember."""
    made = {bytes([b]): (b - 97) % 256 for b in range(256)}
    ranks = {**made, b"aa": 256, b"bb": 257, b"ab": 300, b"ba": 301, b"aab": 302}
    for seed in range(300):
        draw = random.Random(seed)
        piece = "".join(draw.choices("ab", k=draw.randint(63, 150)))
        piece = piece[:47] + "aa" + piece[49:]
        fresh = Tokenizer("fresh", pat_str=WHOLE, mergeable_ranks=ranks, special_tokens={})
        assert fresh.encode_ordinary(piece) == reference.merge_ranks(piece.encode(), ranks), piece


def test_a_pair_is_not_trusted_after_it_became_a_token():
    """While a vocabulary is linked, what stood side by side is joined by the token that this gives."""
    ranks = {bytes([b]): b for b in range(256)}
    for size in range(1, 48):
        ranks[b"a" + b"b" * size] = 300 + size
    chunk = b"a" + b"b" * 47
    ranks |= {chunk * 2: 400, chunk * 4: 401, chunk * 8: 402}
    tokenizer = Tokenizer("chunks", pat_str=WHOLE, mergeable_ranks=ranks, special_tokens={})
    for times in range(1, 20):
        piece = chunk * times + b"c"
        assert tokenizer._encode_single_piece(piece) == reference.merge_ranks(piece, ranks)


@pytest.mark.parametrize("name", ["gpt2", "cl100k_base", "o200k_base"])
@pytest.mark.parametrize("letter", list('?)"-.a= '))
def test_marks_of_id_0_at_every_border(name, letter):
    """In the embedded encodings id 0 is the exclamation mark, and two of them are a token."""
    encoding = get_encoding(name)
    for seed in range(60):
        draw = random.Random(seed)
        piece = "".join(draw.choices("!" + letter, k=draw.randint(63, 130)))
        piece = piece[:47] + "!!" + piece[49:]
        fresh = Tokenizer.from_vocabulary("fresh", WHOLE, encoding.vocabulary)
        expected = reference.merge_ranks(piece.encode(), encoding._mergeable_ranks)
        assert fresh.encode_ordinary(piece) == expected, piece
