"""Training data: a corpus as token ids in shards, in the formats that trainers read."""

from bpetok.shards.dataset import TokenDataset
from bpetok.shards.formats import FORMATS
from bpetok.shards.manifest import Manifest, Shard, ShardFile
from bpetok.shards.settings import Settings
from bpetok.shards.writer import write

__all__ = ["FORMATS", "Manifest", "Settings", "Shard", "ShardFile", "TokenDataset", "write"]
