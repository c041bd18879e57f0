"""Folders of `transformers`: `AutoTokenizer` loads what bpetok writes, and the other way round."""

import json

import pytest

import hub
from bpetok import Tokenizer, get_encoding
from bpetok.errors import FormatError
from bpetok.formats import load
from bpetok.formats.file import File
from bpetok.formats.huggingface import read

transformers = pytest.importorskip("transformers", reason="transformers is not installed")

TEXTS = hub.strings(150, 5, ["<s>", "</s>", "<|user|>", "<|end|>", "[PAD]", "<x>", "<|endoftext|>"])
CHAT = "{% for m in messages %}<|user|>{{ m['content'] }}<|end|>{% endfor %}"


@pytest.fixture
def from_style(tmp_path):
    """A style as bpetok reads it, with more."""

    def make(name: str, **parts) -> Tokenizer:
        path = tmp_path / "tokenizer of a style.json"
        path.write_text(hub.made(name), "utf-8")
        made = read(File(str(path)), **parts)
        path.unlink()
        return made

    return make


def same(ours: Tokenizer, theirs) -> None:
    for text in TEXTS:
        assert ours.encode_with_template(text) == theirs(text).input_ids, text
        assert ours.encode(text, allowed_special="all") == theirs(text, add_special_tokens=False).input_ids, (
            text
        )


@pytest.mark.parametrize(
    "name", ["gpt2", "roberta", "qwen2", "llama2", "phi3", "mistral_v7", "gemma", "unknowns"]
)
def test_both_ways(tmp_path, name, from_style):
    ours = from_style(name, chat_template=CHAT)
    ours.save(tmp_path / "folder" / "inner", "transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "folder" / "inner")
    assert theirs.chat_template == CHAT
    same(ours, theirs)
    theirs.save_pretrained(tmp_path / "theirs")
    for folder in (tmp_path / "folder" / "inner", tmp_path / "theirs"):
        again = load(folder)
        assert (again.name, again.chat_template) == (folder.name, CHAT)
        same(again, theirs)
    assert again.added_tokens == ours.added_tokens
    flags = {token: vars_of(row) for token, row in theirs.added_tokens_decoder.items()}
    backend = transformers.PreTrainedTokenizerFast(tokenizer_object=theirs.backend_tokenizer)
    assert flags == {token: vars_of(row) for token, row in backend.added_tokens_decoder.items()}


def vars_of(token) -> tuple:
    return token.content, token.lstrip, token.rstrip, token.single_word, token.normalized, token.special


def test_the_roles_of_special_tokens_are_told_by_the_template_and_kept(tmp_path, from_style):
    from_style("llama2").save(tmp_path / "one", "transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "one")
    assert (theirs.bos_token, theirs.unk_token, theirs.eos_token) == ("<s>", "<unk>", None)
    theirs.eos_token, theirs.model_max_length = "</s>", 77
    theirs.save_pretrained(tmp_path / "two")
    load(tmp_path / "two").save(tmp_path / "three", "transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "three")
    assert (theirs.bos_token, theirs.eos_token, theirs.model_max_length) == ("<s>", "</s>", 77)


def test_an_object_of_transformers(from_style):
    ours = from_style("phi3", chat_template=CHAT)
    theirs = ours.to_transformers(eos_token="<|end|>", model_max_length=99)
    assert isinstance(theirs, transformers.PreTrainedTokenizerFast)
    assert (theirs.bos_token, theirs.eos_token, theirs.model_max_length) == ("<s>", "<|end|>", 99)
    same(ours, theirs)
    messages = [{"role": "user", "content": "hello there"}]
    assert theirs.apply_chat_template(messages, tokenize=False) == "<|user|>hello there<|end|>"
    assert get_encoding("gpt2").to_transformers().eos_token == "<|endoftext|>"


@pytest.mark.parametrize("where", ["files", "configuration", "list"])
def test_several_chat_templates(tmp_path, where, from_style):
    folder = tmp_path / "folder"
    from_style("gpt2", chat_template=CHAT).save(folder, "transformers")
    if where == "files":
        (folder / "additional_chat_templates").mkdir()
        (folder / "additional_chat_templates" / "tools.jinja").write_text("tools")
    else:
        (folder / "chat_template.jinja").unlink()
        templates = {"default": CHAT, "tools": "tools"}
        listed = [{"name": name, "template": text} for name, text in templates.items()]
        config = json.loads((folder / "tokenizer_config.json").read_text())
        config["chat_template"] = templates if where == "configuration" else listed
        (folder / "tokenizer_config.json").write_text(json.dumps(config))
    ours = load(folder)
    assert ours.chat_template == CHAT
    ours.save(tmp_path / "again", "transformers")
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "again")
    assert theirs.chat_template == {"default": CHAT, "tools": "tools"} == ours.to_transformers().chat_template


NAMED = [
    {"pad_token": "[PAD]", "eos_token": "<|endoftext|>"},
    {"pad_token": "the"},
    {"pad_token": "[PAD]", "extra_special_tokens": ["<x>", "</s>"], "bos_token": "<s>"},
    {"pad_token": {
        "__type": "AddedToken", "content": "[PAD]", "lstrip": True, "rstrip": False, "normalized": True,
        "single_word": False, "special": True,
    }},
    {"image_token": "<x>", "unk_token": None},
]  # fmt: skip


@pytest.mark.parametrize("config", NAMED)
def test_special_tokens_that_only_the_configuration_names_are_added(tmp_path, config):
    (tmp_path / "tokenizer.json").write_text(hub.made("gpt2"), "utf-8")
    config = {"tokenizer_class": "PreTrainedTokenizerFast", **config}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config))
    same(load(tmp_path), transformers.AutoTokenizer.from_pretrained(tmp_path))


def test_names_of_an_older_folder(tmp_path):
    (tmp_path / "tokenizer.json").write_text(hub.made("gpt2"), "utf-8")
    flags = {"lstrip": True, "rstrip": False, "normalized": False, "single_word": False}
    names = {"pad_token": {"content": "[PAD]", **flags}, "bos_token": "<s>"}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(names))
    (tmp_path / "tokenizer_config.json").write_text('{"tokenizer_class": "PreTrainedTokenizerFast"}')
    same(load(tmp_path), transformers.AutoTokenizer.from_pretrained(tmp_path))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("tokenizer_config.json", [], "must hold an object"),
        ("tokenizer_config.json", {"chat_template": 5}, "'chat_template' is 5"),
        ("tokenizer_config.json", {"bos_token": 5}, "names the special token 5"),
        ("tokenizer_config.json", {"extra_special_tokens": 5}, "'extra_special_tokens' is 5"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"50256": {"content": "<s>"}}}, "make them agree"),
        ("tokenizer_config.json", {"added_tokens_decoder": {"60000": {"content": "<s>"}}}, "make them agree"),
        ("tokenizer_config.json", {"added_tokens_decoder": []}, "must be an object"),
        ("tokenizer.json", {}, "neither 'format' nor 'model'"),
    ],
)
def test_a_folder_that_contradicts_itself_is_refused(tmp_path, name, value, words):
    (tmp_path / "tokenizer.json").write_text(hub.made("gpt2"), "utf-8")
    (tmp_path / name).write_text(json.dumps(value))
    with pytest.raises(FormatError, match=words):
        load(tmp_path)


def test_files_of_another_tokenizer_are_not_mixed_in(tmp_path, from_style):
    from_style("gpt2", chat_template=CHAT).save(tmp_path / "folder", "transformers")
    with pytest.raises(FormatError, match=r"holds chat_template\.jinja of another tokenizer"):
        from_style("gpt2").save(tmp_path / "folder", "transformers")
    from_style("gpt2", chat_template="other").save(tmp_path / "folder", "transformers")
    assert load(tmp_path / "folder").chat_template == "other"


def test_a_folder_that_cannot_be_written_is_not_left_behind(tmp_path, monkeypatch, from_style):
    def fail(handle):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        from_style("gpt2", chat_template=CHAT).save(tmp_path / "one" / "two", "transformers")
    assert list(tmp_path.iterdir()) == []
