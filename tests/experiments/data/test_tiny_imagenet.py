"""Tiny-ImageNet from a small archive of the same layout."""

import shutil

import numpy as np
import pytest
import tensorflow as tf

from experiments.data import COUNTS, load, tiny_imagenet
from experiments.reconstruction import main

CLASSES = ("n02124075", "n01443537", "n04067472")  # wnids.txt is in no order


@pytest.fixture(autouse=True)
def _few(monkeypatch):
    monkeypatch.setitem(COUNTS, "tiny_imagenet200", (6, 4))


def write_jpeg(path, level: int, channels: int = 3) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(tf.io.encode_jpeg(np.full((64, 64, channels), level, np.uint8)).numpy())


def write(folder):
    """Write the folder that the archive unpacks to: grey levels tell the images apart."""
    root = folder / tiny_imagenet.FOLDER
    for number, name in enumerate(CLASSES):
        for index in range(2):
            path = root / "train" / name / "images" / f"{name}_{index}.JPEG"
            write_jpeg(path, 40 * number + 10 * index, channels=1 if index else 3)
        (root / "train" / name / f"{name}_boxes.txt").write_text(f"{name}_0.JPEG\t0\t10\t63\t58\n")
    lines = []
    for index in range(4):
        write_jpeg(root / "val" / "images" / f"val_{index}.JPEG", 200 + 10 * index)
        lines.append(f"val_{index}.JPEG\t{CLASSES[index % 3]}\t0\t32\t44\t62\n")
    (root / "val" / "val_annotations.txt").write_text("".join(lines))
    write_jpeg(root / "test" / "images" / "test_0.JPEG", 255)
    (root / "wnids.txt").write_text("\n".join(CLASSES) + "\n")
    (root / "words.txt").write_text("n00001740\tentity\n")
    return root


def check(split) -> None:
    """All images are there once with their labels, in whatever order."""
    assert split.x_train.shape == (6, 64, 64, 3)
    assert split.x_test.shape == (4, 64, 64, 3)
    levels = {
        part: sorted(zip(np.rint(255 * x[:, 5, 5, 0]).tolist(), y.tolist(), strict=True))
        for part, x, y in (
            ("train", split.x_train, split.y_train),
            ("test", split.x_test, split.y_test),
        )
    }
    assert levels["train"] == [(0, 0), (10, 0), (40, 1), (50, 1), (80, 2), (90, 2)]
    assert levels["test"] == [(200, 0), (210, 1), (220, 2), (230, 0)]


@pytest.mark.parametrize("packed", [True, False], ids=["archive", "folder"])
def test_what_was_put_there_by_hand_is_read(packed, tmp_path, no_network):
    manual = tmp_path / "downloads" / "manual"
    root = write(manual)
    if packed:
        shutil.make_archive(str(root), "zip", manual, root.name)
        shutil.rmtree(root)
    check(load("tiny_imagenet200", data_dir=tmp_path))
    shutil.rmtree(manual)
    check(load("tiny_imagenet200", data_dir=tmp_path))  # prepared


def test_an_archive_is_downloaded(tmp_path, monkeypatch, served):
    folder, address = served
    root = write(tmp_path / "source")
    shutil.make_archive(str(folder / root.name), "zip", root.parent, root.name)
    monkeypatch.setattr(tiny_imagenet, "ADDRESS", f"{address}/{root.name}.zip")
    check(load("tiny_imagenet200", data_dir=tmp_path / "data"))


def test_an_archive_of_something_else_is_refused(tmp_path, no_network):
    root = write(tmp_path / "downloads" / "manual")
    (root / "wnids.txt").unlink()
    with pytest.raises(OSError, match=r"tiny-imagenet-200 holds no wnids\.txt"):
        load("tiny_imagenet200", data_dir=tmp_path)


def test_an_unknown_class_is_refused(tmp_path, no_network):
    root = write(tmp_path / "downloads" / "manual")
    (root / "wnids.txt").write_text("\n".join(CLASSES[:2]))
    with pytest.raises(OSError, match=r"class n04067472, which wnids\.txt does not list"):
        load("tiny_imagenet200", data_dir=tmp_path)


def test_the_experiment_says_that_the_data_cannot_be_had(tmp_path, no_network, capsys):
    flags = ["--dataset", "tiny_imagenet200", "--data-dir", str(tmp_path / "data")]
    assert main([*flags, "--output", str(tmp_path / "run")]) == 2
    said = capsys.readouterr().err
    assert "no answer from http://cs231n.stanford.edu/tiny-imagenet-200.zip" in said
    assert "Received: name='tiny_imagenet200'" in said
    assert not (tmp_path / "run").exists()
