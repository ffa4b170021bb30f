"""Files on disk: written all or nothing, and refused if they are no plain files."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None  # type: ignore[assignment]

LARGEST_JSON = 2**28  # a manifest of four million shards
TEMPORARY = ".part"  # how the name of a file that is being written ends
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_NO_LINKS = {errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK}
_DAY = 86400  # seconds; after it a file is left over where nobody can tell who writes it


@contextlib.contextmanager
def atomic_write(path: Path, *, overwrite: bool = True) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends without an error.

    Whoever reads `path` sees the old file or the new one, also after a loss of power. A link stays
    one, to the new file, which may be read by whoever could read the old one. The temporary file
    has a name of its own, so that several writers do not meet in it, and is locked while it is
    written, so that `remove_stale` leaves it alone.

    Raises:
        FileExistsError: There is such a file, and `overwrite` is false. Of several writers at once
            one succeeds.
        OSError: There is a directory, a pipe or a device.
    """
    path = Path(os.path.realpath(path)) if path.is_symlink() else path
    mode = _mode_of(path)
    temporary, file = _open_temporary(path)
    try:
        with file, _named(path):
            if mode is not None and os.name == "posix":
                os.fchmod(file.fileno(), mode)
            yield file
            file.flush()
            os.fsync(file.fileno())
            if fcntl is None:  # where no open file can be renamed
                file.close()
            (os.replace if overwrite else _move)(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


def _mode_of(path: Path) -> int | None:
    """The permissions of the file that is to be replaced, if there is one."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    if not stat.S_ISREG(mode):
        raise OSError(errno.EINVAL, "A pipe or a device cannot be replaced by a file", str(path))
    return stat.S_IMODE(mode)


@contextlib.contextmanager
def _named(path: Path) -> Iterator[None]:
    """Say which file it is that a full disk has no space for: a write does not."""
    try:
        yield
    except OSError as error:
        if type(error) is OSError and is_no_space(error) and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from error
        raise


def remove_stale(temporary: Path) -> None:
    """Remove a temporary file that a killed writer left behind, not one that is being written."""
    try:
        with open(temporary, "r+b") as file:
            locked = _lock(file, wait=False)
            age = time.time() - os.fstat(file.fileno()).st_mtime
            if locked or (locked is None and age > _DAY):
                temporary.unlink(missing_ok=True)
    except OSError:  # it is gone, or another user's
        pass


@contextlib.contextmanager
def locked_directory(path: Path, *, wait: bool = True) -> Iterator[bool | None]:
    """Waits for whoever is in such a block for the same directory, or tells whether nobody is.

    Where the system cannot, it does not wait, and tells `None`.
    """
    handle = os.open(path, os.O_RDONLY) if os.name == "posix" else None
    try:
        yield None if handle is None else _lock(handle, wait=wait)
    finally:
        if handle is not None:
            os.close(handle)


def _open_temporary(path: Path) -> tuple[Path, BinaryIO]:
    """A new file beside `path` with a lock on it."""
    while True:
        temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
        try:
            file = open(temporary, "xb")  # noqa: SIM115 (it stays open, with its lock)
        except OSError as error:  # the name that the caller knows
            raise OSError(error.errno, error.strerror, str(path)) from None
        try:
            _lock(file)
            ours, there = os.fstat(file.fileno()), os.stat(temporary)
            if os.path.samestat(ours, there):
                return temporary, file
        except FileNotFoundError:
            pass
        file.close()  # somebody has taken it for a leftover before it was locked
        if not path.parent.is_dir():
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path.parent))


def _lock(file: Any, wait: bool = True) -> bool | None:
    """Whether an open file is locked by us from now on; `None` where the system has no locks."""
    if fcntl is None:
        return None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:  # some file systems on a network
        return None
    return True


def _move(source: Path, target: Path) -> None:
    """Rename a file, or FileExistsError."""
    try:
        os.link(source, target)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        os.replace(source, target)


@contextlib.contextmanager
def write_new(owner: str, path: Path, overwrite: bool) -> Iterator[BinaryIO]:
    """`atomic_write` of what `owner` saves; a file that is there, or comes in between, is refused.

    Raises:
        FileExistsError: The file is there already and `overwrite` is false.
    """
    message = (
        f"`path` of {owner} exists already; pass overwrite=True to replace it. "
        f"Received: path={str(path)!r}."
    )
    if path.exists() and not overwrite:
        raise FileExistsError(message)
    try:
        with atomic_write(path, overwrite=overwrite) as file:
            yield file
    except FileExistsError:  # by now
        raise FileExistsError(message) from None


def sync_directory(path: Path) -> None:
    """Make the names in a directory durable, where the system can."""
    if os.name == "posix":
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def file_size(path: Path) -> int:
    """Size of a plain file in bytes.

    Raises:
        FileNotFoundError: There is no such file.
        ValueError: It is a directory, a pipe or a device, which one could wait for for ever.
    """
    status = os.stat(path)
    if not stat.S_ISREG(status.st_mode):
        kind = "a directory, not a file" if stat.S_ISDIR(status.st_mode) else "no plain file"
        raise ValueError(f"{str(path)!r} is {kind}.")
    return status.st_size


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a plain file, in hexadecimal."""
    file_size(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_no_space(error: OSError) -> bool:
    """Whether a write failed because the disk is full, or the quota, or the file too large."""
    return error.errno in _NO_SPACE
