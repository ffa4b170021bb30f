"""Tiny-ImageNet-200 as a builder of tensorflow-datasets, which has none.

`tfds.load("tiny_imagenet200")` works once this module is imported. The archive, or the folder that
it unpacks to, is taken from the manual directory if it is there (by default downloads/manual in the
data directory), and downloaded otherwise. The images of its own test part have no labels: as
everywhere, the validation part serves for the test.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import tensorflow_datasets as tfds

ADDRESS = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
FOLDER = "tiny-imagenet-200"
CLASSES = 200


class TinyImagenet200(tfds.core.GeneratorBasedBuilder):
    """Tiny-ImageNet: 200 classes of ImageNet, 500 training and 50 test images each, 64×64×3."""

    VERSION = tfds.core.Version("1.0.0")
    MANUAL_DOWNLOAD_INSTRUCTIONS = f"Needed only without a network: {FOLDER}.zip from {ADDRESS}."

    def _info(self) -> tfds.core.DatasetInfo:
        return tfds.core.DatasetInfo(
            builder=self,
            description="200 classes of ImageNet at 64×64 pixels.",
            features=tfds.features.FeaturesDict(
                {
                    "image": tfds.features.Image(shape=(64, 64, 3)),
                    "label": tfds.features.ClassLabel(num_classes=CLASSES),
                }
            ),
            supervised_keys=("image", "label"),
            homepage="http://cs231n.stanford.edu/",
            citation="Le, Y. and Yang, X. (2015). Tiny ImageNet visual recognition challenge. "
            "CS 231N.",
        )

    def address(self, data_dir: str) -> str | None:
        """Where the archive comes from; `None` if it need not come from anywhere."""
        return None if _by_hand(Path(data_dir, "downloads", "manual")) else ADDRESS

    def _split_generators(self, dl_manager: tfds.download.DownloadManager) -> dict[str, Any]:
        folder = self._fetch(dl_manager)
        classes = (folder / "wnids.txt").read_text(encoding="utf-8").split()
        train = [
            (path, name)
            for name in classes
            for path in sorted((folder / "train" / name / "images").glob("*.JPEG"))
        ]
        # a line holds the file, its class, and the corners of a box
        lines = (folder / "val" / "val_annotations.txt").read_text(encoding="utf-8").splitlines()
        rows = [line.split("\t") for line in lines]
        test = [(folder / "val" / "images" / row[0], row[1]) for row in rows]
        return {
            "train": self._generate_examples(train, classes),
            "test": self._generate_examples(test, classes),
        }

    def _generate_examples(
        self, images: Sequence[tuple[Path, str]], classes: list[str]
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for path, name in images:
            if name not in classes:
                raise OSError(f"{path} is of the class {name}, which wnids.txt does not list")
            yield path.name, {"image": str(path), "label": classes.index(name)}

    def _fetch(self, dl_manager: tfds.download.DownloadManager) -> Path:
        found = None
        with contextlib.suppress(AssertionError):  # there is no such directory, or nothing in it
            found = _by_hand(Path(dl_manager.manual_dir))
        if found is None:
            found = Path(dl_manager.download_and_extract(ADDRESS))
        elif found.is_file():
            found = Path(dl_manager.extract(found))
        folder = found if found.name == FOLDER else found / FOLDER
        if not (folder / "wnids.txt").is_file():
            raise FileNotFoundError(f"{folder} holds no wnids.txt, the list of the classes")
        return folder


def _by_hand(manual: Path) -> Path | None:
    """The folder or the archive, if somebody has put one there."""
    places = (manual / FOLDER, manual / f"{FOLDER}.zip")
    return next((place for place in places if place.exists()), None)
