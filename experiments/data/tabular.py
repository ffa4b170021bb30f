"""What the files of a data set hold, before anything is filled in, scaled or split."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

import numpy as np


class Raw(NamedTuple):
    """All samples of a data set, as they are in its files."""

    x: np.ndarray
    """`(n, features)` or images `(n, height, width, 1)`, float32; NaN where a value is missing."""
    y: np.ndarray
    """Labels `(n,)`, int64, from 0 on."""
    train: int
    """Samples of the official training part, which come first; 0 if there is no official split."""

    @classmethod
    def joined(cls, parts: Iterable[tuple[np.ndarray, np.ndarray]]) -> Self:
        """Samples and labels of the official parts, training first, or of the only part."""
        xs, ys = zip(*parts, strict=True)
        x, y = np.concatenate(xs), np.concatenate(ys)
        return cls(x.astype(np.float32), y.astype(np.int64), len(xs[0]) if len(xs) > 1 else 0)


@dataclass(frozen=True)
class Source:
    """One of the forms in which a data set is passed around."""

    variant: str
    files: tuple[str, ...]
    read: Callable[[Sequence[Path]], Raw]
    """Makes one array of the files, given in the order of `files`."""
    rows: tuple[int, int]
    """Training and test samples, or all samples and 0."""
    urls: tuple[str, ...]
    """Either one archive that holds all files, or one address for each file."""
    folder: str = ""
    """What the folder is called that the archive unpacks to."""

    def find(self, *folders: Path) -> list[Path] | None:
        """The files in the first of the folders that has any of them, plain or as `.Z`.

        Raises:
            FileNotFoundError: The folder has some of the files, but not all.
        """
        for parent in folders:
            paths = [_plain_or_packed(parent / file) for file in self.files]
            there = [path.is_file() for path in paths]
            if any(there) and not all(there):
                missing, found = paths[there.index(False)], paths[there.index(True)]
                raise FileNotFoundError(f"{missing} is missing, though {found.name} is there")
            if all(there):
                return paths
        return None

    def load(self, paths: Sequence[Path]) -> Raw:
        """Read the files and count what is in them.

        Raises:
            OSError: One of them is damaged.
            ValueError: One of them has another form, or other samples.
        """
        raw = self.read(paths)
        rows = (raw.train, len(raw.x) - raw.train) if raw.train else (len(raw.x), 0)
        for count, expected, path in zip(rows, self.rows, (paths[0], paths[-1]), strict=True):
            if count != expected:
                received = f"{count}; {self.urls[0]} has them all"
                raise unfit(path, f"hold {expected} samples", received)
        return raw


@dataclass(frozen=True)
class DataSet:
    """A data set and its sources, the official one first."""

    name: str
    description: str
    homepage: str
    citation: str
    classes: tuple[str, ...]
    shape: tuple[int, ...]
    sources: tuple[Source, ...]

    def read(self, folder: Path) -> Raw | None:
        """What the files of the first source that is in `folder` hold; `None` if none is.

        They may be in the folder itself, in its subfolder `name`, where tensorflow-datasets expects
        files downloaded by hand, and in what the archive unpacks to in any of these.
        """
        parents = (folder, folder / self.name, folder / "downloads" / "manual")
        for source in self.sources:
            paths = source.find(*parents, *(parent / source.folder for parent in parents))
            if paths:
                return source.load(paths)
        return None


def _plain_or_packed(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.Z")
    return packed if packed.is_file() and not path.is_file() else path


def damaged(path: Path, why: object) -> OSError:
    """The error of a file that cannot be what was published: cut short, or spoiled."""
    return OSError(f"{path} is damaged: {why}; get the file again")


def unfit(path: Path, must: str, received: object, line: int | None = None) -> ValueError:
    """The error of a file that may be whole, but is not as it must be."""
    place = "" if line is None else f" in line {line}"
    return ValueError(f"{path} must {must}. Received: {received}{place}.")


def class_indices(
    path: Path, labels: np.ndarray, classes: int, lines: Sequence[int] | None = None
) -> np.ndarray:
    """Labels that are integers from 1 to `classes` as int64 from 0 on."""
    values = labels.astype(np.float64)
    wrong = ~np.isin(values, np.arange(1, classes + 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        place = f"{labels[row]} in row {row + 1}" if lines is None else labels[row]
        line = None if lines is None else lines[row]
        raise unfit(path, f"have labels from 1 to {classes}", place, line)
    return values.astype(np.int64) - 1
