"""The special tokens of a tokenizer, and where they stand in a text."""
