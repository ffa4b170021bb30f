"""Find a tabular data set: as files somebody has downloaded, or as tensorflow-datasets wrote it."""

from pathlib import Path

from experiments.tabular.activity import ACTIVITY
from experiments.tabular.coil20 import COIL20
from experiments.tabular.isolet import ISOLET
from experiments.tabular.mice_protein import MICE_PROTEIN
from experiments.tabular.preparation import Arrays, prepare
from experiments.tabular.raw import DataSet, Raw

TABULAR = {data.name: data for data in (ISOLET, COIL20, MICE_PROTEIN, ACTIVITY)}


def load_tabular(name: str, folder: Path, *, protocol: str, seed: int) -> Arrays:
    """Return x_train, y_train, x_test and y_test of a data set in `TABULAR`.

    Files are looked for in `folder`, in its subfolder `name`, in the one that the official archive
    unpacks to, and where tensorflow-datasets expects files downloaded by hand; then for what
    tensorflow-datasets has prepared in `folder`. If there is neither, it is downloaded.

    Raises:
        FileNotFoundError: It is not there and cannot be downloaded.
        OSError: A file is damaged.
    """
    data = TABULAR[name]
    raw = read_files(data, folder)
    if raw is None:
        # Imported here: tensorflow-datasets is an extra, and takes seconds.
        from experiments.tabular.builders import read_prepared

        raw = read_prepared(data, folder)
    return prepare(raw, protocol=protocol, seed=seed)


def read_files(data: DataSet, folder: Path) -> Raw | None:
    """Return what the files in `folder` hold, or `None` if none of them are there.

    Where there is more than one source, the first one in the order of `data.sources` counts.
    """
    for source in data.sources:
        paths = source.find(*candidates(folder, data.name, source.folder))
        if paths:
            return source.load(paths)
    return None


def candidates(folder: Path, name: str, archive: str) -> list[Path]:
    """Folders in which to look for the files of a data set."""
    parents = [folder, folder / name, folder / "downloads" / "manual"]
    return parents + [parent / archive for parent in parents if archive]
