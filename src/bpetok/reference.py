r"""The specification: what every native function does, written to be read.

Nothing here is fast and nothing here is used at run time. Each function says in a few lines of plain
Python what its native counterpart computes, and the tests hold the two to equal results:

=======================  ==========================================================
`utf8`                   `str` to bytes, with surrogates treated as tiktoken does
`normalize`              a text as SentencePiece prepares it
`split`                  a text into pieces, by the pattern itself
`merge_ranks`            a piece into ids, when a token's id is its rank (tiktoken)
`merge_list`             a piece into ids, by a list of pairs (Hugging Face)
`merge_characters`       a piece into ids, from characters on, with byte fallback
`dropout`                a piece into ids, with merges left out by chance
`encode`                 special tokens, pieces and merges together
`spans`                  the bytes and the characters that each id covers
`count_pieces`           texts into piece counts
`train`                  piece counts into merges
`alphabet`               piece counts into the characters of a vocabulary with byte fallback
`train_characters`       piece counts into merges of characters
`train_parity`           piece counts of several languages into merges
`scaffolds`              which tokens can be dropped
=======================  ==========================================================
"""

import functools
import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from bpetok._scan import char_class
from bpetok.errors import EncodeError

# ---- text ----------------------------------------------------------------------------------------


def utf8(text: str) -> bytes:
    """UTF-8 of a text that may hold surrogates.

    A high and a low surrogate side by side are the character they stand for; a lone one is U+FFFD. This
    is a round trip through UTF-16, which is how tiktoken repairs a text that UTF-8 refuses.

    >>> utf8("\\ud83d\\ude00 \\ud83d").decode()
    '😀 �'
    """
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace").encode()


def normalize(
    text: str,
    rules: Mapping[str, str],
    symbols: Collection[str],
    *,
    dummy_prefix: bool,
    suffix: bool,
    collapse: bool,
    escape: bool,
) -> str:
    """A text as SentencePiece prepares it, but with spaces instead of U+2581.

    At each position the longest symbol is kept, or else the longest key of the rules replaced, or else a
    character kept. `collapse` takes spaces off both ends, and off the front of what follows a space. Only
    then is U+2581 a space, if `escape`; a space is put before the text, or behind it.

    >>> flags = dict(dummy_prefix=True, suffix=False, collapse=True, escape=True)
    >>> normalize("  ﬁne  x ", {"ﬁ": "fi"}, (), **flags)
    ' fine x'
    """
    parts = []
    at = 0
    while at < len(text):
        symbol = max((each for each in symbols if text.startswith(each, at)), key=len, default="")
        key = symbol or max((each for each in rules if text.startswith(each, at)), key=len, default=text[at])
        parts.append(symbol or rules.get(key, key))
        at += len(key)
    if collapse:
        parts = list(itertools.dropwhile(lambda part: part == " ", parts))
    if not parts:
        return ""
    made = " " if dummy_prefix and not suffix else ""
    after_space = collapse
    for part in parts:
        part = part.lstrip(" ") if after_space else part
        made += part
        if part:
            after_space = collapse and part.endswith(" ")
    if escape:
        made = made.replace("\u2581", " ")
    if collapse:
        made = made.rstrip(" ")
    return made + " " if dummy_prefix and suffix else made


# ---- pieces --------------------------------------------------------------------------------------

_LETTER, _UPPER, _LOWER, _NUMBER, _SPACE, _NEWLINE, _MARK, _OTHER = (1 << bit for bit in range(8))

# The table tells no more than the known patterns ask. Cased letters that can start a word are one class
# (Lu with Lt) and caseless ones another (Lm with Lo), and so are punctuation and symbols (P with S): the
# patterns name the two of each pair together.
_CASE = _UPPER | _LOWER
# Class name to (bits that matter, what they must be).
_CLASSES = {
    "L": (_LETTER, _LETTER),
    "Lu": (_CASE, _UPPER),
    "Lt": (_CASE, _UPPER),
    "Ll": (_CASE, _LOWER),
    "Lm": (_LETTER | _CASE, _LETTER | _CASE),
    "Lo": (_LETTER | _CASE, _LETTER | _CASE),
    "M": (_MARK, _MARK),
    "N": (_NUMBER, _NUMBER),
    "P": (_LETTER | _MARK | _NUMBER | _SPACE | _OTHER, 0),
    "S": (_LETTER | _MARK | _NUMBER | _SPACE | _OTHER, 0),
    "s": (_SPACE, _SPACE),
}


def split(text: str | bytes, source: str) -> list[Any]:
    """The pieces of a text: what the pattern matches, from left to right.

    The expression runs in the `regex` package, with each Unicode class written out as the characters
    that the native table has in it, so that both know the same version of Unicode.

    Bytes that are not UTF-8 are characters of no class, one each: `surrogateescape` turns each of them
    into a code point that no class holds, and back.

    Args:
        text: a str, or bytes that should be UTF-8.
        source: the regular expression.

    Returns:
        Pieces of the type of `text`.

    >>> split("I'm 12345 years", r"'(?:[sdmt]|ll|ve|re)| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+")
    ['I', "'m", ' 12345', ' years']
    """
    pattern = _compiled(source)
    if isinstance(text, str):
        return [match.group() for match in pattern.finditer(utf8(text).decode())]
    escaped = text.decode("utf-8", "surrogateescape")
    return [match.group().encode("utf-8", "surrogateescape") for match in pattern.finditer(escaped)]


@functools.cache
def _compiled(source: str) -> Any:
    import regex

    return regex.compile(explicit(source))


def explicit(source: str) -> str:
    r"""A pattern with its Unicode classes written out, and `$` as the very end of the text.

    Only what the known patterns use is rewritten: `\p{L}` and its kin, `\P{..}`, `\s`, `\S`, `$`.

    >>> explicit(r"[0-9$]+$")
    '[0-9$]+\\Z'
    >>> len(explicit(r"\p{L}")) > 10_000
    True
    """
    out, in_class = [], False
    for part in re.findall(r"\\[pP]\{\w+\}|\\.|.", source, re.DOTALL):
        members = _members(part)
        if members:
            out.append(members if in_class else f"[{members}]")
        elif part == "$" and not in_class:
            out.append(r"\Z")
        else:
            in_class = part == "[" or (in_class and part != "]")
            out.append(part)
    return "".join(out)


@functools.cache
def _members(part: str) -> str:
    r"""The inside of a bracket that holds the characters of `\p{..}`, `\P{..}`, `\s` or `\S`, or ""."""
    named = re.fullmatch(r"\\(?:([pP])\{(\w+)\}|([sS]))", part)
    if named is None or (named[2] or "s") not in _CLASSES:
        return ""
    mask, members = _CLASSES[named[2] or "s"]
    wanted = part[1] in "ps"
    ranges: list[list[int]] = []
    for code_point in range(0x110000):
        if (char_class(code_point) & mask == members) == wanted:
            if ranges and ranges[-1][1] == code_point - 1:
                ranges[-1][1] = code_point
            else:
                ranges.append([code_point, code_point])
    return "".join(rf"\U{first:08x}-\U{last:08x}" for first, last in ranges)


# ---- merges --------------------------------------------------------------------------------------


def merge_ranks(piece: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """The ids of a piece when ids are ranks, as in tiktoken.

    A piece that is a token is that token, whether or not merges would get there. Otherwise, again and
    again, of all neighbours that join to a token's bytes, the pair with the lowest rank is joined, the
    leftmost when there are several. What two parts came from does not matter, only their bytes.

    Raises:
        EncodeError: a byte is left that is no token.

    >>> merge_ranks(b"abcab", {b"a": 0, b"b": 1, b"c": 2, b"ab": 3, b"bc": 4})
    [3, 2, 3]
    """
    if piece in ranks:
        return [ranks[piece]]
    parts = [piece[at : at + 1] for at in range(len(piece))]
    while len(parts) > 1:
        joined = [ranks.get(left + right, math.inf) for left, right in itertools.pairwise(parts)]
        lowest = min(joined)
        if lowest == math.inf:
            break
        at = joined.index(lowest)
        parts[at : at + 2] = [parts[at] + parts[at + 1]]
    missing = [part for part in parts if part not in ranks]
    if missing:
        raise EncodeError(f"the vocabulary has no token for {missing[0]!r}")
    return [ranks[part] for part in parts]


def merge_list(piece: Iterable[int], merges: Mapping[tuple[int, int], tuple[int, int]]) -> list[int]:
    """The ids of a piece when only listed pairs may merge, as in Hugging Face's `tokenizers`.

    Args:
        piece: the ids of the piece's bytes.
        merges: (left id, right id) to (rank, id of the two together).

    >>> merge_list([0, 1, 2], {(1, 2): (0, 4), (0, 1): (1, 3)})
    [0, 4]
    """
    ids = list(piece)
    while True:
        found = [(merges[pair][0], at) for at, pair in enumerate(itertools.pairwise(ids)) if pair in merges]
        if not found:
            return ids
        _, at = min(found)
        ids[at : at + 2] = [merges[ids[at], ids[at + 1]][1]]


def merge_characters(
    piece: str,
    tokens: Mapping[str, int],
    *,
    merges: Mapping[tuple[str, str], int] | None = None,
    scores: Mapping[str, float] | None = None,
    byte_tokens: Sequence[int] | None = None,
    unknown: int | None = None,
    fuse: bool = False,
    unused: Collection[str] = (),
) -> list[int]:
    """The ids of a piece when merging starts from its characters.

    With `merges` only listed pairs of tokens merge, the lowest rank first (`tokenizers`). With `scores` any
    two
    neighbours may, if their joined text is a token, whether or not they are tokens themselves; the highest
    score
    first (SentencePiece). Of equals, the leftmost pair is taken. At the end

    - a part whose token is unused is taken apart into what it was merged from, again and again; a single
      character stays;
    - a part that is no token, which is a character then, becomes the tokens of its bytes, or `unknown`. With
      `fuse`, unknown ones side by side are one id.

    Raises:
        EncodeError: a character is no token, and there is neither a byte token nor an unknown one.

    >>> tokens = {"a": 1, "b": 2, "ab": 3, "abc": 4}
    >>> merge_characters("abcxxa", tokens, scores={"ab": 0, "abc": -1}, unknown=0, fuse=True)
    [4, 0, 1]
    >>> merge_characters("abcxxa", tokens, merges={("a", "b"): 0}, unknown=0)
    [3, 0, 0, 0, 1]
    """

    def order(left: str, right: str) -> float:
        if merges is not None:
            # A pair is one of tokens: a character that is none is in no pair.
            return merges.get((left, right), math.inf)
        joined = left + right
        return -(scores or {})[joined] if joined in tokens else math.inf

    parts = list(piece)
    made: dict[str, tuple[str, str]] = {}
    while len(parts) > 1:
        orders = [order(left, right) for left, right in itertools.pairwise(parts)]
        lowest = min(orders)
        if lowest == math.inf:
            break
        at = orders.index(lowest)
        joined = parts[at] + parts[at + 1]
        made[joined] = parts[at], parts[at + 1]
        parts[at : at + 2] = [joined]

    def taken_apart(part: str) -> list[str]:
        if part in unused and part in made:
            left, right = made[part]
            return taken_apart(left) + taken_apart(right)
        return [part]

    ids: list[int] = []
    fusing = False
    for part in itertools.chain.from_iterable(map(taken_apart, parts)):
        if part in tokens:
            ids.append(tokens[part])
        elif byte_tokens is not None:
            ids += [byte_tokens[byte] for byte in part.encode()]
        elif unknown is None:
            raise EncodeError(f"the vocabulary has no token for {part!r}")
        elif not (fuse and fusing):
            ids.append(unknown)
        fusing = part not in tokens
    return ids


def dropout(
    piece: Iterable[int],
    merges: Mapping[tuple[int, int], tuple[int, int]],
    dropped: Callable[[], bool],
) -> list[int]:
    """The ids of a piece with merges left out by chance: BPE-dropout as in Hugging Face's `tokenizers`.

    All merges that are there wait in a queue. The first in order comes up, and `dropped` decides. If it is
    dropped, the next one comes up; if not, all that were dropped wait again, and it is made, unless its
    pair is
    no longer there. That ends when the queue is empty, whatever was dropped last.

    Args:
        piece: the symbols to start from.
        merges: (left symbol, right symbol) to (rank, symbol of the two together).
        dropped: called once for each merge that comes up.

    >>> merges = {(0, 1): (0, 3), (3, 2): (1, 4)}
    >>> dropout([0, 1, 2], merges, lambda: False), dropout([0, 1, 2], merges, lambda: True)
    ([4], [0, 1, 2])
    """
    symbols: list[int | None] = list(piece)  # at the place of its first one; None for what is merged

    def following(at: int) -> int | None:
        return next((i for i in range(at + 1, len(symbols)) if symbols[i] is not None), None)

    queue: list[tuple[int, int, int]] = []  # rank, place, result

    def wait(at: int | None) -> None:
        other = None if at is None else following(at)
        if at is None or other is None:
            return
        left, right = symbols[at], symbols[other]
        if left is not None and right is not None and (left, right) in merges:
            rank, result = merges[left, right]
            queue.append((rank, at, result))

    for at in range(len(symbols)):
        wait(at)
    skipped: list[tuple[int, int, int]] = []
    while queue:
        top = min(queue)
        queue.remove(top)
        if dropped():
            skipped.append(top)
            continue
        queue += skipped
        skipped.clear()
        rank, at, result = top
        other = following(at)
        left = symbols[at]
        right = None if other is None else symbols[other]
        if other is None or left is None or right is None or merges.get((left, right)) != (rank, result):
            continue
        symbols[at], symbols[other] = result, None
        wait(next((i for i in reversed(range(at)) if symbols[i] is not None), None))
        wait(at)
    return [symbol for symbol in symbols if symbol is not None]


# ---- encoding ------------------------------------------------------------------------------------


def encode(
    text: str,
    source: str,
    ranks: Mapping[bytes, int],
    special_tokens: Mapping[str, int] | None = None,
    allowed: Collection[str] = (),
) -> list[int]:
    """The ids of a text, with the text of allowed special tokens as those tokens.

    Args:
        text: any str; surrogates are repaired first.
        source: the split pattern.
        ranks: bytes of every token to its id, which is its rank.
        special_tokens: text of every special token to its id.
        allowed: the special tokens to look for; the text of others is ordinary.

    >>> encode("ab<s>ab", ".+", {b"a": 0, b"b": 1, b"ab": 2}, {"<s>": 3}, allowed={"<s>"})
    [2, 3, 2]
    """
    ids: list[int] = []
    for segment, special in segments(utf8(text).decode(), allowed):
        for piece in split(segment, source):
            ids += merge_ranks(piece.encode(), ranks)
        if special is not None:
            ids.append((special_tokens or {})[special])
    return ids


def segments(text: str, allowed: Collection[str]) -> Iterator[tuple[str, str | None]]:
    """Cut a text at special tokens: each stretch of ordinary text with the special token after it, if any.

    The search takes the first special token in the text, and the longest of those that start at the same
    character. Each stretch is split on its own: for the pattern, the text ends where a special begins.

    >>> list(segments("a<s><s2>b", {"<s>", "<s2>"}))
    [('a', '<s>'), ('', '<s2>'), ('b', None)]
    """
    start = at = 0
    while at < len(text):
        here = (token for token in allowed if token and text.startswith(token, at))
        found = max(here, key=len, default=None)
        if found is None:
            at += 1
        else:
            yield text[start:at], found
            start = at = at + len(found)
    yield text[start:], None


def spans(tokens: Iterable[bytes]) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """The bytes and the characters that each token covers, in a text that is valid UTF-8 as a whole.

    A character belongs to every token that holds one of its bytes.

    >>> spans(["é".encode()[:1], "é".encode()[1:] + b"a"])
    [((0, 1), (0, 1)), ((1, 3), (0, 2))]
    """
    covered = []
    start = characters = 0
    for token in tokens:
        continued = bool(token) and 0x80 <= token[0] < 0xC0
        first = characters - continued
        characters += sum(not 0x80 <= byte < 0xC0 for byte in token)
        covered.append(((start, start + len(token)), (first, characters)))
        start += len(token)
    return covered


# ---- training ------------------------------------------------------------------------------------


def count_pieces(texts: Iterable[str | bytes], source: str) -> Counter[bytes]:
    """How often each piece occurs in the texts, which are split one by one.

    >>> count_pieces(["a b", "a"], r" ?\\p{L}+")
    Counter({b'a': 2, b' b': 1})
    """
    counts: Counter[bytes] = Counter()
    for text in texts:
        pieces = split(text, source)
        counts.update(piece.encode() if isinstance(piece, str) else piece for piece in pieces)
    return counts


# GPT-2's alphabet shows each byte as a printable character. In the order of those characters the bytes
# that are printable Latin-1 come first; `tokenizers` gives ids to bytes in that order.
BYTE_ORDER = sorted(range(256), key=lambda byte: (not chr(byte).isprintable() or chr(byte).isspace(), byte))


def train(
    counts: Mapping[bytes, int],
    n_merges: int,
    *,
    tie_break: Literal["bytes", "huggingface", "rustbpe", "minbpe"] = "bytes",
    min_frequency: int = 1,
    max_token_length: int | None = None,
    start: Mapping[bytes, Iterable[bytes]] | None = None,
    first: Iterable[tuple[bytes, bytes]] = (),
    taken: Collection[bytes] = (),
    allowed: Callable[[bytes], bool] = lambda token: True,
) -> list[tuple[bytes, bytes]]:
    """Learn merges: count all pairs of neighbours, join the most frequent one everywhere, and again.

    Every two neighbours are a pair, so `aaa` holds `aa` twice; joining goes from left to right and does
    not overlap. Nothing is remembered from one step to the next.

    Args:
        counts: pieces with how often each occurs.
        n_merges: how many merges there shall be; fewer come back when no pair is frequent enough.
        tie_break: which of equally frequent pairs wins: with "bytes" the one whose (left bytes, right
            bytes) are first in order, with "huggingface" and "rustbpe" the one whose (left id, right id)
            are (these two differ in the ids of bytes; characters come in the order of code points), with
            "minbpe" the one that stands first in the pieces, in the order of `counts`.
        min_frequency: the least count of a pair that may merge.
        max_token_length: the most bytes in a token.
        start: the tokens of each piece at the beginning; None for single bytes.
        first: merges that are made before any is learned; they come back first.
        taken: tokens that no merge may make.
        allowed: whether there may be a token of such bytes.

    >>> train({b"aaab": 2, b"ab": 1}, 2)
    [(b'a', b'a'), (b'a', b'b')]
    """
    words = {
        piece: list(start[piece]) if start else [piece[at : at + 1] for at in range(len(piece))]
        for piece in counts
    }
    byte_order = BYTE_ORDER if tie_break == "huggingface" else range(256)
    ids = {bytes([byte]): at for at, byte in enumerate(byte_order)}
    if start:
        ids = {token: at for at, token in enumerate(sorted(set(itertools.chain(*words.values()))))}
    merges = list(first)
    for left, right in merges:
        ids.setdefault(left + right, len(ids))
        for parts in words.values():
            join(parts, (left, right))

    def order(pair: tuple[bytes, bytes]) -> tuple[Any, ...]:
        if tie_break == "minbpe":
            return ()  # of equals, `min` takes the first in `pairs`, where they are in order of sight
        return pair if tie_break == "bytes" else (ids[pair[0]], ids[pair[1]])

    while len(merges) < n_merges:
        pairs: Counter[tuple[bytes, bytes]] = Counter()
        for piece, parts in words.items():
            for left, right in itertools.pairwise(parts):
                short = max_token_length is None or len(left) + len(right) <= max_token_length
                if short and left + right not in taken and allowed(left + right):
                    pairs[left, right] += counts[piece]
        if not pairs:
            break
        best = min(pairs, key=lambda pair: (-pairs[pair], order(pair)))
        if pairs[best] < max(min_frequency, 1):
            break
        merges.append(best)
        ids.setdefault(best[0] + best[1], len(ids))
        for parts in words.values():
            join(parts, best)
    return merges


def alphabet(counts: Mapping[bytes, int], coverage: float, required: str = "") -> list[str]:
    """The most frequent characters of counted pieces, until they make up a share of all; then those that are
    required and still missing. Of equals the one of the lower code point comes first.

    >>> alphabet({b"aab": 2, "ca\u00e9".encode(): 1}, 0.7)
    ['a', 'b']
    """
    characters: Counter[str] = Counter()
    for piece, n in counts.items():
        for char in piece.decode("utf-8", "surrogateescape"):
            if not 0xDC80 <= ord(char) < 0xDD00:  # a byte that is not UTF-8
                characters[char] += n
    order = sorted(characters, key=lambda char: (-characters[char], char))
    chosen: list[str] = []
    while len(chosen) < len(order):
        if sum(characters[char] for char in chosen) / characters.total() >= coverage:
            break
        chosen.append(order[len(chosen)])
    return chosen + sorted(set(required).difference(chosen), key=lambda char: (-characters[char], char))


def train_characters(
    counts: Mapping[bytes, int], alphabet: Collection[str], n_merges: int, **options: Any
) -> list[tuple[bytes, bytes]]:
    """Learn merges of characters: as `train`, but pieces begin as characters, and what is not in the alphabet
    cuts them.

    >>> train_characters({"\u00e9a\u2014\u00e9a".encode(): 1}, "a\u00e9", 9)
    [(b'\xc3\xa9', b'a')]
    """
    runs: Counter[bytes] = Counter()
    for piece, n in counts.items():
        text = piece.decode("utf-8", "surrogateescape")
        for inside, run in itertools.groupby(text, lambda char: char in alphabet):
            if inside:
                runs["".join(run).encode()] += n
    return train(runs, n_merges, start={run: [c.encode() for c in run.decode()] for run in runs}, **options)


def allowed_token(
    token: bytes, scripts: Mapping[str, str | None], *, split_digits: bool = False, longest: int | None = 16
) -> bool:
    """Whether there may be a token of several characters, if they are cut as SentencePiece cuts them.

    Args:
        token: its UTF-8.
        scripts: the script of each character, None where it goes with any; white space but the space is a
            script, too.
        split_digits: whether a digit is a token by itself.
        longest: the most characters of a token.

    >>> scripts = {"a": "Latn", "b": "Latn", "1": "Zyyy"}
    >>> [allowed_token(token, scripts) for token in (b" ab", b"a ", b"a1", b"a b")]
    [True, False, False, True]
    """
    text = token.decode()
    if text.endswith(" ") or (longest is not None and len(text) > longest):
        return False
    if split_digits and any(char in "0123456789" for char in text):
        return False
    return len({scripts[char] for char in text if char != " "} - {None}) <= 1


def join(parts: list[bytes], pair: tuple[bytes, bytes]) -> None:
    """Join each occurrence of a pair in `parts`, in place, from left to right.

    >>> parts = [b"a", b"a", b"a"]
    >>> join(parts, (b"a", b"a"))
    >>> parts
    [b'aa', b'a']
    """
    at = 0
    while at < len(parts) - 1:
        if (parts[at], parts[at + 1]) == pair:
            parts[at : at + 2] = [pair[0] + pair[1]]
        at += 1


def train_parity(
    corpora: Mapping[str, Mapping[bytes, int]],
    dev: Mapping[str, Mapping[bytes, int]],
    n_merges: int,
    *,
    global_merges: int = 0,
    window: int = 0,
    alpha: float = 2,
    **options: Any,
) -> list[tuple[bytes, bytes]]:
    """Learn merges, each for the language whose development text has the most tokens.

    Args:
        corpora: per language, pieces with how often each occurs.
        dev: per language, the same of a text with the same content in every language.
        n_merges: how many merges to learn; fewer come back when no language has a pair left.
        global_merges: so many merges are learned first on all corpora together.
        window: a language that was chosen more than alpha * window / (number of languages) times in the
            last `window` choices comes after all others; 0 for no such rule.
        alpha: see `window`.
        options: those of `train`.

    >>> train_parity({"x": {b"ab": 9}, "y": {b"cde": 1}}, {"x": {b"ab": 1}, "y": {b"cde": 1}}, 2)
    [(b'c', b'd'), (b'a', b'b')]
    """
    together: Counter[bytes] = Counter()
    for counts in corpora.values():
        together.update(counts)
    merges = train(together, min(global_merges, n_merges), **options)
    chosen: list[str] = []
    while len(merges) < n_merges:
        tokens = {language: n_tokens(dev[language], merges) for language in corpora}
        last = chosen[-window:] if window else []
        order = sorted(
            corpora,
            key=lambda each: (last.count(each) * len(corpora) > alpha * window, -tokens[each]),
        )
        for language in order:
            found = train(corpora[language], len(merges) + 1, first=merges, **options)
            if len(found) > len(merges):
                merges = found
                chosen.append(language)
                break
        else:
            break
    return merges


def n_tokens(counts: Mapping[bytes, int], merges: Iterable[tuple[bytes, bytes]]) -> int:
    """How many tokens counted pieces have after some merges.

    >>> n_tokens({b"aab": 3}, [(b"a", b"a")])
    6
    """
    total = 0
    for piece, n in counts.items():
        parts = [piece[at : at + 1] for at in range(len(piece))]
        for pair in merges:
            join(parts, pair)
        total += n * len(parts)
    return total


def scaffolds(
    counts: Mapping[bytes, int], merges: list[tuple[bytes, bytes]], share: float, worth: int
) -> dict[bytes, float]:
    """The tokens that merges make almost only on the way to whole pieces.

    A token is *passed* where it is joined to others and the piece ends as one token, which is found
    without the merges that lead to it. A token is a scaffold when it is passed in at least `share` of the
    places where it is made, and all others are fewer than `worth`; unless a token that stays has to be merged
    from it: one that is nowhere a whole piece, or from which such a token has to be merged.

    Returns:
        Scaffolds, with the share of their places where they are passed.

    >>> scaffolds({b"abc": 9, b"abd": 1}, [(b"a", b"b"), (b"ab", b"c")], 0.9, 2)
    {b'ab': 0.9}
    """
    made: Counter[bytes] = Counter()
    passed: Counter[bytes] = Counter()
    whole = set()
    for piece, n in counts.items():
        parts = [piece[at : at + 1] for at in range(len(piece))]
        built: list[bytes] = []
        for pair in merges:
            before = len(parts)
            join(parts, pair)
            built += [pair[0] + pair[1]] * (before - len(parts))
        for token in built:
            made[token] += n
            if len(parts) == 1 and token != piece:
                passed[token] += n
        if len(parts) == 1:
            whole.add(piece)
    needed: set[bytes] = set()
    found = {}
    for left, right in reversed(merges):
        token = left + right
        enough = passed[token] >= share * made[token] and made[token] - passed[token] < worth
        if token not in needed and enough:
            found[token] = passed[token] / made[token]
        elif token in needed or token not in whole:
            needed |= {left, right}
    return found
