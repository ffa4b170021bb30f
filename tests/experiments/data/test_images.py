import time

import numpy as np
import pytest
from sklearn.datasets import load_digits

from experiments.data import COUNTS, TABULAR, load, names


def write(folder, name, *, key="image", shape=(5, 4, 3), splits=("train", "test")):
    """Write six images in the format of tensorflow-datasets; return them and their labels."""
    import tensorflow_datasets as tfds

    images = np.random.default_rng(0).integers(0, 256, (6, 5, 4, 3), dtype=np.uint8)
    images[0].flat[:2] = 0, 255
    labels = np.arange(6) % 3
    features = {
        key: tfds.features.Image(shape=shape),
        "label": tfds.features.ClassLabel(num_classes=3),
    }
    rows = [{key: image, "label": int(label)} for image, label in zip(images, labels, strict=True)]
    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        features=tfds.features.FeaturesDict(features),
        split_datasets={split: list(enumerate(rows)) for split in splits},
        data_dir=folder,
        disable_shuffling=True,
    )
    return images, labels


def test_names_are_those_of_both_tables():
    assert names() == (*COUNTS, *TABULAR)
    assert len(set(names())) == len(names())
    with pytest.raises(ValueError, match=", ".join(map(repr, names()))):
        load("unknown")


def test_digits_are_images_in_the_unit_range(digits):
    assert digits.x_train.shape == (1437, 8, 8, 1)
    assert digits.x_test.shape == (360, 8, 8, 1)
    for x, y in (digits[:2], digits[2:]):
        assert len(x) == len(y)
        assert x.dtype == np.float32
        assert y.dtype == np.int64
        assert (x.min(), x.max()) == (0, 1)


def test_digits_are_all_there_once(digits):
    def ordered(images):
        flat = images.reshape(len(images), -1)
        return flat[np.lexsort(flat.T)]

    together = np.concatenate([digits.x_train, digits.x_test])
    np.testing.assert_array_equal(ordered(together), ordered(load_digits().images / 16))


def test_digits_split_is_stratified_and_fixed_by_its_seed(digits):
    shares = np.bincount(load_digits().target) / 1797
    np.testing.assert_allclose(np.bincount(digits.y_train) / 1437, shares, atol=1e-3)
    np.testing.assert_allclose(np.bincount(digits.y_test) / 360, shares, atol=3e-3)
    assert all(map(np.array_equal, digits, load("digits")))
    assert (load("digits", seed=1).x_test != digits.x_test).any()


def test_train_size_keeps_the_beginning(digits):
    part = load("digits", train_size=100)
    expected = digits.x_train[:100], digits.y_train[:100], digits.x_test, digits.y_test
    assert all(map(np.array_equal, part, expected))


@pytest.mark.parametrize("size", [0, 1438, 2.5])
def test_train_size_must_be_had(size):
    with pytest.raises(ValueError, match=r"`train_size` of load must be .* in \[1, 1437\]"):
        load("digits", train_size=size)


@pytest.mark.parametrize("way", ["argument", "environment"])
def test_prepared_data_is_read_in_silence(way, tmp_path, monkeypatch, no_network, capfd):
    images, labels = write(tmp_path, "tiny_images")
    capfd.readouterr()
    if way == "environment":
        monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
        split = load("tiny_images")
    else:
        monkeypatch.setenv("TFDS_DATA_DIR", "/nowhere")
        split = load("tiny_images", data_dir=tmp_path)
    for x, y in (split[:2], split[2:]):
        np.testing.assert_array_equal(x, (images / 255).astype(np.float32))
        np.testing.assert_array_equal(y, labels)
        assert (x.dtype, y.dtype) == (np.float32, np.int64)
    assert no_network == []
    assert capfd.readouterr() == ("", "")


def test_train_size_of_prepared_data(tmp_path):
    write(tmp_path, "tiny_images")
    whole = load("tiny_images", data_dir=tmp_path)
    part = load("tiny_images", data_dir=tmp_path, train_size=4)
    np.testing.assert_array_equal(part.x_train, whole.x_train[:4])
    assert len(part.x_test) == 6
    with pytest.raises(ValueError, match=r"`train_size` of load .* in \[1, 6\]"):
        load("tiny_images", data_dir=tmp_path, train_size=7)


def test_wrong_count_is_found_out(tmp_path):
    write(tmp_path, "mnist")
    with pytest.raises(ValueError, match=r"of \(60000, 10000\) .* Received: name='mnist' with \(6"):
        load("mnist", data_dir=tmp_path)


def test_damaged_files_are_found_out(tmp_path):
    write(tmp_path, "tiny_images")
    (file,) = tmp_path.glob("tiny_images/1.0.0/*train*")
    file.write_bytes(file.read_bytes()[:-20])
    with pytest.raises(OSError, match=r"tiny_images/1.0.0 are damaged: delete .*tiny_images"):
        load("tiny_images", data_dir=tmp_path)


def test_data_without_images_is_refused(tmp_path):
    write(tmp_path, "tiny_pictures", key="picture")
    with pytest.raises(
        ValueError, match=r"whose `image` is .*'tiny_pictures' .*'picture': 'Image'"
    ):
        load("tiny_pictures", data_dir=tmp_path)


def test_images_of_many_sizes_are_refused(tmp_path):
    write(tmp_path, "tiny_images", shape=(None, None, 3))
    with pytest.raises(ValueError, match=r"of one size .* 'Image\(None, None, 3\)'"):
        load("tiny_images", data_dir=tmp_path)


def test_data_without_a_test_part_is_refused(tmp_path):
    write(tmp_path, "tiny_images", splits=("train", "extra"))
    with pytest.raises(ValueError, match=r"splits 'train' and 'test'.*\['train', 'extra'\]"):
        load("tiny_images", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("name", "hint"), [("mnits", "'mnist'"), ("digit", "'digits'"), ("kmnits", "'kmnist'")]
)
def test_unknown_name_suggests_the_nearest(name, hint, tmp_path, no_network):
    with pytest.raises(ValueError, match=f"Did you mean {hint}.* Received: name='{name}'"):
        load(name, data_dir=tmp_path)
    assert no_network == []


@pytest.mark.parametrize("name", ["", "a b", "huggingface:mnist", None])
def test_names_that_are_none_are_unknown_too(name, tmp_path, no_network):
    with pytest.raises(ValueError, match=r"`name` of load must be one of 'digits', .*Received"):
        load(name, data_dir=tmp_path)
    assert no_network == []


@pytest.mark.parametrize("name", ["mnist", "svhn_cropped", "kmnist"])
def test_missing_data_without_network_is_said_at_once(name, tmp_path, no_network):
    start = time.monotonic()
    with pytest.raises(FileNotFoundError, match=r"no answer from http.*--data-dir.*TFDS_DATA_DIR"):
        load(name, data_dir=tmp_path)
    assert time.monotonic() - start < 5
    assert no_network
    assert list(tmp_path.iterdir()) == []


def test_missing_subset_is_not_looked_for(tmp_path, no_network):
    with pytest.raises(FileNotFoundError, match=r"there is no download.*'cifar10_first5k'"):
        load("cifar10_first5k", data_dir=tmp_path)
    assert no_network == []


def test_download_that_fails_is_ours_too(tmp_path, monkeypatch):
    import requests
    import tensorflow_datasets as tfds

    def fail(*args, **kwargs):
        raise tfds.download.DownloadError("HTTP code: 404")

    def stall(*args, **kwargs):
        raise requests.ReadTimeout

    monkeypatch.setattr(requests, "head", stall)  # a slow server is a server
    monkeypatch.setattr(tfds.core.DatasetBuilder, "download_and_prepare", fail)
    with pytest.raises(FileNotFoundError, match=r"HTTP code: 404.*name='cifar10'"):
        load("cifar10", data_dir=tmp_path)


def test_text_is_refused_before_it_is_downloaded(tmp_path, no_network):
    with pytest.raises(ValueError, match=r"whose `image` is .*'ag_news_subset'"):
        load("ag_news_subset", data_dir=tmp_path)
    assert no_network == []
