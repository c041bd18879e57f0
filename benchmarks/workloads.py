"""What is measured: a table of tasks, the texts that each needs, and inputs that are hard for some.

`WORKLOADS` are done in a process that runs for a while: each engine keeps its process, and every step has
text that this process has not seen. `FRESH` need a new process, or one that may be ended.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

DOCUMENT = (1000, 4000)  # bytes
SHORT = (80, 120)


@dataclass(frozen=True)
class Workload:
    """A task.

    Attributes:
        what: for a reader.
        method: of an engine.
        share: of the size of a document, which is how much text a step has.
        strings: the least and most bytes of a string; None if the text stays whole.
        batch: whether all strings are handed over at once, or one by one.
        threads: how many an engine may use.
    """

    what: str
    method: str
    share: float
    strings: tuple[int, int] | None = None
    batch: bool = False
    threads: int = 1


WORKLOADS = {
    "list": Workload("a large document into a list", "encode", 1),
    "numpy": Workload("a large document into a numpy array", "encode_array", 1),
    "documents": Workload("documents of 1 to 4 KB into lists", "encode_batch", 0.4, DOCUMENT, batch=True),
    "flat": Workload("documents of 1 to 4 KB into one array", "encode_flat", 0.4, DOCUMENT, batch=True),
    "short": Workload("strings of about 100 bytes into lists, one by one", "encode", 0.1, SHORT),
    "count": Workload("a document, only counted", "count", 0.3),
    "decode": Workload("a list of ids into a str", "decode", 0.3),
    "documents-2": Workload(
        "documents of 1 to 4 KB into lists by two threads", "encode_batch", 1, DOCUMENT, batch=True, threads=2
    ),
    "flat-2": Workload(
        "the same into one array by two threads", "encode_flat", 1, DOCUMENT, batch=True, threads=2
    ),
}
FRESH = {
    "load": "import the library, load the vocabulary, encode a first text",
    "cold": "the first call of a process: a large document into a list; and the memory it takes",
    "hard": "inputs that are hard for some, at a quarter of their size and at full size",
    "edges": "odd strings: not timed, only compared",
}
NAMES = {**{name: each.what for name, each in WORKLOADS.items()}, **FRESH}
WARM_UP = 0.4  # share of a document that is encoded before any step


class Reader:
    """A text that is used up from its beginning, so that nothing is read twice."""

    def __init__(self, text: str) -> None:
        self.data = text.encode()
        self.at = 0

    def take(self, size: int) -> str:
        """The next `size` bytes at most, ending as a document does.

        Raises:
            ValueError: there are no `size` bytes left.
        """
        if self.at + size > len(self.data):
            raise ValueError(f"there are {len(self.data):,} bytes of text, which is too little")
        start, self.at = self.at, end_of(self.data, self.at, self.at + size)
        return self.data[start : self.at].decode()


def end_of(data: bytes, start: int, end: int) -> int:
    """Where to cut, at `end` or in the half before it: after a line, or before a space, or a character."""
    if end == len(data):
        return end
    half = (start + end) // 2
    newline, space = data.rfind(b"\n", half, end), data.rfind(b" ", half, end)
    if newline >= 0:
        return newline + 1
    if space > start:
        return space
    while data[end] & 0xC0 == 0x80:
        end -= 1
    return end


def strings(text: str, sizes: tuple[int, int], seed: str) -> list[str]:
    """All of a text in strings of random sizes."""
    draw, reader = Random(seed), Reader(text)
    found = []
    while rest := len(reader.data) - reader.at:
        found.append(reader.take(min(rest, draw.randint(*sizes))))
    return found


# ---- hard inputs ----------------------------------------------------------------------------------

HAN = "".join(map(chr, range(0x4E00, 0x9FA6)))
LATIN_1 = "".join(map(chr, range(0xA0, 0x100)))
PEOPLE = "👨👩🧑👧👦👴👵🧔"
SKINS = ("", "🏻", "🏼", "🏽", "🏾", "🏿")
THAI = re.findall(r"\S+", """
    การ ความ ที่ และ ของ ใน เป็น มี ได้ ให้ ไม่ ว่า จะ กับ จาก โดย นี้ ไป มา อยู่ คน แล้ว หรือ ต้อง
    ประเทศ ไทย กรุงเทพมหานคร ภาษา หนังสือ โรงเรียน นักเรียน มหาวิทยาลัย วิทยาศาสตร์ คอมพิวเตอร์
    อินเทอร์เน็ต เศรษฐกิจ สังคม วัฒนธรรม ประวัติศาสตร์ รัฐบาล กฎหมาย สิทธิ เสรีภาพ มนุษย์ ชีวิต
    ครอบครัว เด็ก ผู้หญิง ผู้ชาย อาหาร น้ำ อากาศ ทะเล ภูเขา แม่น้ำ เมือง หมู่บ้าน สวัสดี ขอบคุณ
    วันนี้ พรุ่งนี้ เมื่อวาน เวลา ปี เดือน สัปดาห์ ชั่วโมง นาที ทำงาน เดินทาง อ่าน เขียน พูด ฟัง
    คิด รู้ เข้าใจ
""")  # fmt: skip


def emoji(draw: Random) -> str:
    """People joined to one symbol by zero-width joiners."""
    return "\u200d".join(draw.choice(PEOPLE) + draw.choice(SKINS) for _ in range(draw.randint(2, 4)))


def drawn(word: Callable[[Random], str]) -> Callable[[int], str]:
    """At least `size` bytes of words that are drawn, nothing between them."""

    def make(size: int) -> str:
        draw = Random(size)
        parts: list[str] = []
        while size > 0:
            parts.append(word(draw))
            size -= len(parts[-1].encode())
        return "".join(parts)

    return make


def run_of(char: str) -> Callable[[int], str]:
    return lambda size: char * size


def letters(alphabet: str) -> Callable[[Random], str]:
    """A thousand random characters at once: it is a hundred times as fast as one."""
    return lambda draw: "".join(draw.choices(alphabet, k=1000))


# The bytes of each input at full size, and how it is made.
HARD: dict[str, tuple[int, Callable[[int], str]]] = {
    "a": (1_000_000, run_of("a")),
    "^": (100_000, run_of("^")),
    "spaces": (100_000, run_of(" ")),
    "newlines": (100_000, run_of("\n")),
    "random a-z": (1_000_000, drawn(letters("abcdefghijklmnopqrstuvwxyz"))),
    "random Han": (1_000_000, drawn(letters(HAN))),
    "Thai words": (1_000_000, drawn(lambda draw: draw.choice(THAI))),
    "joined emoji": (1_000_000, drawn(emoji)),
    "Latin-1 noise": (1_000_000, drawn(letters(LATIN_1))),
}


def hard_inputs(scale: float) -> Iterator[tuple[str, str, str]]:
    """Name, a quarter, and the whole of each input."""
    for name, (size, make) in HARD.items():
        whole = max(int(size * scale), 40)
        yield name, make(whole // 4), make(whole)


EDGES = [
    "", "a", " ", "\n", " \n", "a\n  ", "a\n    ", "a \n\n \t ", "a  \n  b", "a\r\n\r\n  b",
    "a" * 300, "^" * 300, " " * 300, "\n" * 300, "!!!\n\n!!\n", "a/b//c\n/\n", "HTTPServer's XMLHttpRequest",
    "\u00a0a\u3000\u3000b", "\u2028a\u0085b\u180e", "\ufeffhi\u200b\u200d\u00adx", "a\0b\0\0",
    "'s'S I'LL don'T we've", "'\u017f'\u017fs I'\u017f", "\u0646\u062d\u0646'll", "<|endoftext|>",
    "1234567 \u0661\u0662\u0663\u0664\u0665", "\u2167\u2167\u00b2\u00b3\u00bd", "<|fim_prefix|>x",
    "e\u0301a\u0301\u0301", "\u0301\u0301 \u0301", "\u01c5ungla \u1fb3 \u0130i\u0307", "\u4e2d\u6587\u5b57",
    "\U00010400\U00010428", "\U0001e030\u1c89\ua7cb x",
    "\U0001f469\u200d\U0001f467\U0001f3f3\ufe0f\u200d\U0001f308",
]  # fmt: skip
