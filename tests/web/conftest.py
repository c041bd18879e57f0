"""A browser for the tests of pages: Debian's Chromium, driven by Playwright.

Every page is watched: an error on its console, or a request to anywhere but where it came from, fails the
    test.
"""

import os
import shutil

import pytest

ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


@pytest.fixture(scope="session")
def chromium(tmp_path_factory):
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if path is None:
        pytest.skip("Chromium is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def page(chromium):
    context = chromium.new_context(viewport={"width": 1280, "height": 1000})
    page = context.new_page()
    page.set_default_timeout(60_000)
    said, asked = [], []
    page.on(
        "console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    yield page
    origin = page.url.partition("#")[0].partition("?")[0]
    context.close()
    assert said == []
    assert [url for url in asked if not url.startswith((origin, "data:", "blob:"))] == []


class Viewer:
    """The token viewer of a page."""

    def __init__(self, page) -> None:
        self.page = page
        page.wait_for_selector("html[data-ready]")
        page.wait_for_selector(".results[data-run]")

    def show(self, text: str) -> None:
        before = int(self.page.locator(".results").get_attribute("data-run"))
        self.page.locator("textarea").fill(text)
        self.page.wait_for_function(
            "before => Number(document.querySelector('.results').dataset.run) > before", arg=before
        )

    def ids(self) -> list[list[int]]:
        """The ids that are shown, of each tokenizer."""
        return self.page.evaluate(
            "[...document.querySelectorAll('.result')].map(each =>"
            "[...each.querySelectorAll('.token')].map(token => Number(token.dataset.id)))"
        )


@pytest.fixture
def viewer(page):
    def open_page(url: str) -> Viewer:
        page.goto(url)
        return Viewer(page)

    return open_page
