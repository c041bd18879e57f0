"""The engine: pieces to ids, exactly, from the words remembered or by merging; all of it without the GIL."""
