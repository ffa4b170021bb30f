"""Write a result to a file that was not there before."""

import os
from pathlib import Path

from keras_uae._files import atomic_write


def write(owner: str, path: str | os.PathLike, content: bytes, overwrite: bool) -> Path:
    """Write a file, all or nothing; refuse one that exists."""
    path = Path(path)
    if path.exists() and not overwrite:
        raise FileExistsError(
            f"`path` of {owner} exists already; pass overwrite=True to replace it. "
            f"Received: path={str(path)!r}."
        )
    with atomic_write(path) as file:
        file.write(content)
    return path
