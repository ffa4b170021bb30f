"""Files on disk: written all or nothing, and refused if they are no plain files."""

import contextlib
import errno
import hashlib
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

TEMPORARY = ".part"  # how the name of a file that is being written ends
_NO_SPACE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


@contextlib.contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """A new file that takes the place of `path` when the block ends without an error.

    Whoever reads `path` sees the old file or the new one, also after a loss of power. The
    temporary file has a name of its own, so that several writers do not meet in it.
    """
    temporary = path.with_name(f"{path.name}.{secrets.token_hex(4)}{TEMPORARY}")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_directory(path.parent)


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
        raise ValueError(f"{str(path)!r} is no plain file.")
    return status.st_size


def sha256_of_file(path: Path) -> str:
    """SHA-256 of a plain file, in hexadecimal."""
    file_size(path)
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_no_space(error: OSError) -> bool:
    """Whether a write failed because the disk is full, or the quota, or the file too large."""
    return error.errno in _NO_SPACE
