"""Where the Universal Declaration of Human Rights is, for tests that are skipped without it."""

from pathlib import Path

import pytest

_FOLDERS = [parent / "shared" / "data" for parent in Path(__file__).resolve().parents]
DECLARATION = next((path for folder in _FOLDERS if (path := folder / "udhr.jsonl.gz").exists()), None)

needs_declaration = pytest.mark.skipif(
    DECLARATION is None, reason="no shared/data/udhr.jsonl.gz beside the tree"
)
