"""The pairs that may be merged, with their counts: a hash table with linear probing."""
