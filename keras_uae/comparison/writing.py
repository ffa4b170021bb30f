"""Write a result to a file that was not there before."""

import os
from pathlib import Path

from keras_uae._files import write_new


def write(owner: str, path: str | os.PathLike, content: bytes, overwrite: bool) -> Path:
    """Write a file, all or nothing; refuse one that exists."""
    path = Path(path)
    with write_new(owner, path, overwrite) as file:
        file.write(content)
    return path
