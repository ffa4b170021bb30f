"""The tabular data sets as builders of tensorflow-datasets.

`tfds.load("mice_protein")` works once this module is imported. A builder takes the files in the
manual directory if they are there (`download_config.manual_dir`, by default downloads/manual in the
data directory), and downloads them otherwise. checksums.tsv has the SHA-256 of the files of which a
copy was at hand when it was written: the CSV of mice_protein and the two MATLAB files. The archives
of UCI and Columbia were not: they are taken as they come, and what they hold is counted.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from experiments.data import TABULAR
from experiments.data.images import download, read_columns
from experiments.data.tabular import DataSet, Raw, Source


class TabularBuilder(  # the base class itself is no data set
    tfds.core.GeneratorBasedBuilder,
    skip_registration=True,  # type: ignore[call-arg]
):
    """Builder of the entry of `TABULAR` that has its name; its configurations are the sources."""

    VERSION = tfds.core.Version("1.0.0")

    @property
    def data(self) -> DataSet:
        """The data set."""
        return TABULAR[self.name]

    @property
    def source(self) -> Source:
        """The source that the configuration names."""
        return {each.variant: each for each in self.data.sources}[self.builder_config.name]

    def _info(self) -> tfds.core.DatasetInfo:
        key = "image" if len(self.data.shape) > 1 else "features"
        return tfds.core.DatasetInfo(
            builder=self,
            description=self.data.description,
            features=tfds.features.FeaturesDict(
                {
                    key: tfds.features.Tensor(shape=self.data.shape, dtype=np.float32),
                    "label": tfds.features.ClassLabel(names=list(self.data.classes)),
                }
            ),
            supervised_keys=(key, "label"),
            homepage=self.data.homepage,
            citation=self.data.citation,
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
        source = self.source
        with contextlib.suppress(AssertionError):  # there is no such directory, or nothing in it
            manual = Path(dl_manager.manual_dir)
            if paths := source.find(manual, manual / self.name, manual / source.folder):
                return paths
        got = [Path(path) for path in dl_manager.download_and_extract(list(source.urls))]
        if len(got) == len(source.files):
            return got
        if paths := source.find(got[0], got[0] / source.folder):
            return paths
        raise FileNotFoundError(f"{source.urls[0]} holds no {source.files[0]}")


def _builder(data: DataSet) -> type[TabularBuilder]:
    """The class of a data set, whose name is that of tensorflow-datasets in capitals."""
    files = {source.variant: ", ".join(source.files[:4]) for source in data.sources}
    configs = [
        tfds.core.BuilderConfig(name=variant, description=f"from {names}")
        for variant, names in files.items()
    ]
    wanted = f"Needed only without a network: {' or '.join(files.values())}. See {data.homepage}."
    members: dict[str, Any] = {"__doc__": data.description, "__module__": __name__}
    members |= {"BUILDER_CONFIGS": configs, "MANUAL_DOWNLOAD_INSTRUCTIONS": wanted}
    return type(data.name.title().replace("_", ""), (TabularBuilder,), members)


BUILDERS = {name: _builder(data) for name, data in TABULAR.items()}


def read_prepared(name: str, folder: Path) -> Raw:
    """Return the data set that tensorflow-datasets has prepared in `folder`, or prepare it."""
    sources = TABULAR[name].sources
    builders = [BUILDERS[name](config=each.variant, data_dir=str(folder)) for each in sources]
    builder = next((each for each in builders if each.data_path.exists()), None)
    if builder is None:
        builder = builders[0]
        download(builder, name, str(folder), sources[0].urls[0])
    key = next(iter(builder.info.features))
    return Raw.joined(read_columns(builder, part, key) for part in builder.info.splits)
