"""`tiktoken.Encoding` objects and rustbpe's, made into tokenizers and back; the plugin of tiktoken."""

import pickle
import subprocess
import sys
import textwrap

import pytest
from hypothesis import given

import peers
import strategies
from bpetok import Tokenizer, get_encoding, train
from bpetok.added_tokens import AddedToken
from bpetok.errors import FormatError, MissingExtraError
from bpetok.normalization import NFC
from bpetok.splits import Digits, Splits

tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed")

TEXTS = ["the cat sat on the mat, the cats can't sit; naïve 12345\n\n東京"] * 3
RANKS = {bytes([byte]): byte for byte in range(256)}


@pytest.fixture(scope="module", params=["trained", "p50k_edit", "o200k_harmony"])
def pair(request):
    """A tokenizer, and what it becomes in tiktoken."""
    if request.param == "trained":
        ours = train(TEXTS, vocab_size=330, pattern="o200k", special_tokens=["<s>", "<|endoftext|>"])
    else:
        ours = get_encoding(request.param)
    return ours, ours.to_tiktoken()


@given(text=strategies.hostile_text())
def test_to_tiktoken_gives_the_same_ids(pair, text):
    ours, theirs = pair
    assert isinstance(theirs, tiktoken.Encoding)
    assert ours.encode_ordinary(text) == theirs.encode_ordinary(text)
    assert ours.encode(text, allowed_special="all") == theirs.encode(text, allowed_special="all")


@pytest.mark.parametrize("name", peers.ENCODINGS)
def test_from_tiktoken_takes_all_that_there_is(name):
    theirs = peers.tiktoken_encoding(name)
    ours = Tokenizer.from_tiktoken(theirs)
    assert (ours.name, ours.n_vocab) == (theirs.name, theirs.n_vocab)
    assert ours._pat_str == theirs._pat_str
    assert ours._mergeable_ranks == theirs._mergeable_ranks
    assert ours._special_tokens == theirs._special_tokens
    text = "hello <|endoftext|> naïve 東京 12345 can't"
    assert ours.encode(text, allowed_special="all") == theirs.encode(text, allowed_special="all")


def test_a_pattern_that_is_a_word_is_no_name():
    theirs = tiktoken.Encoding("x", pat_str="gpt2", mergeable_ranks=RANKS, special_tokens={})
    assert theirs.encode("gpt2 a") == list(b"gpt2")
    with pytest.raises(FormatError, match="is a name"):
        Tokenizer.from_tiktoken(theirs)


def test_what_is_no_encoding_is_refused():
    with pytest.raises(TypeError, match=r"expected a tiktoken\.Encoding, got str"):
        Tokenizer.from_tiktoken("gpt2")
    with pytest.raises(TypeError, match=r"expected a rustbpe\.Tokenizer, got str"):
        Tokenizer.from_rustbpe("gpt2")


def made(pattern="gpt2", **more) -> Tokenizer:
    vocabulary = Tokenizer("x", pat_str="gpt2", mergeable_ranks=RANKS, special_tokens={"<s>": 256}).vocabulary
    return Tokenizer.from_vocabulary("x", pattern, vocabulary, **more)


@pytest.mark.parametrize(
    ("tokenizer", "words"),
    [
        (made(normalizer=NFC()), "a part 'normalizer'"),
        (made(added_tokens=[AddedToken("<s>", 256, lstrip=True)]), "a part 'added_tokens'"),
        (made(Splits((Digits(),))), "several steps"),
        (made(r"\w+|\W+"), "may read it differently"),
        (train(TEXTS, vocab_size=330, byte_fallback=True), "starts from characters"),
    ],
    ids=["normalizer", "added", "steps", "pattern", "characters"],
)
def test_what_tiktoken_cannot_hold_is_refused(tokenizer, words):
    with pytest.raises(FormatError, match=words):
        tokenizer.to_tiktoken()


def test_a_missing_tiktoken_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "tiktoken", None)
    with pytest.raises(MissingExtraError, match=r"bpetok\[tiktoken\]"):
        get_encoding("gpt2").to_tiktoken()


# ---- rustbpe -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def rustbpe_pair():
    rustbpe = pytest.importorskip("rustbpe", reason="rustbpe is not installed")
    theirs = rustbpe.Tokenizer()
    theirs.train_from_iterator(iter(TEXTS), 320, pattern=get_encoding("cl100k_base").pattern.source)
    return Tokenizer.from_rustbpe(theirs, special_tokens={"<|bos|>": 400}), theirs


@given(text=strategies.hostile_text())
def test_from_rustbpe_gives_its_ids(rustbpe_pair, text):
    ours, theirs = rustbpe_pair
    assert ours.encode_ordinary(text) == theirs.encode(text)


def test_from_rustbpe_takes_special_tokens(rustbpe_pair):
    ours, _ = rustbpe_pair
    assert ours.encode("<|bos|>", allowed_special="all") == [400]
    assert ours.name == "rustbpe"


def test_equal_bytes_of_rustbpe_are_refused():
    class Twice:
        def get_pattern(self):
            return "."

        def get_mergeable_ranks(self):
            return [(b"a", 0), (b"a", 1)]

    with pytest.raises(FormatError, match="same bytes"):
        Tokenizer.from_rustbpe(Twice())


# ---- the plugin ----------------------------------------------------------------------------------------


def run(code: str, *arguments: object, path: str = "") -> str:
    """What a fresh interpreter prints: tiktoken collects its plugins once in a process."""
    code = f"import sys; sys.path[:0] = [{path!r}] if {path!r} else []\n" + textwrap.dedent(code)
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, *map(str, arguments)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_plugin_reads_files_and_embedded_encodings(tmp_path):
    tokenizer = train(TEXTS, vocab_size=330, pattern="o200k", special_tokens=["<s>"])
    path = tmp_path / "own.json"
    tokenizer.save(path)
    code = """
        import pickle, tiktoken
        own = tiktoken.get_encoding("bpetok:" + sys.argv[1])
        assert type(own) is tiktoken.Encoding and own is tiktoken.get_encoding("bpetok:" + sys.argv[1])
        assert pickle.loads(pickle.dumps(own)).encode("the cat") == own.encode("the cat")
        print(own.encode("the cat<s>", allowed_special="all"), own.name)
        print(tiktoken.get_encoding("bpetok:gpt2").encode("hello world"))
        names = tiktoken.list_encoding_names()
        print("gpt2" in names, "bpetok:o200k_base" in names, len(names) == len(set(names)))
        try:
            tiktoken.get_encoding("no-such")
        except ValueError as error:
            print("Unknown encoding" in str(error), "tiktoken_ext.bpetok" in str(error))
    """
    ids = tokenizer.encode("the cat<s>", allowed_special="all")
    assert run(code, path).splitlines() == [
        f"{ids} {tokenizer.name}", "[31373, 995]", "True True True", "True True",
    ]  # fmt: skip


def test_the_plugin_says_what_is_wrong_and_can_be_asked_again(tmp_path):
    path = tmp_path / "own.json"
    code = """
        import tiktoken
        from bpetok import Tokenizer, get_encoding
        from bpetok.errors import FormatError
        for wanted in (FileNotFoundError, FormatError):
            try:
                tiktoken.get_encoding("bpetok:" + sys.argv[1])
            except wanted as error:
                print(sys.argv[1] in str(error))
            open(sys.argv[1], "w").close()
        get_encoding("gpt2").save(sys.argv[1])
        print(tiktoken.get_encoding("bpetok:" + sys.argv[1]).encode("hello world"))
    """
    assert run(code, path).split("\n")[:3] == ["True", "True", "[31373, 995]"]


def test_the_plugin_leaves_others_alone(tmp_path):
    """One plugin before it in the alphabet and one behind, the first of which knows names as ours does."""
    folder = tmp_path / "tiktoken_ext"
    folder.mkdir()
    parts = "dict(name='x', pat_str='.', mergeable_ranks={b'a': 0, b'b': 1}, special_tokens={})"
    (folder / "aaa.py").write_text(
        textwrap.dedent(f"""
        class Known(dict):
            def __contains__(self, name):
                return name.startswith("other:") or super().__contains__(name)
            def __missing__(self, name):
                return lambda: {parts}
        class Constructors:
            def items(self):
                from tiktoken import registry
                registry.ENCODING_CONSTRUCTORS = Known(registry.ENCODING_CONSTRUCTORS)
                yield "aaa", lambda: {parts}
        ENCODING_CONSTRUCTORS = Constructors()
        """)
    )
    (folder / "zzz.py").write_text(f"ENCODING_CONSTRUCTORS = {{'zzz': lambda: {parts}}}")
    code = """
        import tiktoken
        for name in ("aaa", "other:any", "zzz", "bpetok:gpt2", "gpt2"):
            print(name in tiktoken.list_encoding_names(), end=" ")
            if name != "gpt2":
                print(tiktoken.get_encoding(name).encode("ab"))
    """
    ids = get_encoding("gpt2").encode("ab")
    want = f"True [0, 1]\nFalse [0, 1]\nTrue [0, 1]\nTrue {ids}\nTrue "
    assert run(code, path=str(tmp_path)) == want


def test_the_plugin_serves_threads():
    code = """
        import threading, tiktoken
        start, found = threading.Barrier(8), []
        def work():
            start.wait()
            found.append(tiktoken.get_encoding("bpetok:r50k_base"))
        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        print(len(found), len(set(map(id, found))))
    """
    assert run(code) == "8 1\n"


def test_the_plugin_is_light():
    """tiktoken imports it whatever encoding is asked for."""
    code = "import tiktoken_ext.bpetok; print({'numpy', 'bpetok', 'tiktoken'} & sys.modules.keys())"
    assert run(code) == "set()\n"


def test_an_encoding_made_here_is_pickled_by_value():
    theirs = get_encoding("gpt2").to_tiktoken()
    assert pickle.loads(pickle.dumps(theirs)).encode("hello world") == [31373, 995]
