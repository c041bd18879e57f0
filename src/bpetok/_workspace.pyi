"""Workspaces: everything that a running call writes to, with the cache of the words it has met."""

def cache_in_use() -> int:
    """Bytes that the word caches of all tokenizers in this process hold at the moment."""
