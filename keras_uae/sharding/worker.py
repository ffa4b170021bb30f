"""Makes shards, one at a time: the part that every engine runs."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_uae._files import file_size
from keras_uae.attacks.base import Attack
from keras_uae.results import UAEs
from keras_uae.sharding.fingerprints import LabelHash, SampleHash
from keras_uae.sharding.manifest import FILE_NAME, Manifest
from keras_uae.sharding.shards import write_shard
from keras_uae.sharding.sources import Source


@dataclass
class Worker:
    """One model and one view of the data, from which any shard of a run can be made.

    A shard is a function of the manifest and its number: it is always cut into the same batches,
    of which the last one is padded, so that not even rounding depends on who makes it, or when.
    """

    attack: Attack
    source: Source
    manifest: Manifest
    directory: Path
    labels: Source | None = None

    def make(self, number: int, on_samples: Callable[[int], None] = lambda count: None) -> None:
        """Attack the samples of a shard and write it.

        Args:
            number: Which shard.
            on_samples: Called with the number of samples that were attacked since the last call.

        Raises:
            ValueError: The samples are not those of the manifest.
            OSError: The shard cannot be written, or the manifest is gone.
        """
        rows = self.manifest.rows(number)
        x = self.source.read(rows.start, rows.stop)
        digest = SampleHash(self.manifest.sample_shape, self.manifest.dtype)
        digest.update(x)
        self._check("samples", digest, self.manifest.inputs, number)
        y = None
        if self.labels is not None:
            y = self.labels.read(rows.start, rows.stop)
            digest = LabelHash()
            digest.update(y)
            self._check("labels", digest, self.manifest.labels or (), number)
        parts: list[UAEs] = []
        for found in self.attack.batches(
            x,
            y,
            batch_size=self.manifest.batch_size,
            seed=self.manifest.seed,
            index=np.array(rows),
            exact=True,
        ):
            parts.append(found)
            on_samples(len(found))
        file_size(self.directory / FILE_NAME)  # without it nobody could make use of the shard
        attacked = x.astype(parts[0].x.dtype, copy=False)
        write_shard(self.directory, self.manifest, number, UAEs.concatenate(parts), attacked)

    def _check(self, what: str, digest: SampleHash, sums: tuple[str, ...], number: int) -> None:
        rows = self.manifest.rows(number)
        if sums[number : number + 1] != (digest.hexdigest(),):
            raise ValueError(
                f"The data have changed since the run began: {what} {rows.start} to "
                f"{rows.stop - 1} are not those of the manifest."
            )
