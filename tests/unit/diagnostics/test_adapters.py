"""Tokenizers that only their own library runs, and what unknown tokens do to figures."""

import io

import pytest

from bpetok import Tokenizer, TokenizerLike, get_encoding
from bpetok.diagnostics import ParallelCorpus, diagnose
from bpetok.diagnostics.adapters import HuggingFaceTokenizer, SentencePieceTokenizer, open_other
from bpetok.diagnostics.subject import KINDS, Subject
from bpetok.errors import FormatError, TokenError

TEXTS = ["the cat sat on the mat", "the cats sat", "a naïve cat"] * 4


@pytest.fixture
def tokenizers():
    return pytest.importorskip("tokenizers", reason="tokenizers is not installed")


def wordpiece(tokenizers):
    made = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    made.normalizer = tokenizers.normalizers.BertNormalizer()
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    made.decoder = tokenizers.decoders.WordPiece()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=40, special_tokens=["[UNK]", "[CLS]"], show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    return made


def unigram(tokenizers):
    made = tokenizers.Tokenizer(tokenizers.models.Unigram())
    made.pre_tokenizer = tokenizers.pre_tokenizers.Metaspace()
    made.decoder = tokenizers.decoders.Metaspace()
    trainer = tokenizers.trainers.UnigramTrainer(
        vocab_size=40, special_tokens=["<unk>"], unk_token="<unk>", show_progress=False
    )
    made.train_from_iterator(TEXTS, trainer)
    return made


def test_wordpiece(tokenizers):
    made = wordpiece(tokenizers)
    adapted = HuggingFaceTokenizer(made, "bert")
    assert isinstance(adapted, TokenizerLike)
    ids = adapted.encode_ordinary("The cats sat")
    assert ids == made.encode("The cats sat", add_special_tokens=False).ids
    assert adapted.decode_bytes(ids) == b" the cats sat"
    assert adapted.decode_single_token_bytes(made.token_to_id("##s")) == b"s"
    assert "BertNormalizer" in adapted.normalizer
    # The text of a special token is ordinary text, which here has no token.
    assert adapted.encode_ordinary("[CLS]").count(made.token_to_id("[CLS]")) == 0
    assert made.encode("[CLS]", add_special_tokens=False).ids == [made.token_to_id("[CLS]")]  # left as it was
    subject = Subject(adapted)
    assert {KINDS[subject.kinds[made.token_to_id(text)]] for text in ("[UNK]", "[CLS]")} == {"special"}


def test_unigram(tokenizers):
    made = unigram(tokenizers)
    adapted = HuggingFaceTokenizer(made)
    ids = adapted.encode_ordinary("the cat")
    assert ids == made.encode("the cat").ids
    assert adapted.decode_bytes(ids) == b" the cat"
    report = diagnose([adapted], ParallelCorpus.of([("eng", "1", "the cat sat")]), segmenter="whitespace")
    assert report.state("tokens_per_word.eng").figure.value == len(adapted.encode_ordinary("the cat sat")) / 3


def test_byte_level(tokenizers, tmp_path):
    """A model that bpetok reads, too, has the same figures by its own library."""
    made = tokenizers.ByteLevelBPETokenizer()
    made.train_from_iterator(TEXTS, vocab_size=300, show_progress=False)
    path = tmp_path / "tokenizer.json"
    made.save(str(path))
    corpus = ParallelCorpus.of([("eng", "1", TEXTS[0]), ("fra", "1", "naïve")])
    theirs = diagnose({"x": open_other(path)}, corpus).tokenizer()
    ours = diagnose({"x": Tokenizer.load(path)}, corpus).tokenizer()
    assert (theirs.languages, theirs.figures, theirs.sha256) == (ours.languages, ours.figures, ours.sha256)


def test_unknown_tokens_are_counted_and_kept_out(tokenizers):
    rows = [("eng", "1", "the cat sat"), ("fra", "1", "the mat"), ("tha", "1", "กขค งจ")]
    report = diagnose([HuggingFaceTokenizer(wordpiece(tokenizers), "bert")], ParallelCorpus.of(rows))
    assert report.state("unknown_tokens.tha").figure.value == 1
    assert report.state("unknown_tokens.eng").figure.value == 0
    assert report.state("premium.tha").figure.value == pytest.approx(2 / 3)  # which is no cheap language
    assert report.state("max_min").figure.value == pytest.approx(3 / 2)  # of the other two
    assert report.tokenizer().probes.digits == "unknown"


def test_no_language_is_left(tokenizers):
    rows = [("eng", "1", "กขค")]
    found = diagnose([HuggingFaceTokenizer(wordpiece(tokenizers))], ParallelCorpus.of(rows)).tokenizer()
    assert "gini" not in found.figures


def test_published_encodings_have_no_unknown_token():
    report = diagnose([get_encoding("gpt2")], ParallelCorpus.of([("eng", "1", "é")]), reachability=False)
    assert report.state("unknown_tokens.eng").figure.value == 0


def processor_of(**options):
    sentencepiece = pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(TEXTS * 5),
        model_writer=model,
        minloglevel=2,
        hard_vocab_limit=False,
        **options,
    )
    return model.getvalue(), sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())


def test_sentencepiece():
    _, processor = processor_of(vocab_size=300, model_type="unigram", byte_fallback=True)
    adapted = SentencePieceTokenizer(processor)
    assert isinstance(adapted, TokenizerLike)
    ids = adapted.encode_ordinary("the cat 中")
    assert ids == processor.encode("the cat 中")
    assert adapted.decode_bytes(ids).decode() == " the cat 中"
    subject = Subject(adapted)
    assert (subject.kinds == KINDS.index("byte")).sum() == 256
    assert subject.special == {0, 1, 2}
    assert subject.unknown == 0
    with pytest.raises(TokenError):
        adapted.decode_single_token_bytes(10**6)


def test_files(tokenizers, tmp_path):
    path = tmp_path / "tokenizer.json"
    path.write_text(wordpiece(tokenizers).to_str())
    assert open_other(path).encode_ordinary("the cat")
    model, processor = processor_of(vocab_size=60, model_type="unigram")
    path = tmp_path / "u.model"
    path.write_bytes(model)
    assert open_other(path).encode_ordinary("the cat") == processor.encode("the cat")


@pytest.mark.parametrize("content", [b'{"model": 3}', b"\x00\x01 no model"])
def test_files_that_nobody_reads(tokenizers, tmp_path, content):
    pytest.importorskip("sentencepiece", reason="sentencepiece is not installed")
    path = tmp_path / "x.json"
    path.write_bytes(content)
    with pytest.raises(FormatError, match="cannot read it"):
        open_other(path)
