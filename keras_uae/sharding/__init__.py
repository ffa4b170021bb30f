"""UAEs of large sets: shards on disk that can be interrupted, resumed, distributed and streamed."""

from keras_uae._errors import DiskFullError, ManifestError
from keras_uae.sharding.generate import generate_shards
from keras_uae.sharding.manifest import Manifest
from keras_uae.sharding.reader import Shards
from keras_uae.sharding.sources import ArraySource, DataReference

__all__ = [
    "ArraySource",
    "DataReference",
    "DiskFullError",
    "Manifest",
    "ManifestError",
    "Shards",
    "generate_shards",
]
