"""`bpetok serve` as its user sees it: started, used in a browser, and ended with Ctrl-C."""

import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from bpetok import get_encoding

pytest.importorskip("uvicorn", reason="uvicorn is not installed")
pytest.importorskip("starlette", reason="starlette is not installed")
pytest.importorskip("jinja2", reason="jinja2 is not installed")


@pytest.fixture(scope="module")
def server():
    """The address of a running server; it must end when it is interrupted."""
    command = [sys.executable, "-m", "bpetok", "serve", "cl100k_base", "gpt2", "--port", "0"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )
    try:
        address = process.stdout.readline().strip()
        assert address.startswith("http://127.0.0.1:"), process.stderr.read()
        yield address
        process.send_signal(signal.SIGINT)
        out, error = process.communicate(timeout=30)
        assert (out, error, process.returncode) == ("", "", 0)
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()


def test_the_page_works(server, page, viewer):
    shown = viewer(server)
    for text in ("Hello world 12345", "日本語 👍", "नमस्ते", "<|endoftext|> is text", ""):
        shown.show(text)
        assert shown.ids() == [get_encoding(name).encode_ordinary(text) for name in ("cl100k_base", "gpt2")]
    shown.show("strawberry")
    page.locator(".result .token").first.click()
    page.wait_for_selector(".merges")
    assert "Merge" in page.locator(".said").inner_text()
    assert page.locator("[data-part=languages] tbody tr").count() == 64
    part = page.locator("[data-part=vocabulary]")
    part.get_by_role("searchbox").fill("9906")
    page.wait_for_function(
        "() => document.querySelector('[data-part=vocabulary] tbody').innerText.includes('Hello')"
    )


@pytest.mark.parametrize(
    ("headers", "status"),
    [({"Host": "example.org"}, 400), ({"Origin": "http://example.org"}, 403), ({"Origin": "null"}, 403)],
)
def test_other_names_and_pages_are_refused(server, headers, status):
    request = urllib.request.Request(server + "api/about", headers=headers)
    with pytest.raises(urllib.error.HTTPError) as refused:
        urllib.request.urlopen(request, timeout=30)
    with refused.value as answer:
        assert answer.status == status
        assert b"error" in answer.read()
