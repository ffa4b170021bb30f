"""Data sets of tensorflow-datasets that are not there and cannot be had."""

import socket
import threading

import pytest

from keras_uae.sharding import DataReference, downloads

tfds = pytest.importorskip("tensorflow_datasets")


def test_without_network_the_way_out_is_said_and_no_folder_made(tmp_path, no_network):
    folder = tmp_path / "data"
    for name in ("mnist", "mnist:test", "cifar10:train[:10%]"):
        with pytest.raises(FileNotFoundError, match=r"no answer from http.*TFDS_DATA_DIR.*\.npy"):
            DataReference(name, data_dir=str(folder)).open()
    assert len(no_network) == 3  # one try each
    assert not folder.exists()


def test_a_network_that_swallows_everything_is_not_waited_for(tmp_path, monkeypatch):
    released, ended = threading.Event(), []

    def swallow(*_, **__):
        released.wait(60)
        ended.append(True)
        raise socket.gaierror

    monkeypatch.setattr(downloads, "_PATIENCE", 0.1)
    monkeypatch.setattr(socket, "getaddrinfo", swallow)
    with pytest.raises(FileNotFoundError, match="no answer from http"):
        DataReference("mnist", data_dir=str(tmp_path)).open()
    assert not ended
    released.set()


def test_a_download_that_fails_leaves_no_folder(tmp_path, monkeypatch):
    """Of one that has begun the files stay: it may go on with them."""
    (tmp_path / "data").mkdir()
    monkeypatch.setattr(downloads, "_check_answer", lambda url: None)

    def fail(self, **settings):
        for name in ("downloads/extracted", "mnist/3.0.1.incompleteX"):
            (tmp_path / "data" / name).mkdir(parents=True)
        if (tmp_path / "kept").exists():
            (tmp_path / "data" / "downloads" / "part").touch()
        raise tfds.download.DownloadError("HTTP code: 404")

    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    for left in ([], ["downloads"]):
        with pytest.raises(FileNotFoundError, match="HTTP code: 404"):
            DataReference("mnist", data_dir=str(tmp_path / "data")).open()
        assert [each.name for each in (tmp_path / "data").iterdir()] == left
        (tmp_path / "kept").touch()


def test_files_that_are_there_already_are_prepared_without_a_network(
    tmp_path, no_network, monkeypatch
):
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "train-images-idx3-ubyte.gz").touch()
    prepared = []
    monkeypatch.setattr(
        tfds.core.DatasetBuilder,
        "download_and_prepare",
        lambda self, **settings: prepared.append(self.name),
    )
    downloads.prepare(tfds.builder("mnist", data_dir=tmp_path), "http://nowhere.example")
    assert prepared == ["mnist"]
    assert not no_network
