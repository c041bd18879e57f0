"""`tokenizer.json` in both directions against `tokenizers`: the same pieces, the same ids."""

import json
import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import strategies
from bpetok import Tokenizer, Vocabulary, get_encoding, train
from bpetok._scan import char_class
from bpetok.errors import FormatError
from bpetok.formats import load, save
from bpetok.formats.huggingface.write import portable
from bpetok.patterns import NAMED, recognise, superwords
from bpetok.pretokenize import split

tokenizers = pytest.importorskip("tokenizers", reason="tokenizers is not installed")

TEXTS = ["the cat sat on the mat, the cats CAN'T sit; I'll naïve 12345\r\n\r\n  東京 です\n  \u0301!"] * 3

# Patterns of the known families under other settings than the named ones.
_WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+"
RELATED = {
    "no contractions": rf"{_WORD}|\p{{N}}{{1,2}}| ?[^\s\p{{L}}\p{{N}}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "marks in words": r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "end of text without newlines": rf"{_WORD}|\p{{N}}++| ?[^\s\p{{L}}\p{{N}}]++|\s++$|\s+(?!\S)|\s",
    "end of text and newlines": r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]+[\r\n/]*"
    r"|\s+$|\s*[\r\n]+|\s+(?!\S)|\s+",
}
FAMILIES = ("gpt2", "cl100k", "o200k", "llama3", "qwen2", "tekken")
SOURCES = {name: NAMED[name] for name in FAMILIES} | RELATED
SOURCES |= {f"superwords of {name}": superwords(name, 3) for name in FAMILIES}


@pytest.fixture(scope="module")
def some_texts(real_texts):
    """The beginnings of real files: `tokenizers` takes its time."""
    return [text[:8000] for text in real_texts]


def theirs(path):
    """(a function from text to ids as it is, one that takes special tokens for text)."""
    plain, blind = (tokenizers.Tokenizer.from_file(str(path)) for _ in range(2))
    blind.encode_special_tokens = True
    return (
        lambda text: plain.encode(text, add_special_tokens=False).ids,
        lambda text: blind.encode(text, add_special_tokens=False).ids,
    )


def same_ids(ours, pair, texts):
    plain, blind = pair
    for text in texts:
        assert ours.encode(text, allowed_special="all") == plain(text)
        assert ours.encode_ordinary(text) == blind(text)


# ---- what the engines behind both know ---------------------------------------------------------------


def test_their_character_classes_are_ours():
    """Oniguruma's tables, in the version that `tokenizers` brings, are of the same Unicode version."""
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    for source, mine in {
        r"\p{L}": 1,
        r"\p{Lu}|\p{Lt}|\p{Lm}|\p{Lo}|\p{M}": 2,
        r"\p{Ll}|\p{Lm}|\p{Lo}|\p{M}": 4,
        r"\p{N}": 8,
        r"\s": 16,
        r"[\r\n]": 32,
        r"\p{M}": 64,
    }.items():
        matcher = tokenizers.pre_tokenizers.Split(tokenizers.Regex(source), "removed")
        expected = [char for char in characters if not char_class(ord(char)) & mine]
        found = matcher.pre_tokenize_str("".join(characters))
        assert "".join(piece for piece, _ in found) == "".join(expected)


@pytest.mark.parametrize("name", SOURCES)
def test_pieces_of_characters_of_every_class_are_ours(name):
    """Each character doubled, behind a space, an apostrophe, a letter, a digit and punctuation."""
    matcher = tokenizers.pre_tokenizers.Split(tokenizers.Regex(portable(SOURCES[name])), "isolated")
    random = Random(2)
    characters = set("".join(strategies.TRAPS)) | set("'sStTdDmMrReElLvV/\r\n")
    for members in strategies.code_points_by_class().values():
        characters |= set(map(chr, random.sample(members, min(300, len(members)))))
    text = "".join(f"{c} {c}{c}a'{c}e1{c}1!{c}\n" for c in sorted(characters))
    assert [piece for piece, _ in matcher.pre_tokenize_str(text)] == split(text, SOURCES[name])


@pytest.mark.parametrize("name", ["gpt2", "cl100k", "o200k"])
def test_contractions_of_every_character_are_ours(name):
    matcher = tokenizers.pre_tokenizers.Split(tokenizers.Regex(portable(SOURCES[name])), "isolated")
    letters = (chr(code) for code in range(0x110000) if char_class(code) & 1 and not 0x3400 <= code < 0xD7A4)
    text = "".join(f"x'{c}|x'{c}e|x'l{c}|" for c in letters if not "\U00017000" <= c < "\U00018d00")
    assert [piece for piece, _ in matcher.pre_tokenize_str(text)] == split(text, SOURCES[name])


@pytest.mark.parametrize("name", SOURCES)
@given(text=strategies.hostile_text())
def test_pieces_are_ours(name, text):
    matcher = tokenizers.pre_tokenizers.Split(tokenizers.Regex(portable(SOURCES[name])), "isolated")
    assert [piece for piece, _ in matcher.pre_tokenize_str(text)] == split(text, SOURCES[name])


# ---- what we write -----------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["gpt2", "p50k_edit", "cl100k_base", "o200k_base"])
def exported(request, tmp_path_factory):
    """(an embedded encoding, the same through a file, `tokenizers`' reading of that file)."""
    path = tmp_path_factory.mktemp("exported") / "tokenizer.json"
    encoding = get_encoding(request.param)
    save(encoding, path, "huggingface")
    return encoding, load(path), theirs(path)


@given(text=strategies.hostile_text())
def test_ids_of_an_exported_encoding(exported, text):
    encoding, back, pair = exported
    same_ids(encoding, pair, [text])
    same_ids(back, pair, [text])


def test_ids_of_an_exported_encoding_on_real_files(exported, some_texts):
    encoding, back, pair = exported
    same_ids(encoding, pair, some_texts)
    for text in some_texts:
        assert back.encode_ordinary(text) == encoding.encode_ordinary(text)


@pytest.mark.parametrize("char", [" ", "a", "A", "1", "\n", "^", "\u0301", "\u4e2d", "'"])
def test_ids_of_long_runs(exported, char):
    same_ids(exported[0], exported[2], [char * 5000, "b" + char * 5000 + "b"])


def test_every_token_is_reached_alike(exported):
    encoding, back, pair = exported
    texts = [data.decode() for data in encoding.token_byte_values()[::37] if data.isascii()]
    same_ids(encoding, pair, texts)
    same_ids(back, pair, texts)


def test_ids_that_two_special_tokens_share_are_refused(tmp_path):
    with pytest.raises(FormatError, match="an id has one text"):
        save(get_encoding("o200k_harmony"), tmp_path / "file", "huggingface")


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("tie_break", ["bytes", "huggingface"])
def test_ids_of_an_exported_trained_tokenizer(tmp_path, name, tie_break, some_texts):
    ours = train(
        some_texts[:3] + TEXTS,
        vocab_size=700,
        pattern=SOURCES[name],
        special_tokens=["<|endoftext|>", "<s>", "<é>", " x", "東"],
        tie_break=tie_break,
    )
    save(ours, tmp_path / "file", "huggingface")
    same_ids(ours, theirs(tmp_path / "file"), [*some_texts[::4], *TEXTS, "a<s>b<é> x東東京<|endoftext|>"])


@given(data=st.data(), text=strategies.hostile_text())
def test_ids_of_random_vocabularies(tmp_path_factory, data, text):
    """Merges in any order, tokens that none reaches, gaps, special tokens inside and outside of gaps."""
    random = Random(data.draw(st.integers(0, 2**32)))
    order = random.sample(range(256), 256)
    tokens = {token: bytes([byte]) for token, byte in enumerate(order)}
    known = {value: token for token, value in tokens.items()}
    merges = []
    letters = [known[bytes([byte])] for byte in b" abt'\n\xc3\xa9"]
    next_id = 256
    for _ in range(random.randrange(25)):
        pair = (random.choice(letters), random.choice(letters))
        value = tokens[pair[0]] + tokens[pair[1]]
        if pair in merges or len(value) > 30:
            continue
        if value not in known:
            next_id += random.choice([0, 0, 0, 2])
            known[value], tokens[next_id] = next_id, value
            letters.append(next_id)
            next_id += 1
        merges.append(pair)
    tokens[next_id] = b"never merged"
    specials = {}
    texts = ["<s>", "<é>", "ab", " ", "Ġa", "<s><s>", "\n\n", "東"]
    for special in random.sample(texts, random.randrange(5)):
        next_id += random.choice([1, 1, 5])
        specials[special] = next_id
    if random.random() < 0.3:
        ranks = {value: token for token, value in tokens.items()}
        vocabulary = Vocabulary.from_ranks(ranks, specials)
    else:
        random.shuffle(merges)
        vocabulary = Vocabulary.from_merges(tokens, merges, specials, ignore_merges=random.random() < 0.5)
    ours = Tokenizer.from_vocabulary("random", random.choice(list(NAMED.values())), vocabulary)
    path = tmp_path_factory.mktemp("random") / "file"
    try:
        save(ours, path, "huggingface")
    except FormatError:
        assert specials  # only they can be in the way here
        return
    texts = [text, "".join(random.choices([*"abt' \n東é", *specials, "<s", "Ġ", "never merged"], k=60))]
    same_ids(ours, theirs(path), texts)
    same_ids(load(path), theirs(path), texts)


# ---- what they write ---------------------------------------------------------------------------------


def trained_by_them(texts, *, source, specials, vocab_size=600, ignore_merges=False, minimal=False):
    pre = tokenizers.pre_tokenizers
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(ignore_merges=ignore_merges))
    if source is None:
        tokenizer.pre_tokenizer = pre.ByteLevel(add_prefix_space=False)
        tokenizer.post_processor = tokenizers.processors.ByteLevel(trim_offsets=True)
    else:
        splitter = pre.Split(
            tokenizers.Regex(source), "removed" if ignore_merges else "isolated", ignore_merges
        )
        tokenizer.pre_tokenizer = pre.Sequence(
            [splitter, pre.ByteLevel(add_prefix_space=False, use_regex=False)]
        )
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    trainer = tokenizers.trainers.BpeTrainer(
        vocab_size=vocab_size,
        special_tokens=specials if not minimal else [],
        initial_alphabet=pre.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    if minimal:
        tokenizer.add_special_tokens(specials)  # behind the others, and in no vocabulary
    return tokenizer


@pytest.mark.parametrize("name", [None, "gpt2", "cl100k", "llama3", "qwen2", "o200k", "tekken"])
@pytest.mark.parametrize("ignore_merges", [False, True])
@pytest.mark.parametrize("minimal", [False, True])
def test_ids_of_a_tokenizer_that_they_trained(tmp_path, name, ignore_merges, minimal, some_texts):
    specials = ["<|endoftext|>", "<s>", "<é>", "the"]
    source = None if name is None else portable(NAMED[name]).replace(r"(?![\s\S])", r"\z")
    tokenizer = trained_by_them(
        some_texts[:5] + TEXTS,
        source=source,
        specials=specials,
        ignore_merges=ignore_merges,
        minimal=minimal,
    )
    path = tmp_path / "file"
    tokenizer.save(str(path), pretty=ignore_merges)
    ours = load(path)
    texts = [*some_texts[::8], *TEXTS, "a<s>b<é> the theory東<|endoftext|><|endoftext|"]
    same_ids(ours, theirs(path), texts)
    # And in the older spelling of merges.
    document = json.loads(path.read_text())
    document["model"]["merges"] = [" ".join(pair) for pair in document["model"]["merges"]]
    path.write_text(json.dumps(document))
    same_ids(load(path), theirs(path), texts)
    assert load(path).vocabulary.merges().tolist() == ours.vocabulary.merges().tolist()


def test_a_special_token_gets_the_id_that_they_give_it(tmp_path):
    """Also where the file claims another one, which is then refused."""
    tokenizer = trained_by_them(TEXTS, source=None, specials=["<s>", "<t>"], minimal=True)
    tokenizer.save(str(tmp_path / "file"))
    document = json.loads((tmp_path / "file").read_text())
    document["added_tokens"][1]["id"] += 5
    (tmp_path / "file").write_text(json.dumps(document))
    given_id = tokenizers.Tokenizer.from_file(str(tmp_path / "file")).token_to_id("<t>")
    with pytest.raises(FormatError, match=f"`tokenizers` gives it {given_id}"):
        load(tmp_path / "file")


def test_what_they_read_differently_is_known():
    """The reasons why some spellings of patterns are refused."""

    def pieces(source, text):
        matcher = tokenizers.pre_tokenizers.Split(tokenizers.Regex(source), "isolated")
        return [piece for piece, _ in matcher.pre_tokenize_str(text)]

    assert pieces("a{1,3}+", "aaaaaaa") == ["aaaaaaa"]  # a repeated repeat, not a possessive one
    assert pieces(r"\s+$|x", "a  \nb") == ["a", "  ", "\nb"]  # the end of a line, not of the text
    for source in SOURCES.values():
        assert recognise(source) is not None
        assert not re.search(r"\$|\}\+|\+\+", re.sub(r"\\p\{\w+\}\+", "", portable(source)))
