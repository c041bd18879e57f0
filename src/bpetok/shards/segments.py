"""Documents in segments: what is encoded at a time, so that memory is bounded and threads have work.

A long text is cut only where no piece and no special token spans the cut, whatever stands around it: the ids
of the segments, one behind another, are those of the text. A large file that is one text is never in memory
whole.
"""

import dataclasses
import functools
import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bpetok._scan import _last_cut
from bpetok._text import as_utf8
from bpetok.corpus import Corpus, Document, Part
from bpetok.corpus.compression import open_bytes
from bpetok.corpus.sources import plain_size
from bpetok.shards.settings import Settings

if TYPE_CHECKING:
    from bpetok.tokenizer import Tokenizer

SEGMENT = 1 << 18  # bytes of a segment of a text of more than twice as many
WINDOW = 256  # bytes in which a cut is looked for, or else four times as many, and so on
BLOCK = 1 << 20  # bytes of a file that are hashed at a time

Look = Callable[[int, int], bytes]


@dataclass(frozen=True, slots=True)
class Segment:
    """A document or a part of one: its text, where it is from, its split, and whether the document ends."""

    text: str | bytes
    source: str
    split: int = 0
    last: bool = True


class Segmenter:
    """Cuts documents for a tokenizer, and draws their splits.

    Args:
        tokenizer: whose pieces are not cut.
        settings: the share of the validation split, and the seed.
    """

    def __init__(self, tokenizer: "Tokenizer", settings: Settings) -> None:
        self._tokenizer = tokenizer
        self._validation = settings.validation
        self._seed = settings.seed
        specials = tokenizer.vocabulary.special_tokens
        self._marks = b"\1" * len(specials)
        self._longest = max((len(as_utf8(text)) for text in specials), default=1)
        scanner = tokenizer.pattern.scanner
        # A pattern of one's own can look anywhere, and so can what prepares a text: such texts stay whole.
        self._can_cut = tokenizer.pattern.cuttable and not tokenizer.prepares
        self._spaces = scanner is not None and scanner.parameters["words"] > 1

    def parts(self, corpus: Corpus) -> list[Callable[[], Iterator[Segment]]]:
        """The segments of a corpus, part by part, so that parts can be passed over unread."""
        if corpus.unique:
            return [lambda: self.of(corpus)]
        return [functools.partial(self._part, corpus, part) for part in corpus.files]

    def _part(self, corpus: Corpus, part: Part) -> Iterator[Segment]:
        size = plain_size(part.path)
        if self._can_cut and size is not None and size > 2 * SEGMENT and part.weight == int(part.weight):
            for _ in range(int(part.weight)):
                yield from self._file(part.path, size)
        else:
            yield from self.of(dataclasses.replace(corpus, files=(part,)))

    def of(self, documents: Iterable[Document]) -> Iterator[Segment]:
        """The segments of documents."""
        for document in documents:
            text = document.text
            split = self._split([text]) if self._validation else 0
            if not self._can_cut or len(text) <= 2 * SEGMENT:
                yield Segment(text, document.source, split)
            else:
                data = as_utf8(text)
                yield from self._cut(functools.partial(_slice, data), len(data), document.source, split)

    def _file(self, path: str, size: int) -> Iterator[Segment]:
        with open_bytes(path) as stream:
            split = self._split(iter(lambda: stream.read(BLOCK), b"")) if self._validation else 0

            def look(at: int, n: int) -> bytes:
                stream.seek(at)
                return stream.read(n)

            yield from self._cut(look, size, path, split)

    def _cut(self, look: Look, size: int, source: str, split: int) -> Iterator[Segment]:
        start = 0
        while start < size:
            end = self._end(look, start, size)
            yield Segment(look(start, end - start), source, split, last=end == size)
            start = end

    def _end(self, look: Look, start: int, size: int) -> int:
        """Where the segment ends that begins at `start`."""
        end, window = start + SEGMENT, WINDOW
        while end + window < size:
            at = end + _last_cut(look(end, window), self._spaces)
            if at > end and not self._in_special(look, at):
                return at
            window *= 4
        return size

    def _in_special(self, look: Look, at: int) -> bool:
        """Whether a special token, wherever it begins, stands on both sides of a place."""
        first = max(at - self._longest + 1, 0)
        around = look(first, 2 * self._longest - 2)
        found = self._tokenizer._special_at(around, 0, self._marks)
        while found is not None and found[0] < at - first:
            if found[1] > at - first:
                return True
            found = self._tokenizer._special_at(around, found[0] + 1, self._marks)
        return False

    def _split(self, texts: Iterable[str | bytes]) -> int:
        """1 if a text, which may come in parts, belongs to the validation split, else 0."""
        drawn = hashlib.blake2b(digest_size=8, key=str(self._seed).encode(), person=b"bpetok split")
        for text in texts:
            drawn.update(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"))
        return int(int.from_bytes(drawn.digest()) < self._validation * 2**64)


def _slice(data: bytes, at: int, n: int) -> bytes:
    return data[at : at + n]
