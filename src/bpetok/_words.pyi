"""The words that merges are learned from: the pieces of a counting table, laid out in one array."""
