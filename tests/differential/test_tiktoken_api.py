"""The public surface of tiktoken, side by side: signatures, results, error types and messages."""

import base64
import copy
import hashlib
import inspect
import itertools
import pickle

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import bpetok
import strategies
from bpetok.errors import BpetokError, VocabularyError
from peers import ENCODINGS

tiktoken = pytest.importorskip("tiktoken", reason="tiktoken is not installed")

END = "<|endoftext|>"
PREFIX, SUFFIX = "<|fim_prefix|>", "<|fim_suffix|>"
PUBLIC = sorted(name for name in dir(tiktoken.Encoding) if not name.startswith("_"))


@pytest.fixture(scope="module")
def pair(request):
    """(ours, tiktoken's) of cl100k_base, which has several special tokens and a gap among its ids."""
    from peers import tiktoken_encoding

    return bpetok.get_encoding("cl100k_base"), tiktoken_encoding("cl100k_base")


def outcome(call, encoding):
    """(result, None) or (None, exception)."""
    try:
        return call(encoding), None
    except Exception as error:
        return None, error


# ---- names and signatures ----------------------------------------------------------------------------


def test_every_public_name_of_the_module_is_here():
    public = {name for name, value in vars(tiktoken).items() if getattr(value, "__module__", None)}
    public = {name for name in public if not name.startswith("_")}
    assert public >= {"Encoding", "get_encoding", "encoding_for_model"}
    assert [name for name in sorted(public) if not hasattr(bpetok, name)] == []


def test_every_public_name_of_an_encoding_is_here():
    assert [name for name in PUBLIC if not hasattr(bpetok.Encoding, name)] == []
    assert bpetok.Encoding is bpetok.Tokenizer


@pytest.mark.parametrize("name", [name for name in PUBLIC if callable(getattr(tiktoken.Encoding, name))])
def test_parameters_and_defaults(name):
    # Without self, which a native method takes by position only.
    _, *theirs = inspect.signature(getattr(tiktoken.Encoding, name)).parameters.values()
    _, *ours = inspect.signature(getattr(bpetok.Encoding, name)).parameters.values()
    assert [(each.name, each.kind, each.default) for each in ours] == [
        (each.name, each.kind, each.default) for each in theirs
    ]


def test_constructor_parameters():
    theirs = inspect.signature(tiktoken.Encoding).parameters.values()
    ours = inspect.signature(bpetok.Encoding).parameters.values()
    assert [(each.name, each.kind, each.default) for each in ours] == [
        (each.name, each.kind, each.default) for each in theirs
    ]


# ---- the same answers ------------------------------------------------------------------------------

SAME = {
    "text by keyword": lambda e: (e.encode(text="a b"), e.encode_ordinary(text="a b")),
    "nothing": lambda e: (
        e.encode(""),
        e.encode_ordinary(""),
        e.encode_batch([]),
        e.encode_ordinary_batch([]),
    ),
    "a special token as text": lambda e: e.encode(END, disallowed_special=()),
    "a special token as itself": lambda e: e.encode(f"a{END}b", allowed_special={END}),
    "all special tokens": lambda e: e.encode(f"a {END}{PREFIX} b", allowed_special="all"),
    "all allowed, all disallowed": lambda e: e.encode(END, allowed_special="all", disallowed_special="all"),
    "a frozenset": lambda e: e.encode(END, allowed_special=frozenset({END})),
    "allowed, but no special token": lambda e: e.encode("a<x>", allowed_special={"<x>"}),
    "white space before a special token": lambda e: e.encode(f"a  {END}  b", allowed_special="all"),
    "cut special tokens": lambda e: e.encode("<|endoftext <|endoftext| |endoftext|>", allowed_special="all"),
    "special tokens in a row": lambda e: e.encode(END * 3, allowed_special="all"),
    "nothing disallowed": lambda e: (
        e.encode(END, disallowed_special=None),
        e.encode(END, disallowed_special=[]),
        e.encode(END, disallowed_special=""),
    ),
    "a str subclass": lambda e: e.encode(type("Text", (str,), {})("hello")),
    "lone surrogates": lambda e: [
        e.encode("a\ud800b"),
        e.encode("\udc00"),
        e.encode_ordinary("\ud83d\ud83d"),
    ],
    "paired surrogates": lambda e: e.encode("\ud83d\ude00") == e.encode("\U0001f600"),
    "surrogates around a special token": lambda e: e.encode(f"\ud83d{END}\ude00", allowed_special="all"),
    "surrogates in a batch": lambda e: e.encode_batch(["\ud800", "\ud83d\ude00"]),
    "an array of ids": lambda e: e.encode_to_numpy(f"hello {END}", allowed_special={END}).tolist(),
    "the array's type": lambda e: (str(e.encode_to_numpy("a b").dtype), e.encode_to_numpy("").shape),
    "a batch": lambda e: e.encode_batch(["hello world", "", "a" * 300]),
    "an ordinary batch": lambda e: e.encode_ordinary_batch(["hello world", END], num_threads=3),
    "a batch with special tokens": lambda e: e.encode_batch(["a", END], allowed_special="all", num_threads=2),
    "a batch as a tuple": lambda e: e.encode_batch(("a", "b")),
    "a batch as a generator": lambda e: e.encode_batch(text for text in ("a", "b")),
    "a single token": lambda e: (
        e.encode_single_token("hello"),
        e.encode_single_token(b"hello"),
        e.encode_single_token(b"\xff"),
        e.encode_single_token(END),
        e.encode_single_token(END.encode()),
    ),
    "decoding": lambda e: (e.decode([15339, 1917]), e.decode((15339, 1917)), e.decode([]), e.decode([True])),
    "decoding a range": lambda e: e.decode(range(40)),
    "decoding bytes, which are a sequence of integers": lambda e: e.decode(b"ab"),
    "decoding arrays": lambda e: [
        e.decode(np.array([15339, 1917], dtype=kind)) for kind in (np.int64, np.int32, np.uint32, np.uint16)
    ],
    "decoding special tokens": lambda e: (e.decode([100257]), e.decode_single_token_bytes(100257)),
    "decoding part of a character": lambda e: [
        e.decode(e.encode("\U0001f600")[:1], errors) for errors in ("replace", "ignore", "backslashreplace")
    ],
    "decoding by keyword": lambda e: (
        e.decode(tokens=[15339], errors="strict"),
        e.decode_bytes(tokens=[15339]),
    ),
    "decoding one token": lambda e: (
        e.decode_single_token_bytes(15339),
        e.decode_single_token_bytes(token=0),
        e.decode_single_token_bytes(np.int64(5)),
    ),
    "bytes of tokens": lambda e: e.decode_tokens_bytes([15339, 1917, 100257]),
    "offsets": lambda e: e.decode_with_offsets(e.encode("hello \U0001f600\u00e9\u4e2d\u6587 \u0928\u092e")),
    "offsets of nothing": lambda e: e.decode_with_offsets([]),
    "decoding a batch": lambda e: e.decode_batch([[15339], [], [1917]]),
    "decoding a batch with errors": lambda e: e.decode_batch([[155]], errors="ignore", num_threads=1),
    "decoding a batch to bytes": lambda e: e.decode_bytes_batch([[15339], [155]], num_threads=2),
    "all tokens, in order": lambda e: e.token_byte_values(),
    "sizes": lambda e: (e.n_vocab, e.max_token_value, e.name, e.eot_token),
    "special tokens": lambda e: (e.special_tokens_set, type(e.special_tokens_set)),
    "which ids are special": lambda e: [
        e.is_special_token(id_) for id_ in (100257, 100276, 0, -1, 10**9, True)
    ],
    "shown": lambda e: (repr(e), str(e)),
    "private attributes in use elsewhere": lambda e: (e._pat_str, e._special_tokens, e._mergeable_ranks),
    "one piece": lambda e: (e._encode_single_piece("helloqqqq"), e._encode_single_piece(b"\xff\xfe ab")),
    "pieces by the regex package": lambda e: e._encode_only_native_bpe("hello world  I'm 1234\n\n x"),
    "bytes": lambda e: [
        e._encode_bytes(data) for data in (b"", b"hello", b"hello \xff\xf0\x9f", b" \n \xe4\xb8")
    ],
}


@pytest.mark.parametrize("what", sorted(SAME))
def test_same_answers(pair, what):
    ours, theirs = pair
    assert SAME[what](ours) == SAME[what](theirs)


# ---- the same errors -------------------------------------------------------------------------------

# What happens, and whether tiktoken's message is one that a program could rely on.
ERRORS = {
    "a disallowed special token": (lambda e: e.encode(f"a {END}"), True),
    "one of several": (lambda e: e.encode(f"{PREFIX} {END}", allowed_special={PREFIX}), True),
    "a disallowed text": (lambda e: e.encode("a b", disallowed_special={" "}), True),
    "a disallowed text in a list": (lambda e: e.encode("a b", disallowed_special=["b"]), True),
    "a disallowed text from a generator": (
        lambda e: e.encode("abc", disallowed_special=(t for t in "b")),
        True,
    ),
    "a string of disallowed characters": (lambda e: e.encode("a b", disallowed_special="bc"), True),
    "the empty text, disallowed": (lambda e: e.encode("ab", disallowed_special=[""]), True),
    "allowed and disallowed": (
        lambda e: e.encode(END, allowed_special={END}, disallowed_special={END}),
        True,
    ),
    "disallowed, to an array": (lambda e: e.encode_to_numpy(END), True),
    "disallowed, in a batch": (lambda e: e.encode_batch(["a", END]), True),
    "disallowed, unstable": (lambda e: e.encode_with_unstable(END), True),
    "an id that is not in use": (lambda e: e.decode([15339, 100256]), True),
    "an id past the end": (lambda e: e.decode_bytes([999999]), True),
    "one id past the end": (lambda e: e.decode_single_token_bytes(999999), True),
    "ids past the end in a batch": (lambda e: e.decode_batch([[0], [999999]]), True),
    "ids past the end, one by one": (lambda e: e.decode_tokens_bytes([999999]), True),
    "no such token": (lambda e: e.encode_single_token("hello world"), True),
    "no such token in bytes": (lambda e: e.encode_single_token(b"\xff\xfe\xff"), True),
    "the empty token": (lambda e: e.encode_single_token(""), True),
    "part of a character, strict": (lambda e: e.decode(e.encode("\U0001f600")[:1], "strict"), True),
    "offsets of part of a character": (lambda e: e.decode_with_offsets(e.encode("\U0001f600")[:1]), True),
    "no such error handler": (lambda e: e.decode([155], "nosuch"), True),
    "a surrogate as a single token": (lambda e: e.encode_single_token("\ud800"), True),
    "a negative id": (lambda e: e.decode([-1]), False),
    "an id of 33 bits": (lambda e: e.decode([1 << 32]), False),
    "an id of 70 bits": (lambda e: e.decode([1 << 70]), False),
    "one negative id": (lambda e: e.decode_single_token_bytes(-1), False),
    "one id of 33 bits": (lambda e: e.decode_single_token_bytes(1 << 32), False),
    "a negative id in an array": (lambda e: e.decode(np.array([-1])), False),
    "no threads": (lambda e: e.encode_batch(["a"], num_threads=0), False),
    "fewer than no threads": (lambda e: e.encode_ordinary_batch(["a"], num_threads=-1), False),
    "no threads to decode": (lambda e: e.decode_batch([[0]], num_threads=0), False),
    "None for a text": (lambda e: e.encode(None), False),
    "None for an ordinary text": (lambda e: e.encode_ordinary(None), False),
    "None for an array's text": (lambda e: e.encode_to_numpy(None), False),
    "None in a batch": (lambda e: e.encode_batch(["a", None]), False),
    "bytes for a text": (lambda e: e.encode(b"a"), False),
    "bytes for an ordinary text": (lambda e: e.encode_ordinary(b"a"), False),
    "an int for a text": (lambda e: e.encode(3), False),
    "a list for a set": (lambda e: e.encode("a", allowed_special=[END]), False),
    "a tuple for a set": (lambda e: e.encode("a", allowed_special=(END,), disallowed_special=()), False),
    "a str for a set": (lambda e: e.encode("a", allowed_special=END), False),
    "None for a set": (lambda e: e.encode(END, allowed_special=None), False),
    "None for a set, nothing disallowed": (
        lambda e: e.encode("a", allowed_special=None, disallowed_special=()),
        False,
    ),
    "an int for a collection": (lambda e: e.encode("a", disallowed_special=3), False),
    "ints in a collection": (lambda e: e.encode("a", disallowed_special=[3]), False),
    "sets by position": (lambda e: e.encode("a", {END}), False),
    "None for a token": (lambda e: e.encode_single_token(None), False),
    "an int for a token": (lambda e: e.encode_single_token(3), False),
    "a list for a token": (lambda e: e.encode_single_token([104]), False),
    "a str for ids": (lambda e: e.decode("abc"), False),
    "strs for ids": (lambda e: e.decode(["1"]), False),
    "floats for ids": (lambda e: e.decode([1.0]), False),
    "an array of floats for ids": (lambda e: e.decode(np.array([1.5])), False),
    "two dimensions of ids": (lambda e: e.decode(np.array([[1, 2]])), False),
    "None for ids": (lambda e: e.decode(None), False),
    "an int for ids": (lambda e: e.decode(3), False),
    "a str for an id": (lambda e: e.decode_single_token_bytes("a"), False),
    "a float for an id": (lambda e: e.decode_single_token_bytes(1.0), False),
    "None for an id": (lambda e: e.decode_single_token_bytes(None), False),
    "a str for an id that may be special": (lambda e: e.is_special_token("a"), False),
    "a str for bytes": (lambda e: e._encode_bytes("a"), False),
    "None for bytes": (lambda e: e._encode_bytes(None), False),
    "None for a piece": (lambda e: e._encode_single_piece(None), False),
}


@pytest.mark.parametrize("what", sorted(ERRORS))
def test_same_errors(pair, what):
    ours, theirs = pair
    call, same_message = ERRORS[what]
    _, expected = outcome(call, theirs)
    result, error = outcome(call, ours)
    assert expected is not None, "tiktoken has no error here"
    assert error is not None, f"no error, but {result!r}"
    assert isinstance(error, type(expected)), repr(error)
    if same_message:
        assert error.args == expected.args
    elif type(expected) is not TypeError:
        assert isinstance(error, (BpetokError, ValueError, AssertionError))


# ---- where bpetok gives more -------------------------------------------------------------------------


def test_what_tiktoken_refuses_for_no_reason_of_its_own(pair):
    """tiktoken repairs surrogates in `encode` only, and takes ids and sets of a few types only."""
    ours, theirs = pair
    for call, expected in (
        (lambda e: e.encode_to_numpy("a\ud800").tolist(), ours.encode("a\ufffd")),
        (lambda e: e.encode_with_unstable("a\ud800")[0], ours.encode_with_unstable("a\ufffd")[0]),
        (lambda e: e.decode(id_ for id_ in (15339, 1917)), "hello world"),
        (lambda e: e.encode(END, allowed_special={END: 1}.keys()), [100257]),
    ):
        assert outcome(call, theirs)[1] is not None
        assert call(ours) == expected


def test_an_array_of_ids_is_the_callers_own(pair):
    ours, theirs = pair
    assert not theirs.encode_to_numpy("hello").flags.writeable
    assert ours.encode_to_numpy("hello").flags.writeable


# ---- special tokens ----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["", "a b", END, f"a {END} b", f"{PREFIX}x{SUFFIX}", f"{END}{PREFIX}"])
def test_every_policy_for_special_tokens(pair, text):
    ours, theirs = pair
    sets = [set(chosen) for n in range(3) for chosen in itertools.combinations((END, PREFIX, SUFFIX), n)]
    for allowed, disallowed in itertools.product(["all", *sets], ["all", (), *sets[1:]]):

        def call(encoding, allowed=allowed, disallowed=disallowed):
            return encoding.encode(text, allowed_special=allowed, disallowed_special=disallowed)

        result, error = outcome(call, ours)
        expected, their_error = outcome(call, theirs)
        assert result == expected
        assert type(their_error) is type(None) or isinstance(error, ValueError)
        assert str(error) == str(their_error)


def test_of_special_tokens_that_begin_each_other_the_longest_is_taken():
    """tiktoken takes whichever its hash map lists first; here the result does not depend on chance."""
    special_tokens = {"<a": 300, "<a>": 301, "<a><b>": 302, "a><": 303}
    ours = bpetok.Encoding(
        "overlapping",
        pat_str=r"(?s:.)",
        mergeable_ranks={bytes([byte]): byte for byte in range(256)},
        special_tokens=special_tokens,
    )
    assert ours.encode("<a><b><a><a", allowed_special="all") == [302, 301, 300]
    assert ours.encode("<a><b>", allowed_special={"<a>"}, disallowed_special=()) == [301, *b"<b>"]
    assert ours.encode("<a><b>", allowed_special={"a><"}, disallowed_special=()) == [60, 303, *b"b>"]
    with pytest.raises(ValueError, match="special token '<a><b>'"):
        ours.encode("<a><b>")


def test_a_special_token_that_is_also_a_token():
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 256}
    arguments = {
        "pat_str": r"\w+",
        "mergeable_ranks": ranks,
        "special_tokens": {"ab": 300, "x": 120, "yz": 5},
    }
    ours, theirs = bpetok.Encoding("both", **arguments), tiktoken.Encoding("both", **arguments)
    for call in (
        lambda e: e.encode_single_token("ab"),
        lambda e: e.encode("ab", disallowed_special=()),
        lambda e: e.encode("ab", allowed_special="all"),
        lambda e: e.encode("x yz", allowed_special="all"),
        lambda e: e.decode([300, 256, 120, 5]),
        lambda e: e.decode_single_token_bytes(5),
        lambda e: e.token_byte_values(),
        lambda e: [e.is_special_token(id_) for id_ in (120, 5, 256, 300)],
        lambda e: (e.n_vocab, e.max_token_value),
    ):
        assert call(ours) == call(theirs)
    with pytest.raises(KeyError):
        theirs.eot_token  # noqa: B018
    with pytest.raises(KeyError):
        ours.eot_token  # noqa: B018


def test_no_special_tokens_at_all():
    arguments = {
        "pat_str": r"\w+|\W+",
        "mergeable_ranks": {bytes([byte]): byte for byte in range(256)},
        "special_tokens": {},
    }
    ours, theirs = bpetok.Encoding("none", **arguments), tiktoken.Encoding("none", **arguments)
    for text in ("", "ab c", END):
        assert ours.encode(text) == theirs.encode(text)
        assert ours.encode(text, allowed_special="all") == theirs.encode(text, allowed_special="all")
    assert ours.special_tokens_set == theirs.special_tokens_set == set()


# ---- unstable text ----------------------------------------------------------------------------------


def unstable(encoding, text, **policy):
    stable, completions = encoding.encode_with_unstable(text, **policy)
    assert type(completions) is list
    assert all(type(completion) is list for completion in completions)
    assert len({tuple(completion) for completion in completions}) == len(completions)
    return stable, {tuple(completion) for completion in completions}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello fanta",
        "hello ",
        "a",
        "  ",
        "\n\n",
        "x \n \n",
        "\u4e2d",
        "\U0001f600",
        "I'",
        "12",
        "12345",
        "a\u00a0",
    ],
)
def test_completions_of_unstable_text(main_encodings, text):
    ours, theirs = main_encodings
    assert unstable(ours, text) == unstable(theirs, text)


@given(parts=st.lists(st.sampled_from(strategies.FRAGMENTS), min_size=1, max_size=3))
@example(parts=["\n", " "])
def test_completions_of_any_unstable_text(main_encodings, parts):
    ours, theirs = main_encodings
    text = "".join(parts)
    assert unstable(ours, text, disallowed_special=()) == unstable(theirs, text, disallowed_special=())


def test_nothing_is_unstable_after_a_special_token(pair):
    ours, theirs = pair
    for text in (f"a{END}", END, f"{END} a", f"  {END}\n"):
        assert unstable(ours, text, allowed_special="all") == unstable(theirs, text, allowed_special="all")


@given(data=strategies.hostile_bytes())
@example(data=b" \n \xff")
@example(data=b"\xe4\xb8")
def test_bytes_that_are_not_utf8(main_encodings, data):
    ours, theirs = main_encodings
    assert ours._encode_bytes(data) == theirs._encode_bytes(data)


# ---- making, copying, pickling -----------------------------------------------------------------------


def test_an_encoding_extended_as_tiktokens_documentation_shows(pair):
    ours, theirs = pair
    both = [
        module.Encoding(
            name="cl100k_im",
            pat_str=base._pat_str,
            mergeable_ranks=base._mergeable_ranks,
            special_tokens={**base._special_tokens, "<|im_start|>": 100264, "<|im_end|>": 100265},
        )
        for module, base in ((bpetok, ours), (tiktoken, theirs))
    ]
    text = f"<|im_start|>user\nHi{END}<|im_end|>"
    mine, expected = (encoding.encode(text, allowed_special="all") for encoding in both)
    assert mine == expected
    assert 100264 in mine
    assert both[0].n_vocab == both[1].n_vocab


TOY = {
    "pat_str": r"\w+|\W+",
    "mergeable_ranks": {bytes([byte]): byte for byte in range(256)} | {b"ab": 256},
    "special_tokens": {"<end>": 257},
}


@pytest.mark.parametrize("n_vocab", [None, 0, 258])
def test_explicit_vocabulary_sizes_that_fit(n_vocab):
    for module in (tiktoken, bpetok):
        assert module.Encoding("toy", **TOY, explicit_n_vocab=n_vocab).n_vocab == 258


@pytest.mark.parametrize("n_vocab", [1, 257, 259, 10**6])
def test_explicit_vocabulary_sizes_that_do_not_fit(n_vocab):
    for module in (tiktoken, bpetok):
        with pytest.raises(AssertionError):
            module.Encoding("toy", **TOY, explicit_n_vocab=n_vocab)


@pytest.mark.parametrize("change", [{"pat_str": "("}, {"mergeable_ranks": {}}])
def test_arguments_that_make_no_encoding(change):
    for module in (tiktoken, bpetok):
        with pytest.raises(ValueError):
            module.Encoding("toy", **(TOY | change))


def test_ids_given_twice_are_an_error_and_no_panic():
    ranks = {bytes([byte]): byte for byte in range(256)} | {b"ab": 97}
    with pytest.raises(VocabularyError, match="rank 97 is given to both b'a' and b'ab'"):
        bpetok.Encoding("toy", **(TOY | {"mergeable_ranks": ranks}))


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_registered_encoding_is_pickled_by_name(name):
    ours = bpetok.get_encoding(name)
    data = pickle.dumps(ours)
    assert len(data) < 200
    assert pickle.loads(data) is ours


@pytest.mark.parametrize("copied", [lambda e: pickle.loads(pickle.dumps(e)), copy.copy, copy.deepcopy])
def test_copies_behave_like_the_original(copied):
    text = "ab abba <end> \u4e2d\n"
    for module in (tiktoken, bpetok):
        toy = module.Encoding("toy", **TOY)
        other = copied(toy)
        assert type(other) is type(toy)
        assert other.encode(text, allowed_special="all") == toy.encode(text, allowed_special="all")
        assert (other.name, other.n_vocab, repr(other)) == (toy.name, toy.n_vocab, repr(toy))


# ---- the registry ------------------------------------------------------------------------------------


def test_the_same_encodings_in_the_same_order():
    # Where bpetok is installed, tiktoken knows its encodings too, by other names.
    theirs = [name for name in tiktoken.list_encoding_names() if not name.startswith("bpetok:")]
    assert bpetok.list_encoding_names() == theirs


@pytest.mark.parametrize("name", ENCODINGS)
def test_encodings_are_those_that_tiktoken_would_download(name, monkeypatch):
    """tiktoken states the checksum of each vocabulary file; ours, written as such a file, has it."""
    public = pytest.importorskip("tiktoken_ext.openai_public")
    checksums = []

    def load(url, expected_hash):
        checksums.append(expected_hash)
        return {}

    monkeypatch.setattr(public, "load_tiktoken_bpe", load)
    monkeypatch.setattr(public, "data_gym_to_mergeable_bpe_ranks", lambda **files: {})
    expected = public.ENCODING_CONSTRUCTORS[name]()

    ours = bpetok.get_encoding(name)
    assert bpetok.get_encoding(name) is ours
    assert ours.name == expected["name"]
    assert ours._pat_str == expected["pat_str"]
    assert ours._special_tokens == expected["special_tokens"]
    assert ours.n_vocab == expected.get("explicit_n_vocab", ours.n_vocab)
    if name == "gpt2":  # published in another form, with the same tokens as r50k_base
        assert ours._mergeable_ranks == bpetok.get_encoding("r50k_base")._mergeable_ranks
    else:
        ranked = sorted(ours._mergeable_ranks.items(), key=lambda item: item[1])
        lines = (base64.b64encode(token) + b" %d\n" % rank for token, rank in ranked)
        assert [hashlib.sha256(b"".join(lines)).hexdigest()] == checksums


@pytest.mark.parametrize("wrong", ["nosuch", "", "CL100K_BASE", None, 3, b"gpt2", ["gpt2"]])
def test_encodings_that_do_not_exist(wrong):
    for module in (tiktoken, bpetok):
        with pytest.raises(ValueError):
            module.get_encoding(wrong)


def test_every_model_that_tiktoken_knows():
    from tiktoken.model import MODEL_PREFIX_TO_ENCODING, MODEL_TO_ENCODING

    names = [
        *MODEL_TO_ENCODING,
        *(prefix + ending for prefix in MODEL_PREFIX_TO_ENCODING for ending in ("", "x", "-2099-01-01")),
        *(model + ending for model in MODEL_TO_ENCODING for ending in ("-", "-x", "x", " ")),
    ]
    for name in names:
        theirs, error = outcome(lambda module, name=name: module.encoding_name_for_model(name), tiktoken)
        if error is None:
            assert bpetok.encoding_name_for_model(name) == theirs
            assert bpetok.encoding_for_model(name) is bpetok.get_encoding(theirs)
        else:
            with pytest.raises(KeyError):
                bpetok.encoding_for_model(name)


@pytest.mark.parametrize("wrong", ["nosuch", "", "GPT-4", "gpt"])
def test_models_that_do_not_exist(wrong):
    for module in (tiktoken, bpetok):
        with pytest.raises(KeyError, match=f"Could not automatically map {wrong} to a tokeniser"):
            module.encoding_name_for_model(wrong)
