"""Arrays in .npy and .npz files, read a few rows at a time.

Nothing that a file says is believed: what a header promises must fit what the file holds before
memory is taken for it, and objects (pickles) are never read. Rows are read, not mapped, so that
they do not count as memory of the process and a file cut short is an error instead of a crash.
"""

import contextlib
import io
import math
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_uae._files import file_size

_HEADER_BYTES = 2**16  # numpy itself refuses longer headers
_LARGEST_RANK = 32
_MOST_ARRAYS = 1000  # of a file; to look at one takes a millisecond
_MOST_EXPANSION = 1032  # deflate can do no better


class StoredArray:
    """An array in a file; `read` and `rows` fetch what is asked for and keep nothing.

    Attributes:
        shape: Its shape, first the rows.
        dtype: Its dtype, boolean or a real number.
    """

    def __init__(
        self,
        path: Path,
        shape: tuple[int, ...],
        dtype: np.dtype,
        layout: tuple[int, bool],
        member: str | None = None,
        begin: int | None = 0,
    ):
        self.path, self.shape, self.dtype = path, shape, dtype
        self._offset, self._fortran_order = layout
        self._member = member  # of an archive
        self._begin = begin  # of the member; None if it is compressed, and read from front to back
        self._stream: IO[bytes] | None = None

    def __len__(self) -> int:
        return self.shape[0]

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    def read(self, start: int = 0, stop: int | None = None) -> np.ndarray:
        """The rows from `start` to `stop`, clipped to those that there are."""
        start, stop, _ = slice(start, stop).indices(len(self))
        count = max(stop - start, 0)
        with self._reading() as (file, offset):
            return self._rows(file, start, count, offset)

    def whole(self, archive: zipfile.ZipFile) -> np.ndarray:
        """All rows, as the archive has them whose sum of them is right."""
        with archive.open(str(self._member)) as file:
            out = self._rows(file, 0, len(self), self._offset)
            if file.read(1):  # at the end of which the sum is looked at
                raise ValueError(f"{self._member} in it goes on after its array")
        return out

    def rows(self, index: Sequence[int] | np.ndarray) -> np.ndarray:
        """The rows of `index`, in its order, or those of a mask."""
        index = np.arange(len(self))[index]
        out = np.empty((len(index), *self.shape[1:]), self.dtype)
        with self._reading() as (file, offset):
            for place in np.argsort(index, kind="stable"):  # from front to back
                out[place] = self._rows(file, int(index[place]), 1, offset)[0]
        return out

    @contextlib.contextmanager
    def _reading(self) -> Iterator[tuple[IO[bytes], int]]:
        """The open file, and where the values begin in it."""
        with _ReadErrors(self.path):
            if self._begin is not None:
                with open(self.path, "rb", buffering=0) as file:
                    yield file, self._begin + self._offset
                return
            if self._stream is None:
                archive = zipfile.ZipFile(self.path)  # stays open with the array
                self._stream = archive.open(str(self._member))
            yield self._stream, self._offset

    def _rows(self, file: IO[bytes], start: int, count: int, offset: int) -> np.ndarray:
        features = math.prod(self.shape[1:])
        if not self._fortran_order:
            out = np.empty((count, *self.shape[1:]), self.dtype)
            self._fill(file, offset + start * features * self.dtype.itemsize, out)
            return out
        columns = np.empty((features, count), self.dtype)  # one feature of all rows after the other
        for number in range(features):
            place = number * len(self) + start
            self._fill(file, offset + place * self.dtype.itemsize, columns[number])
        return np.ascontiguousarray(columns.T.reshape((count, *self.shape[1:]), order="F"))

    def _fill(self, file: IO[bytes], place: int, out: np.ndarray) -> None:
        """The values from a place in the file on."""
        left: Any = out.reshape(-1).view(np.uint8).data if out.size else b""
        file.seek(place)
        while left:
            count = file.readinto(left)  # type: ignore[attr-defined]
            if not count:
                raise EOFError("it ends too early")
            left = left[count:]


def array_names(path: str | os.PathLike) -> list[str]:
    """The names of the arrays in a .npz file, none of which is looked at; "" of a .npy file.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged.
    """
    path = Path(path)
    file_size(path)
    with _ReadErrors(path):
        if _is_lone(path):
            return [""]
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    return [name.removesuffix(".npy") for name in names if name.endswith(".npy")]


def _is_lone(path: Path) -> bool:
    with open(path, "rb") as file:
        head = file.read(6)
    if not head:
        raise ValueError("it is empty")
    return head == np.lib.format.MAGIC_PREFIX


def open_arrays(
    path: str | os.PathLike, wanted: Callable[[str], bool] = lambda name: True
) -> dict[str, StoredArray]:
    """The arrays in a .npz file by name, or the one of a .npy file under the name "".

    Members of an archive that are no arrays are left out, and those that are not `wanted`.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or an array holds something else than real numbers.
    """
    path = Path(path)
    size = file_size(path)
    with _ReadErrors(path):
        if _is_lone(path):
            with open(path, "rb") as file:
                return {"": StoredArray(path, *_header(file, size))}
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist()]
            if len(set(names)) < len(names):
                raise ValueError("members have equal names")
            members = {
                name: info
                for info in archive.infolist()
                if info.filename.endswith(".npy")
                and wanted(name := info.filename.removesuffix(".npy"))
            }
            if len(members) > _MOST_ARRAYS:
                raise ValueError(f"it holds {len(members)} arrays, {_MOST_ARRAYS} are read at most")
            return {name: _member(path, size, archive, info) for name, info in members.items()}


def read_archive(
    path: str | os.PathLike, arrays: Mapping[str, StoredArray]
) -> dict[str, np.ndarray]:
    """The arrays that `open_arrays` gave of an archive, whose sums are looked at.

    Raises:
        ValueError: The file is damaged, or no archive.
    """
    with _ReadErrors(Path(path)), zipfile.ZipFile(path) as archive:
        return {name: array.whole(archive) for name, array in arrays.items()}


def _member(path: Path, size: int, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> StoredArray:
    if info.file_size > _MOST_EXPANSION * info.compress_size or info.compress_size > size:
        raise ValueError(f"{info.filename} cannot be as large as it says")
    with archive.open(info) as file:
        shape, dtype, (offset, fortran_order) = _header(file, info.file_size)
    if info.compress_type != zipfile.ZIP_STORED:
        return StoredArray(path, shape, dtype, (offset, fortran_order), info.filename, None)
    with open(path, "rb") as whole:
        whole.seek(info.header_offset)
        local = whole.read(30)
    # what lies between the local header and the data: the name and extra fields
    begin = (
        info.header_offset
        + 30
        + sum(int.from_bytes(local[at : at + 2], "little") for at in (26, 28))
    )
    if begin + info.file_size > size:
        raise ValueError(f"{info.filename} ends beyond the file")
    return StoredArray(path, shape, dtype, (offset, fortran_order), info.filename, begin)


def _header(file: IO[bytes], size: int) -> tuple[tuple[int, ...], np.dtype, tuple[int, bool]]:
    """Shape, dtype, and where and in which order the data are, of a .npy file of `size` bytes."""
    head = io.BytesIO(file.read(_HEADER_BYTES))
    read: Any = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(np.lib.format.read_magic(head))
    if read is None:
        raise ValueError("its version of the .npy format is not known")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of headers that Python 2 wrote
        shape, fortran_order, dtype = read(head)  # never a pickle, which comes after it
    if dtype.kind not in "biuf":
        raise ValueError(f"it holds {dtype}, not numbers, and is read with allow_pickle=False")
    if len(shape) > _LARGEST_RANK or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"its shape {shape} is none")
    if math.prod(shape) * dtype.itemsize != size - head.tell():
        raise ValueError(
            f"it says shape {shape} of {dtype}, but holds {size - head.tell()} bytes of data"
        )
    return shape, dtype, (head.tell(), fortran_order and len(shape) > 1)


class _ReadErrors:
    """Turns whatever the readers of a malformed file raise into one ValueError."""

    def __init__(self, path: Path):
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Exception) and not isinstance(error, FileNotFoundError):
            # zipfile, zlib and numpy between them raise a dozen types
            reason = str(error) or type(error).__name__
            raise ValueError(f"{str(self.path)!r} cannot be read: {reason}.") from error
