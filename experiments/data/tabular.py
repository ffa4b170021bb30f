"""What the files of a data set hold, before anything is filled in, scaled or split."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.io import loadmat

from experiments.data.compress import MAGIC, decompress


class Raw(NamedTuple):
    """All samples of a data set, as they are in its files."""

    x: np.ndarray
    """`(n, features)` or images `(n, height, width, 1)`, float32; NaN where a value is missing."""
    y: np.ndarray
    """Labels `(n,)`, int64, from 0 on."""
    train: int
    """Samples of the official training part, which come first; 0 if there is no official split."""


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
        """Read the files and count what is in them; an `OSError` names one that is damaged."""
        raw = self.read(paths)
        rows = (raw.train, len(raw.x) - raw.train) if raw.train else (len(raw.x), 0)
        for count, expected, path in zip(rows, self.rows, (paths[0], paths[-1]), strict=True):
            if count != expected:
                raise damaged(path, f"{count} samples where there should be {expected}")
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
    """The error of a file that is not what it should be; all that read one raise it."""
    return OSError(f"{path} is damaged: {why}; get the file again")


def read_table(path: Path, columns: int) -> np.ndarray:
    """The numbers `(rows, columns)` of a text, or of a `.Z` of one, between commas or blanks."""
    try:
        content = path.read_bytes()
        text = (decompress(content) if content.startswith(MAGIC) else content).decode()
        lines = [line for line in text.splitlines() if line.strip()]
        comma = "," if lines and "," in lines[0] else None
        table = np.loadtxt(lines, delimiter=comma, comments=None, ndmin=2) if lines else None
    except ValueError as error:  # UnicodeDecodeError is one too
        raise damaged(path, error) from None
    if table is None or table.shape[1] != columns:
        count = 0 if table is None else table.shape[1]
        raise damaged(path, f"rows of {count} numbers where there should be {columns}")
    if not np.isfinite(table).all():
        row = int(np.argmin(np.isfinite(table).all(axis=1)))
        raise damaged(path, f"row {row + 1} holds NaN or infinity")
    return table


def read_matlab(path: Path, columns: int) -> tuple[np.ndarray, np.ndarray]:
    """`X`, `(rows, columns)`, and `Y`, `(rows,)`, of a MATLAB file."""
    try:
        content = loadmat(path)
        x, y = content["X"], np.ravel(content["Y"])
    except KeyError as error:
        raise damaged(path, f"it has no array {error}") from None
    except Exception as error:  # what scipy raises depends on where the file was cut
        raise damaged(path, error) from None
    if x.ndim != 2 or x.shape != (len(y), columns):
        raise damaged(
            path,
            f"X of shape {x.shape} and {len(y)} labels where there should be {columns} "
            f"columns and a label for each row",
        )
    if x.dtype.kind not in "iuf" or not np.isfinite(x).all():
        raise damaged(path, "X holds what is no finite number")
    return x, y


def class_indices(path: Path, labels: np.ndarray, classes: int) -> np.ndarray:
    """Labels that are integers from 1 to `classes` as int64 from 0 on."""
    numbers = labels.astype(np.float64)
    wrong = ~np.isin(numbers, np.arange(1, classes + 1))
    if wrong.any():
        row = int(np.argmax(wrong))
        raise damaged(path, f"the label of row {row + 1} is {labels[row]}, not 1 to {classes}")
    return numbers.astype(np.int64) - 1
