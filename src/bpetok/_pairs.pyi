"""The table of merges, built: every pair gets a slot where it is found with one look."""

class PairBuilder:
    """Adds pairs to a table, and finishes it. Not for two threads."""
