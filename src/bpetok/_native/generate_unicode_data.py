"""Generate ``unicode_data.py``: what characters are to `tokenizers`, whose steps are done here exactly.

Usage, from the project's root: ``python src/bpetok/_native/generate_unicode_data.py [--check]``

`tokenizers` has its Unicode from four places, of different versions: Oniguruma (expressions), the standard
library of Rust (numerals, lower case), and two packages (normal forms and marks; punctuation). Python's own
``unicodedata`` is of another version with every release. So the classes are read off the reference itself:
one text holds every code point, and what a step keeps, splits or changes is the class.

Run it with the oldest Python that is supported: what that one does not know is taken from the table, and
what it knows, later ones know too, by the stability policies of Unicode. ``--check`` exits 1 when the file
on disk differs from what would be written.
"""

import functools
import sys
import unicodedata
from collections.abc import Callable, Iterable
from pathlib import Path

TARGET = Path(__file__).parent.with_name("unicode_data.py")
EVERY = [cp for cp in range(0x110000) if not 0xD800 <= cp < 0xE000]
CATEGORIES = "Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm Sc Sk So Zs Zl Zp Cc Cf Co Cn"
SCRIPTS = "Arabic Cyrillic Devanagari Greek Han Hangul Hebrew Hiragana Katakana Latin Thai"
# Of one base, and of marks on it that stand as far apart as possible: what is put between them is a mark
# for a normal form, and moves, only if it has a combining class.
BASE, HIGHEST, LOWEST = "a", "\u0345", "\u0334"


def kept(step: object) -> set[int]:
    """The code points of the pieces that a pre-tokenizer gives."""
    pieces = step.pre_tokenize_str("".join(map(chr, EVERY)))  # type: ignore[attr-defined]
    return {ord(char) for piece, _ in pieces for char in piece}


def expression(source: str) -> set[int]:
    """The code points that an expression of Oniguruma matches."""
    from tokenizers import Regex
    from tokenizers.pre_tokenizers import Split

    return kept(Split(Regex(source), "removed", invert=True))


def lines_of(change: Callable[[str], str], spell: Callable[[str], str] = str) -> dict[int, str]:
    """What a normalizer makes of each code point, spelled in some way. Most at once, a line each."""
    points = [cp for cp in EVERY if cp not in (10, 13)]
    made = change("\n".join(spell(chr(cp)) for cp in points)).split("\n")
    assert len(made) == len(points)
    return dict(zip(points, made, strict=True))


def differing(change: Callable[[str], str], ours: Callable[[str], str]) -> set[int]:
    """The code points that Python changes otherwise, also as a mark between marks."""
    found = set()
    for spell in (str, lambda char: BASE + HIGHEST + char + LOWEST):
        theirs, mine = lines_of(change, spell), lines_of(ours, spell)
        found |= {cp for cp in theirs if theirs[cp] != mine[cp]}
    return found


def runs(points: Iterable[int]) -> str:
    """Code points as the lengths of the runs that are outside and inside by turns, in base 36."""
    inside = set(points)
    lengths, at, now = [], 0, False
    for cp in range(0x110001):
        if (cp in inside) is not now:
            lengths.append(base36(cp - at))
            at, now = cp, not now
    return " ".join(lengths)


def base36(number: int) -> str:
    digits = ""
    while number or not digits:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits


def classes() -> dict[str, str]:
    """The runs of each class, by its name."""
    from tokenizers import normalizers, pre_tokenizers

    def rust(step: object) -> set[int]:
        return set(EVERY) - kept(step)

    found = {category: expression(rf"\p{{{category}}}") for category in CATEGORIES.split()}
    found |= {script: expression(rf"\p{{{script}}}") for script in SCRIPTS.split()}
    found["word"] = expression(r"\w")
    found["space"] = expression(r"\s")
    found["digit"] = expression(r"\d")
    # `Punctuation` and `Digits` split off what they know; a piece of one such character is looked at alone.
    found["rust_punctuation"] = rust(pre_tokenizers.Punctuation("removed"))
    found["rust_numeric"] = numerals(pre_tokenizers.Digits(individual_digits=True))
    found["rust_word"] = kept(pre_tokenizers.Whitespace()) & words(pre_tokenizers.Whitespace())
    marks = lines_of(normalizers.StripAccents().normalize_str)
    found["mark"] = {cp for cp, left in marks.items() if not left}
    unknown = {cp for cp in range(0x110000) if unicodedata.category(chr(cp)) == "Cn"}
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        step = getattr(normalizers, form)()
        unknown |= differing(step.normalize_str, functools.partial(unicodedata.normalize, form))
    # Parts of characters that are unknown: they would be composed.
    for cp in sorted(unknown):
        parts = unicodedata.decomposition(chr(cp))
        if parts and "<" not in parts:
            unknown |= {int(part, 16) for part in parts.split()[:1]}
    found["no_form"] = unknown
    found |= forms(unknown)
    return {name: runs(points) for name, points in found.items()}


def forms(unknown: set[int]) -> dict[str, set[int]]:
    """What `_forms` needs to know: what each normal form changes alone; which characters have a combining
    class, which may join one before them, and which may be joined."""
    known = [cp for cp in EVERY if cp not in unknown]
    found = {
        form: {cp for cp in known if unicodedata.normalize(form, chr(cp)) != chr(cp)}
        for form in ("NFC", "NFD", "NFKC", "NFKD")
    }
    found["combining"] = {cp for cp in known if unicodedata.combining(chr(cp))}
    composed = [cp for cp in found["NFD"] if cp not in found["NFC"]]
    parts = [unicodedata.normalize("NFD", chr(cp)) for cp in composed]
    found["joining"] = {ord(char) for part in parts for char in part[1:]}
    found["joining"] |= {
        cp for cp, part in zip(composed, parts, strict=True) if ord(part[0]) in found["joining"]
    }
    found["joined"] = {*composed, *(ord(part[0]) for part in parts)}
    return found


def numerals(step: object) -> set[int]:
    """What is a piece by itself between letters."""
    pieces = step.pre_tokenize_str("a".join(map(chr, EVERY)))  # type: ignore[attr-defined]
    return {ord(piece) for piece, _ in pieces if len(piece) == 1 and piece != "a"}


def words(step: object) -> set[int]:
    """What makes one piece with the letters around it."""
    pieces = step.pre_tokenize_str(" ".join(f"a{chr(cp)}b" for cp in EVERY))  # type: ignore[attr-defined]
    return {ord(piece[1]) for piece, _ in pieces if len(piece) == 3}


def lower_case() -> dict[int, str]:
    """The lower case of what Python does not know, by code point."""
    from tokenizers import normalizers

    lower = lines_of(normalizers.Lowercase().normalize_str)
    changed = {cp: made for cp, made in lower.items() if made != chr(cp).lower()}
    strange = [hex(cp) for cp in changed if unicodedata.category(chr(cp)) != "Cn"]
    assert not strange, f"the lower case of these differs, and Python knows them: {strange}"
    return changed


def render(version: str) -> str:
    """The module's text."""

    def lines(text: str) -> str:
        parts, width = [], 90
        while text:
            cut = len(text) if len(text) <= width else text.rindex(" ", 0, width) + 1
            parts.append(f'        "{text[:cut]}"')
            text = text[cut:]
        return "(\n" + "\n".join(parts) + "\n    )" if len(parts) > 1 else parts[0].strip()

    table = "\n".join(f'    "{name}": {lines(text)},' for name, text in classes().items())
    lower = "\n".join(f"    {cp:#07x}: {made!a}," for cp, made in lower_case().items())
    return f'''\
"""Classes of characters as `tokenizers` {version} has them, and lower case that old Pythons lack.

DO NOT EDIT. Generated by: python src/bpetok/_native/generate_unicode_data.py

Each class is the lengths of the runs of code points that are outside and inside by turns, in base 36. The
general categories, the scripts, `word`, `space` and `digit` are those of expressions (Oniguruma). `mark`:
what `StripAccents` removes. `no_form`: what the normal forms do not know, which stays as it is and apart
from its neighbours; what no Python knew by Unicode {unicodedata.unidata_version} included. `NFC` and its kin:
what the form changes alone; `combining`: what has a combining class; `joining` and `joined`: what may be
composed with a character before it, or behind it.
"""

RUNS = {{
{table}
}}

LOWER = {{
{lower}
}}
'''


def main(arguments: list[str]) -> int:
    """Write the tables, or with ``--check`` compare them."""
    from importlib.metadata import version

    text = render(version("tokenizers"))
    if "--check" in arguments:
        same = TARGET.read_text("utf-8") == text
        print(f"{TARGET.name}: {'up to date' if same else 'differs from what would be generated'}")
        return 0 if same else 1
    TARGET.write_text(text, "utf-8")
    print(f"wrote {TARGET.name}, {len(text)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
