"""The tabular data sets as builders of tensorflow-datasets.

`tfds.load("mice_protein")` works once this module is imported. A builder takes the files in the
manual directory if they are there (`download_config.manual_dir`, by default downloads/manual in the
data directory), and downloads them otherwise. checksums.tsv has the SHA-256 of the files of which a
copy was at hand when it was written: the CSV of mice_protein and the two MATLAB files. The archives
of UCI and Columbia were not: they are taken as they come, and what they hold is counted.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import tensorflow_datasets as tfds

from experiments.tabular.activity import ACTIVITY
from experiments.tabular.coil20 import COIL20
from experiments.tabular.isolet import ISOLET
from experiments.tabular.mice_protein import MICE_PROTEIN
from experiments.tabular.raw import DataSet, Raw, Source
from experiments.tfds_images import download, read_columns


class TabularBuilder(  # the base class itself is no data set
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """Builder of one `DataSet`; its configurations are the sources."""

    DATA: ClassVar[DataSet]
    VERSION = tfds.core.Version("1.0.0")

    @property
    def source(self) -> Source:
        """The source that the configuration names."""
        sources = {source.variant: source for source in self.DATA.sources}
        return sources[self.builder_config.name]

    def _info(self) -> tfds.core.DatasetInfo:
        key = "image" if len(self.DATA.shape) > 1 else "features"
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.DATA.description,
            features=tfds.features.FeaturesDict(
                {
                    key: tfds.features.Tensor(shape=self.DATA.shape, dtype=np.float32),
                    "label": tfds.features.ClassLabel(names=list(self.DATA.classes)),
                }
            ),
            supervised_keys=(key, "label"),
            homepage=self.DATA.homepage,
            citation=self.DATA.citation,
            disable_shuffling=True,  # the order of the file: seeds mean the same on every way here
        )

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        raw = self.source.load(self._fetch(dl_manager))
        count = raw.train or len(raw.x)
        parts = {"train": slice(count), "test": slice(count, None)}
        return {
            part: self._generate_examples(raw.x[rows], raw.y[rows])
            for part, rows in parts.items()
            if len(raw.x[rows])
        }

    def _generate_examples(
        self, x: np.ndarray, y: np.ndarray
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        key = next(iter(self.info.features))
        for index, (values, label) in enumerate(zip(x, y, strict=True)):
            yield index, {key: values, "label": int(label)}

    def _fetch(self, dl_manager: tfds.download.DownloadManager) -> list[Path]:
        try:
            manual = Path(dl_manager.manual_dir)
            paths = self.source.find(manual, manual / self.DATA.name, manual / self.source.folder)
        except AssertionError:  # there is no such directory, or nothing in it
            paths = None
        if paths:
            return paths
        got = dl_manager.download_and_extract(list(self.source.urls))
        if len(got) == len(self.source.files):
            return [Path(path) for path in got]
        unpacked = Path(got[0])
        paths = self.source.find(unpacked, unpacked / self.source.folder)
        if not paths:
            raise FileNotFoundError(f"{self.source.urls[0]} holds no {self.source.files[0]}")
        return paths


def _configs(data: DataSet) -> list[tfds.core.BuilderConfig]:
    return [
        tfds.core.BuilderConfig(
            name=source.variant, description=f"from {', '.join(source.files[:4])}"
        )
        for source in data.sources
    ]


def _instructions(data: DataSet) -> str:
    names = [", ".join(source.files[:4]) for source in data.sources]
    return f"Needed only without a network: {' or '.join(names)}. See {data.homepage}."


class Isolet(TabularBuilder):
    """ISOLET; `isolet/uci` is the full set, `isolet/fifth` has 1560 samples and no test part."""

    DATA = ISOLET
    BUILDER_CONFIGS = _configs(ISOLET)
    MANUAL_DOWNLOAD_INSTRUCTIONS = _instructions(ISOLET)


class Coil20(TabularBuilder):
    """COIL-20 at 20×20 pixels; `coil20/proc` from 128×128 and `coil20/matlab` from 32×32."""

    DATA = COIL20
    BUILDER_CONFIGS = _configs(COIL20)
    MANUAL_DOWNLOAD_INSTRUCTIONS = _instructions(COIL20)


class MiceProtein(TabularBuilder):
    """Mice protein expression; missing values are NaN."""

    DATA = MICE_PROTEIN
    BUILDER_CONFIGS = _configs(MICE_PROTEIN)
    MANUAL_DOWNLOAD_INSTRUCTIONS = _instructions(MICE_PROTEIN)


class Activity(TabularBuilder):
    """Human activity recognition with a smartphone at the waist (UCI 364)."""

    DATA = ACTIVITY
    BUILDER_CONFIGS = _configs(ACTIVITY)
    MANUAL_DOWNLOAD_INSTRUCTIONS = _instructions(ACTIVITY)


BUILDERS = {builder.DATA.name: builder for builder in (Isolet, Coil20, MiceProtein, Activity)}


def read_prepared(data: DataSet, folder: Path) -> Raw:
    """Return the data set that tensorflow-datasets has prepared in `folder`, or prepare it.

    Raises:
        FileNotFoundError: It is not prepared and cannot be downloaded.
        OSError: The files are damaged.
    """
    builders = [
        BUILDERS[data.name](config=source.variant, data_dir=str(folder)) for source in data.sources
    ]
    ready = [builder for builder in builders if builder.data_path.exists()]
    if not ready:
        download(builders[0], data.name, str(folder), data.sources[0].urls[0])
        ready = builders[:1]
    return _read(ready[0])


def _read(builder: TabularBuilder) -> Raw:
    key = next(iter(builder.info.features))
    parts = [read_columns(builder, part, key) for part in builder.info.splits]
    xs, ys = zip(*parts, strict=True)
    train = len(xs[0]) if len(xs) > 1 else 0
    return Raw(np.concatenate(xs), np.concatenate(ys).astype(np.int64), train)
