"""Vocabularies trained with byte fallback: the same ids in `tokenizers` and in SentencePiece."""

import pytest

from bpetok import train

CORPUS = [
    "The cat sat on the mat, and the other cat did not.\nThe cats: 12, 123 and 1234.\n" * 4,
    "Der \u00dcber-Kater sa\u00df auf der Matte \u2014 und die anderen Kater nicht. "
    "\u6f22\u5b57\u3068\u4eee\u540d" * 3,
]
TEXTS = [
    "",
    " ",
    "the cat",
    "  two  spaces ",
    "\u2603 snow\u2603man \U0001f600\U0001f600 \u0416\u0435\u043b\u0435\u0437\u043e the cat\u0301s",
    "tab\tnewline\n\r\nthe \u2581 mat\u2581",
    "\u0000\u00e9\u1e9e\ufb01 \u6f22\u6f22\u5b57\u5b57 12 12345",
    "<s> </s> <unk> <0x41> and \u0e20\u0e32\u0e29\u0e32\u0e44\u0e17\u0e22" * 3,
]


@pytest.fixture(scope="module", params=[True, False], ids=["prefix", "no prefix"])
def tokenizer(request):
    return train(
        CORPUS,
        vocab_size=420,
        byte_fallback=True,
        character_coverage=0.98,
        dummy_prefix=request.param,
        min_frequency=1,
    )


def spelled(tokenizer):
    """Id to the text that SentencePiece and `tokenizers` have for it."""
    vocabulary = tokenizer.vocabulary
    texts = {token: text for text, token in vocabulary.special_tokens.items()}
    texts |= {token: f"<0x{byte:02X}>" for byte, token in enumerate(vocabulary.byte_tokens)}
    texts |= {
        token: data.decode().replace(" ", "\u2581")
        for token, data in vocabulary.tokens().items()
        if token not in vocabulary.byte_tokens
    }
    assert sorted(texts) == list(range(vocabulary.n_vocab))
    return texts


def has_prefix(tokenizer):
    return tokenizer.normalize("a") == " a"


def test_tokenizers_gives_the_same_ids(tokenizer):
    tokenizers = pytest.importorskip("tokenizers", reason="the library to compare with is not installed")
    texts = spelled(tokenizer)
    merges = [(texts[left], texts[right]) for left, right in tokenizer.vocabulary.merges().tolist()]
    model = tokenizers.models.BPE(
        {text: token for token, text in texts.items()}, merges, unk_token="<unk>", byte_fallback=True
    )
    theirs = tokenizers.Tokenizer(model)
    prefix = [tokenizers.normalizers.Prepend("\u2581")] if has_prefix(tokenizer) else []
    theirs.normalizer = tokenizers.normalizers.Sequence(
        [*prefix, tokenizers.normalizers.Replace(" ", "\u2581")]
    )
    for text in TEXTS:
        assert tokenizer.encode_ordinary(text) == theirs.encode(text, add_special_tokens=False).ids, text


def test_sentencepiece_gives_the_same_ids(tokenizer):
    sentencepiece = pytest.importorskip(
        "sentencepiece", reason="the library to compare with is not installed"
    )
    pb = pytest.importorskip(
        "sentencepiece.sentencepiece_model_pb2", reason="protobuf, which writes a model, is not installed"
    )
    texts = spelled(tokenizer)
    model = pb.ModelProto()
    kinds = pb.ModelProto.SentencePiece
    for token in range(len(texts)):
        kind = kinds.UNKNOWN if token == 0 else kinds.CONTROL if token < 3 else kinds.NORMAL
        kind = kinds.BYTE if token in tokenizer.vocabulary.byte_tokens else kind
        model.pieces.add(piece=texts[token], score=-float(token), type=kind)
    model.trainer_spec.model_type = pb.TrainerSpec.BPE
    model.trainer_spec.byte_fallback = True
    model.normalizer_spec.add_dummy_prefix = has_prefix(tokenizer)
    model.normalizer_spec.remove_extra_whitespaces = False
    theirs = sentencepiece.SentencePieceProcessor(model_proto=model.SerializeToString())
    for text in TEXTS:
        assert tokenizer.encode_ordinary(text) == theirs.encode(text), text
        if "\0" not in text:
            assert tokenizer.decode(tokenizer.encode_ordinary(text)) == theirs.decode(theirs.encode(text))
