"""`bpetok demo`: train on Python's standard library, compare, and say what was found."""

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from bpetok.cli import common

if TYPE_CHECKING:
    from rich.console import Console

    from bpetok.cli.experiment import Corpus, Gain, Measured
    from bpetok.tokenizer import Tokenizer

_WIDTH = 80


@click.command("demo")
@common.json_option
def command(as_json: bool) -> None:
    """Train on Python's own library and compare.

    The tokenizer is measured against the published gpt2, cl100k_base and o200k_base on files that it has
    not seen. Takes some seconds, needs no network, and writes no file.
    """
    import bpetok
    from bpetok.cli import experiment, progress

    corpus = experiment.gather()
    with progress.bar(corpus.train_bytes) as callback:
        tokenizer, seconds = experiment.fit(corpus, callback)
    others = [bpetok.get_encoding(name) for name in experiment.PUBLISHED]
    results = [experiment.measure(each, corpus) for each in (tokenizer, *others)]
    best = experiment.gains(tokenizer, others[-1], corpus)
    if as_json:
        common.echo_json(
            {
                "corpus": {
                    "source": f"standard library of {corpus.python}",
                    "train_files": len(corpus.train),
                    "train_bytes": corpus.train_bytes,
                    "held_out_files": len(corpus.held_out),
                    "held_out_bytes": corpus.held_out_bytes,
                },
                "train_seconds": round(seconds, 3),
                "results": [asdict(result) for result in results],
            }
        )
        return

    from rich.console import Console

    console = Console(highlight=False, width=min(_WIDTH, Console().width))
    _tell_corpus(console, corpus, tokenizer, seconds)
    _tell_results(console, results)
    for line in _findings(results, best):
        console.print(f"* {line}", markup=False)
    _show_sample(console, experiment.sample(corpus), tokenizer, others[0])


def _tell_corpus(console: "Console", corpus: "Corpus", tokenizer: "Tokenizer", seconds: float) -> None:
    console.print(
        f"Trained {tokenizer.n_vocab:,} tokens on {common.megabytes(corpus.train_bytes)} of "
        f"{corpus.python}'s standard library in {seconds:.1f} s, and measured on {len(corpus.held_out)} "
        f"other files of it ({common.megabytes(corpus.held_out_bytes)}; "
        "speed is one thread's, into Python lists):\n"
    )


def _tell_results(console: "Console", results: "list[Measured]") -> None:
    console.print(f"{'tokenizer':<12} {'vocabulary':>11} {'bytes/token':>13} {'tokens':>10} {'MB/s':>7}")
    for result in results:
        console.print(
            f"{result.name:<12} {result.n_vocab:>11,} {result.bytes_per_token:>13.3f} {result.tokens:>10,} "
            f"{result.megabytes_per_second:>7.0f}"
        )
    console.print()


def _findings(results: "list[Measured]", gains: "list[Gain]") -> list[str]:
    """What the numbers say, in sentences."""
    from bpetok.cli.render import visible

    new, *others = results
    rival = others[-1]
    against = "; ".join(
        f"{_difference(new.tokens, other.tokens)} {other.name}, "
        f"with {new.n_vocab / other.n_vocab:.0%} of its vocabulary"
        for other in others
    )
    blanks = ", ".join(f"{result.name} {result.blank_tokens / result.tokens:.0%}" for result in results)
    lines = [
        f"For code like this demo needs {against}.",
        f"Tokens that are nothing but white space: {blanks}.",
    ]
    if gains:
        words = ", ".join(f"{visible(gain.token)} ({gain.parts})" for gain in gains[:5])
        lines.append(f"One token in demo, but several in {rival.name}: {words}.")
    lines.append(
        "It has learned code and little else: on prose in six languages it needs "
        f"{_difference(new.prose_tokens, rival.prose_tokens)} {rival.name}."
    )
    wrong = [result.name for result in results if not result.exact]
    if wrong:
        lines.append(f"DECODING DID NOT GIVE BACK THE FILES with {', '.join(wrong)}: please report this.")
    else:
        lines.append("All four decode every file back, byte for byte.")
    return lines


def _difference(ours: int, theirs: int) -> str:
    """How two numbers of tokens compare, in words.

    >>> _difference(150, 100), _difference(340, 100), _difference(98, 100), _difference(1001, 1000)
    ('50% more tokens than', '3.4 times the tokens of', '2% fewer tokens than', 'as many tokens as')
    """
    ratio = ours / theirs
    if ratio >= 2:
        return f"{ratio:.1f} times the tokens of"
    percent = f"{abs(ratio - 1):.0%}"
    if percent == "0%":
        return "as many tokens as"
    return f"{percent} {'more' if ratio > 1 else 'fewer'} tokens than"


def _show_sample(console: "Console", text: str, *tokenizers: "Tokenizer") -> None:
    from bpetok.cli.render import coloured

    for tokenizer in tokenizers:
        tokens = tokenizer.decode_tokens_bytes(tokenizer.encode_ordinary(text))
        console.print(f"\n{tokenizer.name}, {len(tokens)} tokens:", markup=False)
        console.print(coloured(tokens, console))
