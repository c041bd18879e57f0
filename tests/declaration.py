"""The Universal Declaration of Human Rights: where it is, and a package like that which has it."""

import io
import json
import tarfile
from pathlib import Path

import pytest

_FOLDERS = [parent / "shared" / "data" for parent in Path(__file__).resolve().parents]
DECLARATION = next((path for folder in _FOLDERS if (path := folder / "udhr.jsonl.gz").exists()), None)

needs_declaration = pytest.mark.skipif(
    DECLARATION is None, reason="no shared/data/udhr.jsonl.gz beside the tree"
)

# In the package `udhr`.
INDEX = """export const udhr = [
  {bcp47: 'en', code: 'eng', direction: 'ltr', latitude: 53, longitude: -1, name: 'English', stage: 4},
  {bcp47: 'xx', code: 'it\\'s', latitude: 1.5, longitude: 2, name: 'Odd'}
]
"""
PAGE = """<!doctype html>
<html data-code="eng" data-iso6393="eng" dir="ltr" lang="en">
  <head><title>English</title></head>
  <body>
    <h1>Universal   Declaration</h1>
    <header><h2>Preamble</h2><p>Whereas &amp; so on,</p></header>
    <article data-number="1"><h2>Article 1</h2><p>All human
      beings</p><ol><li><p>One.</p></li><li>Two.</li></ol></article>
    <article data-number="2"><h1>2.</h1><p>Everyone</p></article>
  </body>
</html>
"""


def tarball(files) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, text in files.items():
            member = tarfile.TarInfo(f"package/{name}")
            member.size = len(text.encode())
            archive.addfile(member, io.BytesIO(text.encode()))
    return out.getvalue()


PACKAGE = {
    "package.json": json.dumps({"name": "udhr", "version": "6.0.0", "license": "MIT"}),
    "index.js": INDEX,
    "declaration/eng.html": PAGE,
}
