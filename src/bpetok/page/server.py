"""The page live: a small server for one's own browser, on one's own machine.

It answers only requests that name it by an address it was told (`hosts`), so that no page elsewhere can reach
it through a name that leads here, and none that come from another page (`Origin`). Texts travel as JSON,
bytes in hexadecimal; nothing is kept.
"""

from __future__ import annotations

import functools
import json
import threading
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

import bpetok
from bpetok._text import as_utf8
from bpetok.diagnostics.corpora import ParallelCorpus, load_corpus
from bpetok.diagnostics.diagnose import diagnose
from bpetok.diagnostics.scripts import SCRIPTS
from bpetok.diagnostics.subject import KINDS, Subject
from bpetok.diagnostics.vocabulary import entry_scripts
from bpetok.errors import BpetokError, MissingExtraError
from bpetok.page.render import samples_of, script, style, template
from bpetok.pretokenize import split
from bpetok.protocols import TokenizerLike

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

__all__ = ["LARGEST", "LOOPBACK", "Guard", "application"]

LOOPBACK = ("127.0.0.1", "localhost", "::1")
LARGEST = 1 << 20  # bytes of a request
LONGEST_WORD = 2000  # bytes of a piece whose merges are shown
ROWS = 500  # entries in an answer
PER_SECOND, BURST = 40, 120  # requests of one client

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """What stands in front of the application: hosts, origins, sizes and rates.

    Args:
        app: what is guarded, by ASGI.
        hosts: names and addresses, without port, that requests may be for.
        clock: seconds that pass; for tests.
    """

    def __init__(self, app: Any, hosts: Collection[str], clock: Callable[[], float] = time.monotonic) -> None:
        self.app = app
        self.hosts = frozenset(host.lower() for host in hosts)
        self.clock = clock
        self.clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    async def __call__(
        self,
        scope: Mapping[str, Any],
        receive: Callable[[], Awaitable[Any]],
        send: Callable[[Any], Awaitable[None]],
    ) -> None:
        """Answer a request, or refuse it; the form of this is ASGI's."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        refusal = self._refusal(headers, (scope.get("client") or ("",))[0])
        body = b""
        while refusal is None:
            message = await receive()
            if message["type"] != "http.request":
                return
            body += message.get("body", b"")
            if len(body) > LARGEST:
                refusal = 413, f"A request may have {LARGEST} bytes: send less text."
            if not message.get("more_body"):
                break
        if refusal is not None:
            await _answer(send, *refusal)
            return

        async def again() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def with_headers(message: dict[str, Any]) -> None:
            if message["type"] == "http.response.start":
                own = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message = {**message, "headers": [*message["headers"], *own]}
            await send(message)

        await self.app(scope, again, with_headers)

    def _refusal(self, headers: Mapping[str, str], client: str) -> tuple[int, str] | None:
        """Status and reason, or None for a request that is let through."""
        host = headers.get("host", "")
        if _without_port(host) not in self.hosts:
            return (
                400,
                f"This server does not answer for {host!r}: start it with --host, or open its own address.",
            )
        origin = headers.get("origin")
        if origin is not None and origin not in (f"http://{host}", f"https://{host}"):
            return 403, "Another page may not ask this server."
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > LARGEST:
            return 413, f"A request may have {LARGEST} bytes: send less text."
        now = self.clock()
        left, since = self.clients.pop(client, (float(BURST), now))
        left = min(float(BURST), left + PER_SECOND * (now - since))
        self.clients[client] = max(0.0, left - 1), now
        while len(self.clients) > 1000:
            self.clients.popitem(last=False)
        return (429, "Too many requests: wait a second.") if left < 1 else None


def _without_port(host: str) -> str:
    """A host as `Host` names it, in lower case, without its port and the brackets of an IPv6 address."""
    if host.startswith("["):
        return host[1:].partition("]")[0].lower()
    return host.partition(":")[0].lower()


async def _answer(send: Callable[[Any], Awaitable[None]], status: int, error: str) -> None:
    body = json.dumps({"error": error}).encode()
    headers = {"Content-Type": "application/json", "Content-Length": str(len(body)), **_HEADERS}
    lines = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})


def application(
    tokenizers: Mapping[str, TokenizerLike],
    corpus: str | ParallelCorpus = "phrasebook",
    hosts: Collection[str] = LOOPBACK,
) -> Guard:
    """The server as an ASGI application.

    Args:
        tokenizers: by name.
        corpus: what languages are measured on.
        hosts: names and addresses that it answers for.

    Raises:
        CorpusError: the corpus cannot be read.
        DiagnosticsError: there is no tokenizer, or one cannot be measured.
        MissingExtraError: starlette or jinja2 is not installed.
    """
    try:
        from starlette.applications import Starlette
        from starlette.responses import JSONResponse
        from starlette.routing import Route
    except ImportError as error:
        raise MissingExtraError(
            'serving needs starlette: install it with pip install "bpetok[serve]"'
        ) from error
    found = corpus if isinstance(corpus, ParallelCorpus) else load_corpus(corpus)
    views = _Views(tokenizers, found)

    async def failed(request: Request, error: Exception) -> Response:
        return JSONResponse({"error": str(error)}, 400)

    routes = [
        Route("/", views.page),
        Route("/page.css", views.style),
        Route("/page.js", views.script),
        Route("/api/about", views.about),
        Route("/api/report", views.report),
        Route("/api/entries", views.entries),
        Route("/api/encode", views.encode, methods=["POST"]),
        Route("/api/explain", views.explain, methods=["POST"]),
    ]
    app: Starlette = Starlette(routes=routes, exception_handlers={BpetokError: failed, _BadRequest: failed})
    return Guard(app, hosts)


class _BadRequest(Exception):
    """A request that does not say what it should."""


class _Views:
    """What each address answers. Work runs in threads, so that one long answer does not hold up the
    others."""

    def __init__(self, tokenizers: Mapping[str, TokenizerLike], corpus: ParallelCorpus) -> None:
        self.subjects = {name: Subject(tokenizer, name) for name, tokenizer in tokenizers.items()}
        self.corpus = corpus
        self.scripts: dict[str, npt.NDArray[np.int64]] = {}
        # Of what is found once and kept.
        self.measuring, self.lock = threading.Lock(), threading.Lock()

    # ---- the page --------------------------------------------------------------------------------------

    def page(self, request: Request) -> Response:
        from starlette.responses import HTMLResponse

        page = template("live.html.jinja").render(
            title="Tokens of " + ", ".join(self.subjects),
            policy="", style="", script="", data="",
            version=bpetok.__version__,
            corpus=self.corpus,
            reference=self.corpus.languages[self.corpus.number("eng")].name,
        )  # fmt: skip
        return HTMLResponse(page)

    def style(self, request: Request) -> Response:
        from starlette.responses import Response

        return Response(style(), media_type="text/css")

    def script(self, request: Request) -> Response:
        from starlette.responses import Response

        return Response(script(), media_type="text/javascript")

    # ---- data ------------------------------------------------------------------------------------------

    def about(self, request: Request) -> Response:
        return _json({
            "tokenizers": [{"name": name, "size": each.n_vocab} for name, each in self.subjects.items()],
            "samples": [{"name": name, "text": text} for name, text in samples_of(self.corpus)],
            "kinds": list(KINDS),
            "scripts": list(SCRIPTS),
            "largest": LARGEST // 2,  # JSON takes more room than the text
        })  # fmt: skip

    def report(self, request: Request) -> Response:
        with self.measuring:  # who asks meanwhile waits, and does not measure again
            return _json(self._measured)

    @functools.cached_property
    def _measured(self) -> dict[str, Any]:
        tokenizers = {name: each.tokenizer for name, each in self.subjects.items()}
        return diagnose(tokenizers, self.corpus).to_dict()

    async def encode(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        name, text = await _given(request, "tokenizer", "text")
        return _json(await run_in_threadpool(self._encode, self._subject(name), text))

    def _encode(self, subject: Subject, text: str) -> dict[str, Any]:
        ids = subject.encode([text]).ids.tolist()
        entries = [subject.entries[token] or b"" for token in ids]
        begins = _begins(subject.tokenizer, text, entries)
        tokens = [
            (token, data.hex(), begins and at in begins)
            for token, data, at in zip(ids, entries, _starts(entries), strict=True)
        ]
        return {"tokens": tokens, "special": sorted(subject.special & {*ids})}

    async def explain(self, request: Request) -> Response:
        from starlette.concurrency import run_in_threadpool

        name, piece = await _given(request, "tokenizer", "piece")
        if len(as_utf8(piece)) > LONGEST_WORD:
            raise _BadRequest(f"merges are shown of up to {LONGEST_WORD} bytes")
        return _json({"explained": await run_in_threadpool(self._explain, self._subject(name), piece)})

    def _explain(self, subject: Subject, piece: str) -> dict[str, Any] | None:
        explain = getattr(subject.tokenizer, "explain", None)
        try:
            found = [] if explain is None else explain(piece)
        except BpetokError:  # a tokenizer whose merges cannot be shown one by one
            found = []
        if len(found) != 1:
            return None
        (one,) = found

        def parts(datas: list[bytes]) -> list[tuple[int, str]]:
            return [(subject.id_of.get(data, -1), data.hex()) for data in datas]

        steps = [
            {
                "rank": step.rank, "id": step.token, "count": step.count, "parts": parts(step.parts),
                "left": parts([step.left])[0], "right": parts([step.right])[0],
            }
            for step in one.steps
        ]  # fmt: skip
        return {"piece": piece, "start": parts(one.start), "steps": steps, "whole": one.whole, "ids": one.ids}

    def entries(self, request: Request) -> Response:
        query = request.query_params
        subject = self._subject(query.get("tokenizer", ""))
        offset, limit = (_number(query.get(name, "0"), name) for name in ("offset", "limit"))
        kept = self._filtered(subject, query.get("find", ""), query.get("kind", ""), query.get("script", ""))
        if query.get("order") == "length":
            kept = kept[np.argsort(-subject.lengths[kept], kind="stable")]
        scripts = self._scripts(subject)
        rows = [
            {
                "id": token, "data": (subject.entries[token] or b"").hex(),
                "kind": KINDS[subject.kinds[token]],
                "script": SCRIPTS[scripts[token]] if scripts[token] >= 0 else None, "uses": None,
            }
            for token in kept[offset : offset + min(limit, ROWS)].tolist()
        ]  # fmt: skip
        return _json({"total": len(kept), "rows": rows})

    def _filtered(self, subject: Subject, find: str, kind: str, script: str) -> Any:
        keep = np.array([data is not None for data in subject.entries])
        if kind:
            keep &= subject.kinds == (KINDS.index(kind) if kind in KINDS else -1)
        if script:
            keep &= self._scripts(subject) == (SCRIPTS.index(script) if script in SCRIPTS else -2)
        if find:
            wanted = as_utf8(find)
            holds = np.array([data is not None and wanted in data for data in subject.entries])
            if find.isdecimal() and len(find) < 10 and int(find) < subject.n_vocab:
                holds[int(find)] = True
            keep &= holds
        return np.flatnonzero(keep)

    def _scripts(self, subject: Subject) -> npt.NDArray[np.int64]:
        with self.lock:
            if subject.name not in self.scripts:
                self.scripts[subject.name] = entry_scripts(subject)
            return self.scripts[subject.name]

    def _subject(self, name: str) -> Subject:
        if name not in self.subjects:
            raise _BadRequest(f"there is no tokenizer {name!r} here: it is one of {', '.join(self.subjects)}")
        return self.subjects[name]


def _json(value: Any) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse(value)


async def _given(request: Request, *names: str) -> list[str]:
    """Texts of a request by their names."""
    try:
        body = await request.json()
        texts = [body[name] for name in names]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise _BadRequest(f"send a JSON object with {' and '.join(names)}") from error
    if not all(isinstance(text, str) for text in texts):
        raise _BadRequest(f"{' and '.join(names)} must be texts")
    return texts


def _number(text: str, name: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise _BadRequest(f"{name} must be a number")
    return int(text)


def _starts(entries: list[bytes]) -> list[int]:
    """Where each of some tokens begins, in bytes."""
    starts, at = [], 0
    for data in entries:
        starts.append(at)
        at += len(data)
    return starts


def _begins(tokenizer: Any, text: str, entries: list[bytes]) -> set[int] | None:
    """Where pieces begin, in bytes; None where that is not known: a text that is normalized or cut in
    steps."""
    pattern = getattr(tokenizer, "pattern", None)
    if pattern is None or b"".join(entries) != as_utf8(text):
        return None
    if getattr(tokenizer, "splits", None) is not None:
        return None
    return {*_starts([piece.encode() for piece in split(text, pattern)])}
