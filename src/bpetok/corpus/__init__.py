"""Corpora: text, JSON lines and Parquet files, compressed or not, read as a stream of documents."""

from bpetok.corpus.document import Document
from bpetok.corpus.sources import Source, check, read

__all__ = ["Document", "Source", "check", "read"]
