"""What is measured: the name, the definition and the source of every figure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["MEASURES", "Measure"]

Per = Literal["language", "tokenizer", "words"]


@dataclass(frozen=True)
class Measure:
    """One kind of figure.

    Attributes:
        name: as reports, files and `--fail-on` have it.
        title: for people.
        definition: what is counted and divided, in words.
        unit: what a figure of 1 is: "tokens", "share", "times", "bytes" and so on.
        per: whether there is one for each language, one for a tokenizer, or one for each language of a
            list of words.
        better: which way is better, if one is.
        words: whether it depends on what a word is, and so on the segmenter.
        source: where it comes from.
    """

    name: str
    title: str
    definition: str
    unit: str
    per: Per
    better: Literal["lower", "higher"] | None
    words: bool = False
    source: str = ""


_PETROV = "Petrov et al. 2023, arXiv:2305.15425"
_AHIA = "Ahia et al. 2023, arXiv:2305.13707"
_RUST = "Rust et al. 2021, arXiv:2012.15613"
_FOROUTAN = "Gini 1912; of tokenizers: Foroutan et al. 2025, arXiv:2508.04796"
_ARNETT = "Arnett et al. 2024, arXiv:2403.00686"

_ALL = (
    Measure(
        "premium",
        "Premium",
        "Tokens of the language divided by tokens of the reference language, over the segments that both "
        "have.",
        "times", "language", "lower", source=_PETROV,
    ),
    Measure(
        "byte_premium",
        "Byte premium",
        "Bytes of UTF-8 of the language divided by those of the reference language, over the same segments. "
        "No vocabulary changes it. premium = byte_premium x vocabulary_penalty.",
        "times", "language", None, source=_ARNETT,
    ),
    Measure(
        "vocabulary_penalty",
        "Vocabulary penalty",
        "Tokens per byte of the language divided by tokens per byte of the reference language, over the same "
        "segments. What another vocabulary can change.",
        "times", "language", "lower",
    ),
    Measure(
        "context_window",
        "Effective context window",
        "The tokens of the context window divided by the premium: how many tokens of the reference language "
        "the content has that fills it.",
        "tokens", "language", "higher", source=_PETROV,
    ),
    Measure(
        "cost",
        "Cost",
        "The price of a million tokens times the premium: what the content of a million tokens of the "
        "reference language costs in the language.",
        "price", "language", "lower", source=_AHIA,
    ),
    Measure(
        "relative_length",
        "Relative length",
        "Tokens divided by those of the first tokenizer of the report on the same texts (normalised sequence "
        "length).",
        "times", "language", "lower", source="Dagan et al. 2024, arXiv:2402.01035",
    ),
    Measure(
        "bytes_per_token",
        "Bytes per token",
        "Bytes of UTF-8 of the texts divided by tokens.",
        "bytes", "language", "higher",
    ),
    Measure(
        "characters_per_token",
        "Characters per token",
        "Code points of the texts divided by tokens.",
        "characters", "language", "higher",
    ),
    Measure(
        "graphemes_per_token",
        "Graphemes per token",
        "Extended grapheme clusters (UAX 29) of the texts divided by tokens.",
        "graphemes", "language", "higher",
    ),
    Measure(
        "tokens_per_word",
        "Tokens per word",
        "All tokens of the texts, those of spaces and punctuation too, divided by words.",
        "tokens", "language", "lower", words=True,
    ),
    Measure(
        "fertility",
        "Fertility",
        "Tokens that hold a part of a word, per word: one more than the borders of tokens inside it.",
        "tokens", "language", "lower", words=True, source=_RUST,
    ),
    Measure(
        "continued_words",
        "Continued words",
        "Share of the words that have a border of tokens inside.",
        "share", "language", "lower", words=True, source=_RUST,
    ),
    Measure(
        "single_token_words",
        "Single-token words",
        "Share of the words that are one token, alone or with white space around them.",
        "share", "language", "higher", words=True,
    ),
    Measure(
        "byte_tokens",
        "Byte tokens",
        "Share of the tokens that are a single byte and no whole character, or that the vocabulary has for "
        "bytes to fall back to.",
        "share", "language", "lower",
    ),
    Measure(
        "partial_tokens",
        "Partial tokens",
        "Share of the tokens whose bytes are not whole characters, byte tokens among them.",
        "share", "language", "lower",
    ),
    Measure(
        "borders_in_characters",
        "Borders inside characters",
        "Share of the borders between two tokens that stand inside a character.",
        "share", "language", "lower",
    ),
    Measure(
        "borders_in_graphemes",
        "Borders inside graphemes",
        "Share of the borders between two tokens that stand inside a grapheme, those inside characters among "
        "them.",
        "share", "language", "lower",
    ),
    Measure(
        "split_characters",
        "Split characters",
        "Share of the characters that are spread over more than one token.",
        "share", "language", "lower",
    ),
    Measure(
        "split_graphemes",
        "Split graphemes",
        "Share of the graphemes that are spread over more than one token.",
        "share", "language", "lower",
    ),
    Measure(
        "change_nfc",
        "Change under NFC",
        "Share of a word's ids that are not among those of its form NFC; mean over sampled words.",
        "share", "language", "lower", words=True,
    ),
    Measure(
        "change_nfd",
        "Change under NFD",
        "Share of a word's ids that are not among those of its form NFD; mean over sampled words.",
        "share", "language", "lower", words=True,
    ),
    Measure(
        "change_case",
        "Change with case",
        "Share of a word's ids that are not among those of the word in upper case; mean over sampled words.",
        "share", "language", "lower", words=True,
    ),
    Measure(
        "change_space",
        "Change with a space",
        "Share of a word's ids that are not among those of the word with a space before it; mean over "
        "sampled words.",
        "share", "language", "lower", words=True,
    ),
    Measure(
        "change_punctuation",
        "Change with punctuation",
        "Share of a word's ids that are not among those of the word with a comma behind it; mean over "
        "sampled words.",
        "share", "language", "lower", words=True,
    ),
    Measure(
        "change_typo",
        "Change with a typing error",
        "Share of a word's ids that are not among those of the word with its middle two characters in the "
        "other order; mean over sampled words.",
        "share", "language", "lower", words=True,
    ),
    Measure(
        "context_agreement",
        "Agreement of contexts",
        "Share of the sampled words whose tokens have the same borders inside it at the beginning of a text, "
        "after a space, and after an opening bracket.",
        "share", "language", "higher", words=True,
    ),
    Measure(
        "median_premium",
        "Median premium",
        "Median over the languages that have every segment.",
        "times", "tokenizer", "lower", source=_PETROV,
    ),
    Measure(
        "mean_premium",
        "Mean premium",
        "Mean over the languages that have every segment.",
        "times", "tokenizer", "lower",
    ),
    Measure(
        "max_min",
        "Worst to best",
        "The highest premium divided by the lowest, over the languages that have every segment.",
        "times", "tokenizer", "lower", source=_PETROV,
    ),
    Measure(
        "worst_decile",
        "Worst decile",
        "Mean premium of the tenth of these languages (at least one) with the highest premiums.",
        "times", "tokenizer", "lower",
    ),
    Measure(
        "gini",
        "Gini coefficient",
        "Of the premiums of these languages: half the mean difference of two of them, divided by their mean. "
        "0 when all are equal.",
        "index", "tokenizer", "lower", source=_FOROUTAN,
    ),
    Measure(
        "median_byte_premium",
        "Median byte premium",
        "Median over the languages that have every segment.",
        "times", "tokenizer", None,
    ),
    Measure(
        "median_vocabulary_penalty",
        "Median vocabulary penalty",
        "Median over the languages that have every segment.",
        "times", "tokenizer", "lower",
    ),
    Measure(
        "boundary_precision",
        "Boundary precision",
        "Share of the borders of tokens inside words that are borders of the words' parts, over the list of "
        "words that was given.",
        "share", "words", "higher",
    ),
    Measure(
        "boundary_recall",
        "Boundary recall",
        "Share of the borders of the words' parts that are borders of tokens.",
        "share", "words", "higher",
    ),
    Measure(
        "boundary_f1",
        "Boundary F1",
        "Harmonic mean of boundary precision and recall.",
        "share", "words", "higher",
    ),
    Measure(
        "morph_score",
        "MorphScore",
        "Mean, over the words that have more than one part and are more than one token, of the share of the "
        "borders of parts that are borders of tokens.",
        "share", "words", "higher", source="after Arnett & Bergen 2024, arXiv:2411.14198",
    ),
    Measure(
        "utilisation",
        "Utilisation",
        "Share of the entries, but special ones, that the corpus has.",
        "share", "tokenizer", "higher",
    ),
    Measure(
        "renyi_efficiency",
        "Renyi efficiency",
        "Renyi entropy of order 2.5 of the tokens of the corpus, divided by the logarithm of the number of "
        "entries, special ones left out.",
        "index", "tokenizer", "higher", source="Zouhar et al. 2023, arXiv:2306.16842",
    ),
)  # fmt: skip

MEASURES: dict[str, Measure] = {measure.name: measure for measure in _ALL}
