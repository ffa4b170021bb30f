"""Arrays in .npy and .npz files, read a few rows at a time.

Nothing that a file says is believed: what a header promises must fit what the file holds before
memory is taken for it, and objects (pickles) are never read. Rows are read, not mapped, so that
they do not count as memory of the process and a file cut short is an error instead of a crash.
"""

import io
import math
import os
import warnings
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from keras_uae._files import file_size

_HEADER_BYTES = 2**16  # numpy itself refuses longer headers
_LARGEST_RANK = 32
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
    ):
        self.path, self.shape, self.dtype = path, shape, dtype
        self._offset, self._fortran_order = layout
        self._member = member  # of a compressed archive, which is read from front to back
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
        out = np.empty((max(stop - start, 0), *self.shape[1:]), self.dtype)
        if out.size:
            with _ReadErrors(self.path):
                self._fill(self._open(), out, start)
        return out

    def rows(self, index: Sequence[int] | np.ndarray) -> np.ndarray:
        """The rows of `index`, in its order."""
        index = np.asarray(index, np.int64)
        if index.size and not 0 <= index.min() <= index.max() < len(self):
            raise IndexError(f"rows of {str(self.path)!r} must be in [0, {len(self) - 1}].")
        out = np.empty((len(index), *self.shape[1:]), self.dtype)
        if out.size:
            with _ReadErrors(self.path):
                file = self._open()
                for place in np.argsort(index, kind="stable"):  # from front to back
                    self._fill(file, out[place : place + 1], int(index[place]), close=False)
                self._close(file)
        return out

    def _open(self) -> IO[bytes]:
        if self._fortran_order:
            raise ValueError("it is in Fortran order: save np.ascontiguousarray(x) instead")
        if self._member is None:
            return open(self.path, "rb", buffering=0)
        if self._stream is None:
            archive = zipfile.ZipFile(self.path)  # stays open with the array
            self._stream = archive.open(self._member)
        return self._stream

    def _close(self, file: IO[bytes]) -> None:
        if self._member is None:
            file.close()

    def _fill(self, file: IO[bytes], out: np.ndarray, start: int, close: bool = True) -> None:
        try:
            row_bytes = math.prod(self.shape[1:]) * self.dtype.itemsize
            file.seek(self._offset + start * row_bytes)
            left = out.reshape(-1).view(np.uint8).data
            while left:
                count = file.readinto(left)  # type: ignore[attr-defined]
                if not count:
                    raise EOFError("it ends too early")
                left = left[count:]
        except BaseException:
            self._close(file)
            raise
        if close:
            self._close(file)


def open_arrays(path: str | os.PathLike) -> dict[str, StoredArray]:
    """The arrays in a .npz file by name, or the one of a .npy file under the name "".

    Members of an archive that are no arrays are left out.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: The file is damaged, or an array holds something else than real numbers.
    """
    path = Path(path)
    size = file_size(path)
    with _ReadErrors(path):
        with open(path, "rb") as file:
            lone = file.read(6) == np.lib.format.MAGIC_PREFIX
            file.seek(0)
            if lone:
                return {"": StoredArray(path, *_header(file, size))}
        with zipfile.ZipFile(path) as archive:
            names = [info.filename for info in archive.infolist()]
            if len(set(names)) < len(names):
                raise ValueError("members have equal names")
            arrays = {
                info.filename.removesuffix(".npy"): _member(path, size, archive, info)
                for info in archive.infolist()
                if info.filename.endswith(".npy")
            }
    return arrays


def _member(path: Path, size: int, archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> StoredArray:
    if info.file_size > _MOST_EXPANSION * info.compress_size or info.compress_size > size:
        raise ValueError(f"{info.filename} cannot be as large as it says")
    with archive.open(info) as file:
        shape, dtype, (offset, fortran_order) = _header(file, info.file_size)
    if info.compress_type != zipfile.ZIP_STORED:
        return StoredArray(path, shape, dtype, (offset, fortran_order), info.filename)
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
    return StoredArray(path, shape, dtype, (begin + offset, fortran_order))


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
