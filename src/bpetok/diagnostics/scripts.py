"""Scripts of characters and of texts, by Unicode's Script property as the `regex` package has it."""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import regex

from bpetok.diagnostics.segmenters import classify

__all__ = ["COMMON", "SCRIPTS", "script_of", "scripts_of"]

COMMON = "Common"  # digits, punctuation, signs: what no script has for itself
# All that Unicode 17 has but Common and Inherited.
_NAMES = """
    Latin Cyrillic Greek Arabic Han Hiragana Katakana Hangul Devanagari Bengali Hebrew Thai Armenian
    Georgian Ethiopic Gujarati Gurmukhi Kannada Khmer Lao Malayalam Myanmar Oriya Sinhala Tamil Telugu
    Tibetan Adlam Ahom Anatolian_Hieroglyphs Avestan Balinese Bamum Bassa_Vah Batak Beria_Erfe Bhaiksuki
    Bopomofo Brahmi Braille Buginese Buhid Canadian_Aboriginal Carian Caucasian_Albanian Chakma Cham
    Cherokee Chorasmian Coptic Cuneiform Cypriot Cypro_Minoan Deseret Dives_Akuru Dogra Duployan
    Egyptian_Hieroglyphs Elbasan Elymaic Garay Glagolitic Gothic Grantha Gunjala_Gondi Gurung_Khema
    Hanifi_Rohingya Hanunoo Hatran Imperial_Aramaic Inscriptional_Pahlavi Inscriptional_Parthian
    Javanese Kaithi Kawi Kayah_Li Kharoshthi Khitan_Small_Script Khojki Khudawadi Kirat_Rai Lepcha Limbu
    Linear_A Linear_B Lisu Lycian Lydian Mahajani Makasar Mandaic Manichaean Marchen Masaram_Gondi
    Medefaidrin Meetei_Mayek Mende_Kikakui Meroitic_Cursive Meroitic_Hieroglyphs Miao Modi Mongolian Mro
    Multani Nabataean Nag_Mundari Nandinagari New_Tai_Lue Newa Nko Nushu Nyiakeng_Puachue_Hmong Ogham
    Ol_Chiki Ol_Onal Old_Hungarian Old_Italic Old_North_Arabian Old_Permic Old_Persian Old_Sogdian
    Old_South_Arabian Old_Turkic Old_Uyghur Osage Osmanya Pahawh_Hmong Palmyrene Pau_Cin_Hau Phags_Pa
    Phoenician Psalter_Pahlavi Rejang Runic Samaritan Saurashtra Sharada Shavian Siddham Sidetic
    SignWriting Sogdian Sora_Sompeng Soyombo Sundanese Sunuwar Syloti_Nagri Syriac Tagalog Tagbanwa
    Tai_Le Tai_Tham Tai_Viet Tai_Yo Takri Tangsa Tangut Thaana Tifinagh Tirhuta Todhri Tolong_Siki Toto
    Tulu_Tigalari Ugaritic Vai Vithkuqi Wancho Warang_Citi Yezidi Yi Zanabazar_Square
"""
SCRIPTS = tuple(_NAMES.split())


def scripts_of(texts: Sequence[str]) -> npt.NDArray[np.int64]:
    """For each text the number in `SCRIPTS` of the script that most of its characters have.

    Characters of no particular script do not count; a text of these alone has -1. Of scripts with equally
    many the first in `SCRIPTS` is taken.
    """
    points = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint32)
    classes = classify(points, _expressions()).astype(np.int64)
    text = np.repeat(np.arange(len(texts)), [*map(len, texts)])
    width = len(SCRIPTS) + 1
    keys, counts = np.unique((text * width + classes)[classes > 0], return_counts=True)
    order = np.lexsort((-keys, counts, keys // width))  # the most frequent last
    found = np.full(len(texts), -1)
    found[keys[order] // width] = keys[order] % width - 1
    return found


def script_of(text: str) -> str:
    """The script that most characters of a text have, or "Common".

    >>> script_of("Привет, Anna!"), script_of("12:30")
    ('Cyrillic', 'Common')
    """
    number = int(scripts_of([text])[0])
    return COMMON if number < 0 else SCRIPTS[number]


@functools.cache
def _expressions() -> tuple[str, ...]:
    """One for each of `SCRIPTS`; one that matches nothing for those that an old `regex` does not know."""

    def expression(script: str) -> str:
        try:
            regex.compile(rf"\p{{Script={script}}}")
        except regex.error:
            return "(?!)"
        return rf"\p{{Script={script}}}"

    return tuple(map(expression, SCRIPTS))
