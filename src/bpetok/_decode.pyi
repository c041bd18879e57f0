"""Ids to bytes and text: the bytes of tokens, joined."""
