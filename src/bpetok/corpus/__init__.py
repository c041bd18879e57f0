"""Corpora: text, JSON lines and Parquet files, compressed or not, read as a stream of documents."""

from bpetok.corpus.document import Document
from bpetok.corpus.fields import records
from bpetok.corpus.jsonl import Lines
from bpetok.corpus.sources import Corpus, Named, Part, Source, check, read

__all__ = ["Corpus", "Document", "Lines", "Named", "Part", "Source", "check", "read", "records"]
