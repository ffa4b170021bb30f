"""Downloads of tensorflow-datasets, begun where somebody answers; no folder is left if they fail.

By itself it tries for 204 seconds where there is no network.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_PATIENCE = 5  # seconds a server may take to accept a connection, or a name to be found
WAY_OUT = (
    "Run this once where there is internet, or pass data_dir (--data-dir) or set TFDS_DATA_DIR to "
    "a directory that holds {}"
)


def address(builder: Any) -> str | None:
    """Where the data of a builder of tensorflow-datasets come from, if it says so."""
    return next((url for url in builder.url_infos or () if url.startswith("http")), None)


def prepare(builder: Any, url: str | None) -> None:
    """Download and prepare the data set of a builder, unless it is there.

    Args:
        builder: That of tensorflow-datasets.
        url: Where it comes from, which is asked first unless there are downloads already, which may
            be all that is needed; `None` if it need not come from anywhere.

    Raises:
        ConnectionError: Nobody answers, or the download fails.
        OSError: What came is not what it was when the builder was written.
    """
    import requests  # as tensorflow-datasets, of which it is a part, an extra
    import tensorflow_datasets as tfds

    if builder.data_path.exists():
        return
    settings = tfds.download.DownloadConfig(try_download_gcs=False)
    root = Path(os.fspath(builder.data_dir_root))
    with _no_new_folders(root, root / "downloads", root / builder.name):
        try:
            if not any((root / "downloads").glob("*")):
                _check_answer(url)
            builder.download_and_prepare(download_config=settings)
        except (requests.RequestException, tfds.download.DownloadError) as error:
            raise ConnectionError(str(error)) from None
        except tfds.core.download.download_manager.NonMatchingChecksumError as error:
            raise OSError(f"the download of {builder.name} is not what it was: {error}") from None


def _check_answer(url: str | None) -> None:
    """Raise ConnectionError unless somebody answers, in a few seconds whatever the network does."""
    import requests

    heard = []

    def ask() -> None:
        with contextlib.suppress(requests.ConnectionError):
            with contextlib.suppress(requests.ReadTimeout):  # somebody is there
                requests.head(str(url), timeout=(_PATIENCE, 1))
            heard.append(url)

    thread = threading.Thread(target=ask, daemon=True)  # nobody can end the look-up of a name
    if url is not None:
        thread.start()
        thread.join(_PATIENCE + 1)
        if not heard:
            raise ConnectionError(f"no answer from {url}")


@contextlib.contextmanager
def _no_new_folders(*folders: Path) -> Iterator[None]:
    """If the block fails, those of the folders that are new go, unless there is a file in them."""
    new = [folder for folder in folders if not folder.exists()]
    try:
        yield
    except BaseException:
        for folder in reversed(new):
            for parent, _, _ in os.walk(folder, topdown=False):
                with contextlib.suppress(OSError):  # there is something in it
                    os.rmdir(parent)
        raise
