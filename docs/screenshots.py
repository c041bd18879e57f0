"""Takes the pictures of pages in `docs/images`: Chromium, Playwright and the extras `serve` and `report`.

Run it with the repository as the current folder: python docs/screenshots.py
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
TEXT = "How many r are in strawberry? नमस्ते, 東京 👩\u200d👩\u200d👧"
BPETOK = [sys.executable, "-m", "bpetok"]


def ready(page: Page) -> None:
    """Waits until all parts of a page are there."""
    page.wait_for_selector("html[data-ready]")
    page.wait_for_selector(".results[data-run]")
    page.wait_for_selector("[data-part=vocabulary] tbody tr")


def part(page: Page, name: str, to: str) -> None:
    """A picture of what begins at an element."""
    page.evaluate("name => window.scrollTo(0, document.getElementById(name).offsetTop - 12)", name)
    page.wait_for_timeout(300)
    page.screenshot(path=IMAGES / to)


def main() -> None:
    """Takes all pictures."""
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        path = Path(folder) / "report.html"
        subprocess.run(
            [*BPETOK, "diagnose", "cl100k_base", "o200k_base", "--html", str(path), "--top", "1"], check=True
        )
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1280, "height": 780})
        page.goto(path.as_uri())
        ready(page)
        page.screenshot(path=IMAGES / "report.png")
        part(page, "languages", "report-languages.png")
        part(page, "scripts", "report-scripts.png")
        part(page, "vocabulary", "report-vocabulary.png")
        server = subprocess.Popen(
            [*BPETOK, "serve", "cl100k_base", "o200k_base", "--port", "0"],
            stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
        try:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            for scheme in ("light", "dark"):
                page = browser.new_page(viewport={"width": 1280, "height": 780}, color_scheme=scheme)
                page.goto(f"{address}#one=cl100k_base&other=o200k_base&text={TEXT}")
                ready(page)
                page.get_by_role("listitem", name="berry").first.click()
                page.wait_for_selector(".merges")
                page.screenshot(path=IMAGES / f"explore-{scheme}.png")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait()
        browser.close()


if __name__ == "__main__":
    main()
