"""The server of the page, asked without a network."""

import asyncio
import json

import pytest

from bpetok import Tokenizer, get_encoding
from bpetok.diagnostics.corpora import ParallelCorpus
from bpetok.errors import BpetokError, DiagnosticsError
from bpetok.splits import Split, Splits

pytest.importorskip("starlette", reason="starlette is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")
from bpetok.page.server import BURST, LARGEST, PER_SECOND, Guard, application

CORPUS = ParallelCorpus.of(
    [
        ("eng", "1", "Good day to all of you"),
        ("deu", "1", "Guten Tag euch allen"),
        ("rus", "1", "Добрый день всем"),
    ],
    name="three",
)


def ask(app, path, body=None, headers=None, chunks=1):
    """Status, headers and content of an answer."""
    path, _, query = path.partition("?")
    given = {"host": "localhost:8765", **(headers or {})}
    data = b"" if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    size = -(-len(data) // chunks) or 1
    messages = [
        {"type": "http.request", "body": data[at : at + size], "more_body": at + size < len(data)}
        for at in range(0, max(1, len(data)), size)
    ]
    sent = []
    scope = {
        "type": "http", "http_version": "1.1", "method": "GET" if body is None else "POST", "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
        "client": ("127.0.0.1", 50000), "server": ("127.0.0.1", 8765),
    }  # fmt: skip

    async def receive():
        return messages.pop(0)

    async def send(message):
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    headers = {name.decode().lower(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(message.get("body", b"") for message in sent[1:])


@pytest.fixture(scope="module")
def app():
    made = application({"gpt2": get_encoding("gpt2"), "o200k_base": get_encoding("o200k_base")}, CORPUS)
    made.clock = lambda: 0.0
    made.clients = Forgetful()
    return made


class Forgetful(dict):
    """No client is remembered, so that tests can ask as often as they like."""

    def __setitem__(self, key, value):
        pass


def answer(app, path, body=None):
    status, headers, content = ask(app, path, body)
    assert headers["content-type"] == "application/json"
    return status, json.loads(content)


def test_the_page_and_its_parts_forbid_everything_but_themselves(app):
    for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
        status, headers, content = ask(app, path)
        assert status == 200
        assert headers["content-type"].startswith(kind)
        assert "default-src 'none'; script-src 'self'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert content
    assert ask(app, "/../etc/passwd")[0] == ask(app, "/assets/page.js")[0] == 404


def test_tokens_have_bytes_and_the_places_where_pieces_begin(app):
    status, found = answer(app, "/api/encode", {"tokenizer": "gpt2", "text": "naïve strawberries"})
    assert status == 200
    encoding = get_encoding("gpt2")
    assert [token for token, *_ in found["tokens"]] == encoding.encode_ordinary("naïve strawberries")
    assert b"".join(bytes.fromhex(data) for _, data, _ in found["tokens"]).decode() == "naïve strawberries"
    begins = [bytes.fromhex(data) for _, data, begins in found["tokens"] if begins]
    assert begins[0] == b"na"
    assert begins[1].startswith(b" st")
    _, found = answer(app, "/api/encode", {"tokenizer": "gpt2", "text": "<|endoftext|>"})
    assert len(found["tokens"]) > 1
    assert found["special"] == []


def test_surrogates_are_repaired(app):
    text = "low \ud83d\ude00 \ud83d low"
    _, found = answer(app, "/api/encode", {"tokenizer": "gpt2", "text": text})
    assert [token for token, *_ in found["tokens"]] == get_encoding("gpt2").encode_ordinary(text)
    pieces = b"".join(b"|" * begins + bytes.fromhex(data) for _, data, begins in found["tokens"])
    assert pieces.decode() == "|low| \U0001f600| \ufffd| low"


def test_where_pieces_begin_is_not_claimed_where_it_is_not_known():
    vocabulary = get_encoding("gpt2").vocabulary
    steps = Splits((Split("-", "Isolated"), Split("+", "Isolated")))
    app = application({"it": Tokenizer.from_vocabulary("it", steps, vocabulary)}, CORPUS)
    _, found = answer(app, "/api/encode", {"tokenizer": "it", "text": "a-b+c"})
    assert {begins for *_, begins in found["tokens"]} == {None}


def test_merges_are_those_of_explain(app):
    _, found = answer(app, "/api/explain", {"tokenizer": "o200k_base", "piece": "lower"})
    (explained,) = get_encoding("o200k_base").explain("lower")
    steps = found["explained"]["steps"]
    assert [step["rank"] for step in steps] == [step.rank for step in explained.steps]
    assert [bytes.fromhex(step["left"][1]) for step in steps] == [step.left for step in explained.steps]
    assert steps[-1]["parts"] == [[explained.ids[0], b"lower".hex()]]
    # Two pieces have no merges in common.
    assert answer(app, "/api/explain", {"tokenizer": "gpt2", "piece": "two words"})[1] == {"explained": None}


def test_entries_are_filtered_and_come_in_parts(app):
    base = "/api/entries?tokenizer=gpt2"
    _, special = answer(app, base + "&kind=special&limit=10")
    assert special["total"] == 1
    assert special["rows"][0]["id"] == 50256
    _, first = answer(app, base + "&limit=3")
    _, then = answer(app, base + "&limit=3&offset=1")
    assert first["total"] == 50257
    assert first["rows"][1:] == then["rows"][:2]
    _, cyrillic = answer(app, base + "&script=Cyrillic&limit=500&order=length")
    assert {row["script"] for row in cyrillic["rows"]} == {"Cyrillic"}
    sizes = [len(row["data"]) for row in cyrillic["rows"]]
    assert sizes == sorted(sizes, reverse=True)
    _, found = answer(app, base + "&find=Hello&limit=50")
    assert all(b"Hello" in bytes.fromhex(row["data"]) for row in found["rows"])
    assert answer(app, base + "&kind=other&limit=1")[1]["total"] == 0
    assert len(answer(app, base + "&limit=999999")[1]["rows"]) == 500


def test_the_report_is_the_library_s(app):
    _, report = answer(app, "/api/report")
    assert [each["name"] for each in report["tokenizers"]] == ["gpt2", "o200k_base"]
    figure = report["tokenizers"][0]["languages"]["rus"]["figures"]["premium"]["value"]
    encode = get_encoding("gpt2").encode_ordinary
    assert figure == pytest.approx(len(encode("Добрый день всем")) / len(encode("Good day to all of you")))


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/api/encode", b"{", "send a JSON object"),
        ("/api/encode", b"[" * 100_000, "send a JSON object"),
        ("/api/encode", [], "send a JSON object"),
        ("/api/encode", {"tokenizer": "gpt2"}, "send a JSON object"),
        ("/api/encode", {"tokenizer": "gpt2", "text": 5}, "must be texts"),
        ("/api/encode", {"tokenizer": "/etc/passwd", "text": ""}, "there is no tokenizer '/etc/passwd'"),
        ("/api/explain", {"tokenizer": "gpt2", "piece": "a" * 5000}, "of up to 2000 bytes"),
        ("/api/entries?tokenizer=gpt2&offset=-1", None, "offset must be a number"),
        ("/api/entries?tokenizer=gpt2&limit=" + "9" * 30, None, "limit must be a number"),
    ],
)
def test_bad_requests_are_told_why(app, path, body, word):
    status, found = answer(app, path, body)
    assert status == 400
    assert word in found["error"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"host": "localhost"}, 200),
        ({"host": "127.0.0.1:9"}, 200),
        ({"host": "[::1]:8765"}, 200),
        ({"host": "LOCALHOST:1"}, 200),
        ({"host": "localhost:8765", "origin": "http://localhost:8765"}, 200),
        ({"host": "rebound.example:8765"}, 400),
        ({"host": ""}, 400),
        ({"host": "localhost.example"}, 400),
        ({"origin": "http://localhost:9999"}, 403),
        ({"origin": "null"}, 403),
        ({"content-length": str(LARGEST + 1)}, 413),
        ({"content-length": "-5"}, 413),
    ],
)
def test_names_origins_and_sizes_are_checked(app, headers, status):
    assert ask(app, "/api/about", headers=headers)[0] == status


def test_a_body_that_does_not_say_how_long_it_is_ends_at_the_limit(app):
    status, _, content = ask(app, "/api/encode", b"x" * (LARGEST + 1), chunks=7)
    assert status == 413
    assert b"send less text" in content


def test_a_client_that_asks_too_often_has_to_wait():
    now = [0.0]

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    guard = Guard(app, ["localhost"], clock=lambda: now[0])
    asked = [ask(guard, "/")[0] for _ in range(BURST + 5)]
    assert asked == [200] * BURST + [429] * 5
    now[0] += 1
    assert [ask(guard, "/")[0] for _ in range(PER_SECOND + 1)] == [200] * PER_SECOND + [429]


def test_what_cannot_be_served_is_refused():
    with pytest.raises(DiagnosticsError):
        application({"it": object()}, CORPUS)
    with pytest.raises(BpetokError, match="no corpus"):
        application({"gpt2": get_encoding("gpt2")}, "nowhere")
