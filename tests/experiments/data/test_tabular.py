"""The tabular data sets: files in their original formats, filling in, scaling, splits, builders."""

import gzip
import re
import shutil
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
from scipy.io import savemat
from sklearn.preprocessing import MinMaxScaler

from experiments.data import TABULAR, load, sets
from experiments.data import compress as compress_module
from experiments.data.compress import decompress
from experiments.data.preparation import MARKER, fill_as_published, prepare, split
from experiments.data.tabular import Raw, Source

RNG = np.random.default_rng(0)
HAND = Raw(
    # three samples to train on, one to test on
    np.array([[0, 1, 7], [2, np.nan, 7], [4, 3, 7], [np.nan, 100, -5]], np.float32),
    np.array([0, 0, 1, 1]),
    train=3,
)


@pytest.fixture
def shorten(monkeypatch):
    """Let a data set be complete with fewer samples."""

    def shorten(name, rows):
        data = TABULAR[name]
        sources = tuple(replace(source, rows=rows) for source in data.sources)
        monkeypatch.setitem(TABULAR, name, replace(data, sources=sources))
        return TABULAR[name]

    return shorten


def write_mice(folder, count=1080, missing=0.02):
    """Write the CSV file; return what it holds, NaN where a value is missing."""
    x = RNG.uniform(0.1, 5, (count, len(sets.PROTEINS))).round(6)
    x[RNG.uniform(size=x.shape) < missing] = np.nan
    y = np.sort(np.arange(count) % 7)  # unequal shares: class 7 has as many as class 0 lacks
    y[:10] = 7
    header = ["MouseID", *sets.PROTEINS, "Genotype", "Treatment", "Behavior", "class"]
    lines = [",".join(header)]
    for index, (row, label) in enumerate(zip(x, y, strict=True)):
        values = ["" if np.isnan(value) else str(value) for value in row]
        groups = ["Control", "Saline", "C/S", sets.MICE[label]]
        lines.append(",".join([f"{index // 15}_{index % 15}", *values, *groups]))
    (folder / "Data_Cortex_Nuclear.csv").write_text("\n".join(lines) + "\n")
    return x.astype(np.float32), y


def write_isolet(folder, train=52, test=26, suffix=""):
    """Write both files, labels from "1." to "26."; return the features and labels of each."""
    parts = []
    for file, count in (("isolet1+2+3+4.data", train), ("isolet5.data", test)):
        x = RNG.uniform(-1, 1, (count, 617)).round(4)
        y = np.arange(count) % 26
        rows = zip(x, y, strict=True)
        text = "".join(f"{', '.join(f'{v:.4f}' for v in row)}, {k + 1}.\n" for row, k in rows)
        content = text.encode()
        (folder / f"{file}{suffix}").write_bytes(compress(content) if suffix else content)
        parts.append((x.astype(np.float32), y))
    return parts


def write_activity(folder, train=12, test=6, separator=","):
    parts = []
    for part, count in (("train", train), ("test", test)):
        x = RNG.uniform(-1, 1, (count, 561)).round(5)
        y = np.arange(count) % 6
        np.savetxt(folder / f"final_X_{part}.txt", x, fmt="%.5f", delimiter=separator)
        np.savetxt(folder / f"final_y_{part}.txt", y + 1, fmt="%d")
        parts.append((x.astype(np.float32), y))
    return parts


def ordered(x):
    flat = x.reshape(len(x), -1)
    return flat[np.lexsort(flat.T)]


# --- preparation


def test_clean_means_and_scales_are_those_of_the_training_samples():
    x_train, y_train, x_test, y_test = prepare(HAND, protocol="clean", seed=0)
    # the missing 1.1 is (1 + 3) / 2; a constant feature is 0
    np.testing.assert_array_equal(x_train, [[0, 0, 0], [0.5, 0.5, 0], [1, 1, 0]])
    # the missing 3.0 is (0 + 2 + 4) / 3; 100 and -5 are clipped
    np.testing.assert_array_equal(x_test, [[0.5, 1, 0]])
    np.testing.assert_array_equal(y_train, [0, 0, 1])
    np.testing.assert_array_equal(y_test, [1])
    assert x_train.dtype == x_test.dtype == np.float32


def test_clean_training_samples_know_nothing_of_the_test_samples():
    other = HAND.x.copy()
    other[3] = [-1000, np.nan, 1000]
    for protocol, same in (("clean", True), ("published", False)):
        one, two = (
            prepare(HAND._replace(x=x), protocol=protocol, seed=0)[0] for x in (HAND.x, other)
        )
        assert np.array_equal(one, two) is same


def test_published_means_hold_the_marker():
    x = np.array([[1, 5], [np.nan, 6], [3, 7], [np.nan, 8], [np.nan, 9]])
    y = np.array([0, 0, 0, 0, 1])
    first = (1 + MARKER + 3 + MARKER) / 4
    second = (1 + first + 3 + MARKER) / 4  # the first is filled in by then
    expected = x.copy()
    expected[[1, 3, 4], 0] = first, second, MARKER
    np.testing.assert_array_equal(fill_as_published(x, y), expected)


def test_published_scaler_is_that_of_scikit_learn_on_everything():
    x = RNG.normal(size=(30, 4)).astype(np.float32)
    raw = Raw(x, np.arange(30) % 3, train=20)
    x_train, _, x_test, _ = prepare(raw, protocol="published", seed=0)
    expected = MinMaxScaler().fit_transform(x.astype(np.float64))
    np.testing.assert_allclose(np.concatenate([x_train, x_test]), expected, atol=1e-7)


def test_protocols_agree_where_the_test_samples_change_nothing():
    x = RNG.uniform(0.2, 0.8, size=(30, 4))
    x[0], x[1] = 0, 1  # the extremes are in the training part, and nothing is missing
    raw = Raw(x.astype(np.float32), np.arange(30) % 3, train=20)
    splits = [prepare(raw, protocol=protocol, seed=0) for protocol in ("clean", "published")]
    assert all(map(np.array_equal, *splits))


def test_images_are_scaled_as_one_and_only_if_published():
    x = RNG.uniform(0.2, 0.8, size=(10, 3, 3, 1)).astype(np.float32)
    raw = Raw(x, np.arange(10) % 2, train=6)
    clean = prepare(raw, protocol="clean", seed=0)
    np.testing.assert_array_equal(clean[0], x[:6])
    published = np.concatenate(prepare(raw, protocol="published", seed=0)[::2])
    np.testing.assert_allclose(published, (x - x.min()) / (x.max() - x.min()), atol=1e-6)


def test_split_is_stratified_seeded_and_complete():
    y = np.repeat([0, 1, 2], [10, 30, 60])
    raw = Raw(np.arange(100, dtype=np.float32)[:, None], y, train=0)
    train, test = split(raw, stratified=True, seed=3)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(100))
    np.testing.assert_array_equal(np.bincount(y[train]), [8, 24, 48])
    again, other = (split(raw, stratified=True, seed=seed)[0] for seed in (3, 4))
    np.testing.assert_array_equal(train, again)
    assert set(train) != set(other)


def test_published_split_is_shuffled_and_cut():
    y = np.repeat([0, 1], [50, 1])  # a class of one cannot be stratified
    raw = Raw(np.zeros((51, 1), np.float32), y, train=0)
    train, test = split(raw, stratified=False, seed=0)
    assert (len(train), len(test)) == (40, 11)
    np.testing.assert_array_equal(np.sort(np.concatenate([train, test])), np.arange(51))
    assert (np.diff(train) < 0).any()
    again, other = (split(raw, stratified=False, seed=seed)[0] for seed in (0, 1))
    np.testing.assert_array_equal(train, again)
    assert set(train) != set(other)


# --- mice_protein


def test_mice_are_read_with_what_is_missing(tmp_path):
    x, y = write_mice(tmp_path)
    raw = TABULAR["mice_protein"].sources[0].load([tmp_path / "Data_Cortex_Nuclear.csv"])
    np.testing.assert_array_equal(raw.x, x)
    np.testing.assert_array_equal(raw.y, y)
    assert 0.01 < np.isnan(raw.x).mean() < 0.03
    assert raw.train == 0


@pytest.mark.parametrize("protocol", ["clean", "published"])
def test_mice_are_split_and_in_bounds(protocol, tmp_path):
    _, y = write_mice(tmp_path)
    mice = load("mice_protein", data_dir=tmp_path, protocol=protocol)
    assert mice.x_train.shape == (864, 77)
    assert mice.x_test.shape == (216, 77)
    for x, labels in (mice[:2], mice[2:]):
        assert (x.dtype, labels.dtype) == (np.float32, np.int64)
        assert 0 <= x.min() < x.max() <= 1
    np.testing.assert_array_equal(
        np.bincount(mice.y_train) + np.bincount(mice.y_test), np.bincount(y)
    )
    shares = np.bincount(mice.y_train) / np.bincount(y)
    assert (np.abs(shares - 0.8) < 0.02).all() == (protocol == "clean")
    again, other = (
        load("mice_protein", data_dir=tmp_path, protocol=protocol, seed=seed) for seed in (0, 1)
    )
    assert all(map(np.array_equal, mice, again))
    assert not np.array_equal(mice.y_train, other.y_train)


def test_markers_crush_the_published_features_only(tmp_path):
    write_mice(tmp_path)
    spread = {
        protocol: load("mice_protein", data_dir=tmp_path, protocol=protocol).x_train.std()
        for protocol in ("clean", "published")
    }
    assert spread["published"] < 0.5 * spread["clean"]


def reordered(text):
    """The columns from right to left."""
    return "".join(",".join(line.split(",")[::-1]) + "\n" for line in text.splitlines())


def quoted(text):
    lines = (line.split(",") for line in text.splitlines())
    return "".join(";".join(f'"{field}"' for field in line) + "\n" for line in lines)


@pytest.mark.parametrize(
    "change",
    [
        reordered,
        quoted,
        lambda text: text.replace(",", ";"),
        lambda text: text.replace(",", "\t"),
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "\ufeff" + text,
        lambda text: text.rstrip(),
        lambda text: text.replace("\n", "\n\n", 5) + "\n  \n" + "," * 81,
        *(lambda text, it=it: re.sub(",(?=,)", f",{it}", text) for it in ("NA", "?", "nan", " ")),
    ],
)
def test_mice_are_read_however_they_are_written(change, tmp_path):
    x, y = write_mice(tmp_path)
    path = tmp_path / "Data_Cortex_Nuclear.csv"
    path.write_bytes(change(path.read_text()).encode())
    raw = sets.read_mice([path])
    np.testing.assert_array_equal(raw.x, x)
    np.testing.assert_array_equal(raw.y, y)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: text.rindex("71_9")], "hold 1080 samples. Received: 1074; http"),
        (lambda text: text.replace("c-CS-s", "c-CS-x", 1), r"'c-CS-x' in line 157\."),
        (lambda text: text.replace("\n0_3,", "\n0_3,x"), r"points.* Received: 'x.*' in line 5\."),
        (lambda text: re.sub("\n0_0,[^,]*", "\n0_0,inf", text), r"Received: 'inf' in line 2\."),
        (lambda text: re.sub("\n0_0,[^,]*", "\n0_0,1_0", text), r"Received: '1_0' in line 2\."),
        (lambda text: text.replace("\n0_1,", "\n0_1,,"), r"have 82 fields .* 83 in line 3\."),
        (lambda text: text.replace("Tau_N", "T_N"), "header with the columns Tau_N, once"),
        (lambda text: text.replace("Tau_N", "ARC_N"), "header with the columns ARC_N, Tau_N, once"),
        (lambda text: text[text.index("\n") + 1 :], r"and 75 more, once each.* in line 1\."),
        (lambda text: text.replace(",", ";").replace(".", ","), "decimal points"),
        (lambda text: "", "header with the columns DYRK1A_N"),
        (lambda text: "\xff\xfe" * 100, r"UTF-8: save it as such.* in line 1\."),
        (lambda text: text.replace("\n0_1", "\n\xe9", 1), r"UTF-8: save it as such.* in line 3\."),
        (lambda text: "PK\x03\x04" + text, "be text. Received: a zip or Excel file"),
        (lambda text: "<!DOCTYPE html>", "be text. Received: a page of HTML"),
        (lambda text: text.replace("0", "0" * 200_000, 1), "be a table. Received: field larger"),
    ],
)
def test_mice_of_another_form_are_refused_with_the_line(change, message, tmp_path):
    write_mice(tmp_path)
    path = tmp_path / "Data_Cortex_Nuclear.csv"
    path.write_text(change(path.read_text()), encoding="latin-1")
    with pytest.raises(ValueError, match=rf"Data_Cortex_Nuclear\.csv must .*{message}"):
        load("mice_protein", data_dir=tmp_path)


def test_mice_cut_short_are_damaged(tmp_path):
    write_mice(tmp_path)
    path = tmp_path / "Data_Cortex_Nuclear.csv"
    path.write_text(path.read_text()[:-30])
    with pytest.raises(OSError, match=r"is damaged: it ends within line 1081; get the file again"):
        load("mice_protein", data_dir=tmp_path)


# --- isolet


@pytest.mark.parametrize("suffix", ["", ".Z"])
def test_isolet_keeps_its_split(suffix, tmp_path, shorten):
    (x, y), (x_test, y_test) = write_isolet(tmp_path, suffix=suffix)
    (source, _) = shorten("isolet", (52, 26)).sources
    raw = source.load(source.find(tmp_path))
    np.testing.assert_array_equal(raw.x, np.concatenate([x, x_test]))
    np.testing.assert_array_equal(raw.y, np.concatenate([y, y_test]))
    assert raw.train == 52


def test_isolet_is_scaled_by_its_training_part(tmp_path, shorten):
    (x, y), (x_test, y_test) = write_isolet(tmp_path)
    shorten("isolet", (52, 26))
    clean, published = (
        load("isolet", data_dir=tmp_path, protocol=protocol) for protocol in ("clean", "published")
    )
    scaler = MinMaxScaler().fit(x.astype(np.float64))
    np.testing.assert_allclose(clean.x_train, scaler.transform(x), atol=1e-6)
    np.testing.assert_allclose(clean.x_test, scaler.transform(x_test).clip(0, 1), atol=1e-6)
    assert (scaler.transform(x_test) > 1).any()  # which an attack could not be given
    scaler = MinMaxScaler().fit(np.concatenate([x, x_test]).astype(np.float64))
    np.testing.assert_allclose(published.x_test, scaler.transform(x_test), atol=1e-6)
    np.testing.assert_array_equal(published.y_train, y)
    np.testing.assert_array_equal(published.y_test, y_test)


def test_isolet_in_one_file_is_split_here(tmp_path):
    x = RNG.uniform(-1, 1, (1560, 617))
    savemat(tmp_path / "Isolet.mat", {"X": x, "Y": np.repeat(np.arange(1, 27), 60)[:, None]})
    split = load("isolet", data_dir=tmp_path, train_size=1000)
    assert (split.x_train.shape, split.x_test.shape) == ((1000, 617), (312, 617))
    assert split.x_test.min() == 0
    np.testing.assert_array_equal(np.bincount(split.y_test), 12)
    whole = load("isolet", data_dir=tmp_path)
    np.testing.assert_array_equal(np.bincount(whole.y_train), 48)
    np.testing.assert_array_equal(split.x_train, whole.x_train[:1000])
    with pytest.raises(ValueError, match=r"`train_size` of load .* in \[1, 1248\]"):
        load("isolet", data_dir=tmp_path, train_size=1249)


def test_full_isolet_comes_before_its_fifth(tmp_path, shorten):
    shorten("isolet", (52, 26))
    (tmp_path / "isolet").mkdir()
    write_isolet(tmp_path / "isolet")
    (tmp_path / "Isolet.mat").write_bytes(b"")
    assert load("isolet", data_dir=tmp_path).x_train.shape == (52, 617)


@pytest.mark.parametrize(
    ("file", "damage", "message"),
    [
        ("isolet5.data", lambda text: text[:-3000], "ends within line 26"),
        ("isolet1+2+3+4.data", lambda text: "\x1f\x9d\xff" + text, "not a file of compress"),
    ],
)
def test_damaged_isolet_is_named(file, damage, message, tmp_path, shorten):
    shorten("isolet", (52, 26))
    write_isolet(tmp_path)
    path = tmp_path / file
    path.write_bytes(damage(path.read_text()).encode("latin-1"))
    with pytest.raises(OSError, match=rf"{re.escape(file)} is damaged: .*{message}"):
        load("isolet", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text[: text.rindex("\n", 0, -1) + 1], "hold 26 samples. Received: 25"),
        (lambda text: text.replace(", 3.", ", 27."), r"labels from 1 to 26.* 27.0 in line 3\."),
        (lambda text: "\n" + text.replace(", 3.", ", ?"), r"labels from 1 .* nan in line 4\."),
        (lambda text: "1, 2, 3\n", r"618 fields a line.* Received: 3 in line 1\."),
        (lambda text: "", "hold 26 samples. Received: 0"),
        (lambda text: text.replace("0.", "O.", 1), r"finite numbers.*Received: '-?O\..* in line 1"),
        (lambda text: "f, " * 617 + "class\n" + text, r"no header, but 618 numbers .* in line 1\."),
        (lambda text: text.replace(", ", "; ").replace(".", ","), "points"),
    ],
)
def test_isolet_of_another_form_is_refused_with_the_line(change, message, tmp_path, shorten):
    shorten("isolet", (52, 26))
    write_isolet(tmp_path)
    path = tmp_path / "isolet5.data"
    path.write_text(change(path.read_text()))
    with pytest.raises(ValueError, match=rf"isolet5\.data must .*{message}"):
        load("isolet", data_dir=tmp_path)


def test_isolet_may_have_gaps(tmp_path, shorten):
    (x, _), _ = write_isolet(tmp_path)
    path = tmp_path / "isolet1+2+3+4.data"
    _, rest = path.read_text().split(",", 1)
    path.write_text(f"?,{rest}".replace("\n", "\r\n") + "\r\n")
    (source, _) = shorten("isolet", (52, 26)).sources
    raw = source.load(source.find(tmp_path))
    assert np.isnan(raw.x[0, 0])
    np.testing.assert_array_equal(raw.x[:52].ravel()[1:], x.ravel()[1:])
    assert np.isfinite(load("isolet", data_dir=tmp_path).x_train).all()


def test_half_of_isolet_is_said_to_be_missing(tmp_path):
    write_isolet(tmp_path)
    (tmp_path / "isolet5.data").unlink()
    with pytest.raises(FileNotFoundError, match=r"isolet5\.data is missing, though isolet1"):
        load("isolet", data_dir=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"X": np.zeros((1560, 616)), "Y": np.ones((1560, 1))}, r"X of shape \(1560, 616\)"),
        ({"X": np.zeros((617, 1560)), "Y": np.ones((1560, 1))}, r"with 617 columns"),
        ({"X": np.zeros((1560, 617)), "Y": np.ones((1559, 1))}, "1559 labels"),
        ({"X": np.zeros((1560, 617)), "Y": np.zeros((1560, 1))}, r"from 1 to 26.* 0.0 in row 1\."),
        ({"X": np.full((2, 617), np.inf), "Y": np.ones((2, 1))}, "finite numbers, .*row 1"),
        (
            {"X": np.zeros((26, 617)), "Y": np.ones((26, 1))},
            "1560 samples. Received: 26; http",
        ),
        ({"fea": np.zeros((26, 617))}, "have the arrays X and Y. Received: fea"),
        ({"X": "letters", "Y": np.ones((2, 1))}, "numbers in X. Received: an array of <U7"),
        ({"X": scipy.sparse.csc_array((2**20, 617)), "Y": [1]}, "X of at most 268435456 values"),
        (b"X,Y" * 100, "be a MATLAB file"),
        (b"MATLAB 7.3 MAT-file".ljust(124) + b"\x00\x02IM", "MATLAB before 7.3: save"),
    ],
)
def test_matlab_file_of_another_form_is_refused(content, message, tmp_path):
    path = tmp_path / "Isolet.mat"
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        savemat(path, content)
    with pytest.raises(ValueError, match=rf"Isolet\.mat must .*{message}"):
        load("isolet", data_dir=tmp_path)


def test_damaged_matlab_file_is_named(tmp_path):
    path = tmp_path / "Isolet.mat"
    savemat(path, {"X": RNG.normal(size=(50, 617)), "Y": np.ones((50, 1))})
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(OSError, match=r"Isolet\.mat is damaged: "):
        load("isolet", data_dir=tmp_path)


def test_sparse_matrices_of_matlab_are_read(tmp_path):
    x = RNG.uniform(-1, 1, (52, 617)) * (RNG.uniform(size=(52, 617)) < 0.1)
    x[3, 4], y = np.nan, np.arange(52)[:, None] % 26 + 1
    sparse = scipy.sparse.csc_array
    savemat(tmp_path / "Isolet.mat", {"X": sparse(x), "Y": sparse(y)})
    raw = sets.read_fifth([tmp_path / "Isolet.mat"])
    np.testing.assert_array_equal(raw.x, x.astype(np.float32))
    np.testing.assert_array_equal(raw.y, y.ravel() - 1)


# --- activity


@pytest.mark.parametrize("separator", [",", " "])
def test_activity_keeps_its_split(separator, tmp_path, shorten):
    shorten("activity", (12, 6))
    folder = tmp_path / "dataset_uci"  # as unpacked
    folder.mkdir()
    (x, y), (x_test, y_test) = write_activity(folder, separator=separator)
    split = load("activity", data_dir=tmp_path)
    scaler = MinMaxScaler(clip=True).fit(x.astype(np.float64))
    np.testing.assert_allclose(split.x_train, scaler.transform(x), atol=1e-6)
    np.testing.assert_allclose(split.x_test, scaler.transform(x_test), atol=1e-6)
    np.testing.assert_array_equal(split.y_train, y)
    np.testing.assert_array_equal(split.y_test, y_test)


def test_activity_of_another_form_is_refused(tmp_path, shorten):
    write_activity(tmp_path)
    with pytest.raises(ValueError, match=r"final_X_train.txt must hold 4252 .* Received: 12; http"):
        load("activity", data_dir=tmp_path)
    shorten("activity", (12, 6))
    labels = tmp_path / "final_y_test.txt"
    labels.write_text("1\n2\n3\n")
    with pytest.raises(ValueError, match=r"X_test.txt must hold as many samples as final_y_test"):
        load("activity", data_dir=tmp_path)
    labels.write_text("1\n2\n7\n1\n2\n3\n")
    with pytest.raises(ValueError, match=r"final_y_test.txt must have labels .* 7.0 in line 3"):
        load("activity", data_dir=tmp_path)


# --- coil20


def test_pixels_are_means_over_areas():
    images = RNG.uniform(size=(2, 40, 40))
    blocks = images.reshape(2, 20, 2, 20, 2).mean(axis=(2, 4))
    np.testing.assert_allclose(sets.shrink(images), blocks, atol=1e-12)
    # 3 to 2: (1 · a + ½ · b) / 1½ along each side
    row = np.array([[0.3, 0.6, 0.9]])
    expected = np.array([(0.3 + 0.3) / 1.5, (0.3 + 0.9) / 1.5])
    small = sets.shrink(np.repeat(row, 3, axis=0)[None], 2)[0]
    np.testing.assert_allclose(small, [expected, expected], atol=1e-12)
    for size in (32, 128):
        images = RNG.uniform(size=(2, size, size))
        np.testing.assert_allclose(sets.shrink(images).mean(), images.mean(), atol=1e-12)
        np.testing.assert_allclose(sets.shrink(np.ones((1, size, size))), 1, atol=1e-12)


def test_coil20_of_matlab_is_upright(tmp_path):
    images = np.zeros((1440, 32, 32))
    images[:, :16, :] = np.linspace(0.1, 1, 1440)[:, None, None]  # bright above
    columns = images.swapaxes(1, 2).reshape(1440, -1)
    savemat(tmp_path / "COIL20.mat", {"X": columns, "Y": np.repeat(np.arange(1, 21), 72)[:, None]})
    split = load("coil20", data_dir=tmp_path)
    assert (split.x_train.shape, split.x_test.shape) == ((1152, 20, 20, 1), (288, 20, 20, 1))
    assert set(np.bincount(split.y_train)) == {57, 58}
    assert (split.x_train[:, :10] > 0).all()
    assert not split.x_train[:, 10:].any()
    together = np.concatenate([split.x_train, split.x_test])[:, 0, 0, 0]
    np.testing.assert_allclose(np.sort(together), np.linspace(0.1, 1, 1440), atol=1e-6)


def test_coil20_is_read_from_images(tmp_path):
    import tensorflow as tf

    files = [f"obj{number}__0.png" for number in range(1, 21)]
    images = RNG.integers(0, 256, (20, 128, 128, 1), dtype=np.uint8)
    for file, image in zip(files, images, strict=True):
        (tmp_path / file).write_bytes(tf.io.encode_png(image).numpy())
    paths = [tmp_path / file for file in files]
    raw = sets.read_objects(paths)
    assert raw.x.shape == (20, 20, 20, 1)
    np.testing.assert_allclose(raw.x[..., 0], sets.shrink(images[..., 0] / 255), atol=1e-6)
    np.testing.assert_array_equal(raw.y, np.arange(20))
    with pytest.raises(FileNotFoundError, match=r"obj1__1\.png is missing, though obj1__0"):
        load("coil20", data_dir=tmp_path)
    paths[3].write_bytes(paths[3].read_bytes()[:1000])
    with pytest.raises(OSError, match=r"obj4__0\.png is damaged"):
        sets.read_objects(paths)
    paths[3].write_bytes(tf.io.encode_png(images[3, :64]).numpy())
    with pytest.raises(ValueError, match=r"obj4__0\.png must have 128×128 .* Received: 64×128"):
        sets.read_objects(paths)


def test_coil20_out_of_range_is_named(tmp_path):
    y = np.repeat(np.arange(1, 21), 72)
    savemat(tmp_path / "COIL20.mat", {"X": np.full((1440, 1024), 200.0), "Y": y})
    with pytest.raises(ValueError, match=r"COIL20\.mat must have pixels in .* from 200.0 to 200.0"):
        load("coil20", data_dir=tmp_path)


# --- compress


def compress(data, widest=16, clear_at=()):
    """What the Unix program does, with the table cleared where the test wants it."""
    stream = bytearray(b"\x1f\x9d" + bytes([0x80 | widest]))
    group: list[int] = []
    bits, after, table = 9, 257, {bytes([value]): value for value in range(256)}

    def flush(whole=True):
        number = sum(code << bits * index for index, code in enumerate(group))
        size = bits if whole else -(-bits * len(group) // 8)
        stream.extend(number.to_bytes(size, "little"))
        group.clear()

    def put(code):
        nonlocal bits
        group.append(code)
        if code == 256:
            flush()
            bits = 9
        elif after == 1 << bits and bits < widest:
            flush()
            bits += 1
        elif len(group) == 8:
            flush()

    word = b""
    for index in range(len(data)):
        byte = data[index : index + 1]
        if word + byte in table:
            word += byte
            continue
        put(table[word])
        if after < 1 << widest:
            table[word + byte] = after
            after += 1
        word = byte
        if index in clear_at:
            put(256)
            after, table = 257, {bytes([value]): value for value in range(256)}
    put(table[word])
    flush(whole=False)
    return bytes(stream)


@pytest.mark.parametrize("widest", [10, 12, 16])
@pytest.mark.parametrize("clear_at", [(), (5, 5000), range(0, 20_000, 777)], ids=len)
def test_decompress_undoes_compress(widest, clear_at):
    text = ", ".join(f"{value:.4f}" for value in RNG.uniform(-1, 1, 3000)).encode()
    for data in (text, b"a" * 20_000, bytes(range(256)) * 20, b"x"):
        packed = compress(data, widest, clear_at)
        assert decompress(packed) == data
        if shutil.which("gzip"):  # which knows the format, so that both are not wrong together
            unpacked = subprocess.run(
                ["gzip", "-dc"], input=packed, capture_output=True, check=True
            )
            assert unpacked.stdout == data


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a file of compress"),
        (b"\x1f\x9d", "not a file of compress"),
        (gzip.compress(b"text", mtime=0), "not a file of compress"),
        (b"\x1f\x9d\x90\xff\xff\xff", "no code 511 at byte 3"),
    ],
)
def test_what_is_not_of_compress_is_refused(data, message):
    with pytest.raises(ValueError, match=message):
        decompress(data)


def test_what_expands_without_end_is_refused(monkeypatch):
    monkeypatch.setattr(compress_module, "_LARGEST", 10_000)
    with pytest.raises(ValueError, match="it holds more than 10000 bytes"):
        decompress(compress(b"a" * 10_001))
    assert decompress(compress(b"a" * 10_000)) == b"a" * 10_000


# --- builders


def test_builder_reads_the_manual_directory_and_load_what_it_wrote(tmp_path, no_network):
    import tensorflow_datasets as tfds

    from experiments.data.builders import BUILDERS

    manual, prepared = tmp_path / "manual", tmp_path / "prepared"
    manual.mkdir()
    x, y = write_mice(manual)
    builder = BUILDERS["mice_protein"](data_dir=str(prepared))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(manual))
    )
    assert builder.info.splits["train"].num_examples == 1080
    assert builder.info.features["label"].names == list(sets.MICE)
    rows = [(row["features"], row["label"]) for row in tfds.as_numpy(builder.as_dataset("train"))]
    np.testing.assert_array_equal([row for row, _ in rows], x)
    np.testing.assert_array_equal([label for _, label in rows], y)
    for protocol in ("clean", "published"):
        one, two = (
            load("mice_protein", data_dir=folder, protocol=protocol, seed=5)
            for folder in (manual, prepared)
        )
        assert all(map(np.array_equal, one, two))


def test_builder_keeps_an_official_split(tmp_path, shorten, no_network):
    import tensorflow_datasets as tfds

    from experiments.data.builders import BUILDERS

    folder = tmp_path / "downloads" / "manual"  # where tensorflow-datasets looks by itself
    folder.mkdir(parents=True)
    parts = write_isolet(folder)
    shorten("isolet", (52, 26))
    builder = BUILDERS["isolet"](config="uci", data_dir=str(tmp_path))
    builder.download_and_prepare(
        download_config=tfds.download.DownloadConfig(manual_dir=str(folder))
    )
    for part, (x, y) in zip(("train", "test"), parts, strict=True):
        rows = tfds.as_numpy(builder.as_dataset(part, batch_size=-1))
        np.testing.assert_array_equal(rows["features"], x)
        np.testing.assert_array_equal(rows["label"], y)
    by_file = load("isolet", data_dir=tmp_path)
    shutil.rmtree(folder)
    assert all(map(np.array_equal, by_file, load("isolet", data_dir=tmp_path)))


@pytest.fixture
def publish(monkeypatch, shorten):
    """Let the first source of a data set have other addresses and fewer samples."""

    def publish(name, rows, urls):
        data = shorten(name, rows)
        first = replace(data.sources[0], urls=urls)
        monkeypatch.setitem(TABULAR, name, replace(data, sources=(first, *data.sources[1:])))

    return publish


def test_an_archive_is_downloaded_and_unpacked(tmp_path, served, publish):
    folder, address = served
    (tmp_path / "dataset_uci").mkdir()
    write_activity(tmp_path / "dataset_uci")
    shutil.make_archive(str(folder / "dataset_uci"), "zip", tmp_path, "dataset_uci")
    publish("activity", (12, 6), (f"{address}/dataset_uci.zip",))
    split = load("activity", data_dir=tmp_path / "data")
    expected = load("activity", data_dir=tmp_path)
    assert all(map(np.array_equal, split, expected))
    shutil.rmtree(folder)
    assert all(map(np.array_equal, load("activity", data_dir=tmp_path / "data"), expected))


def test_packed_files_are_downloaded(tmp_path, served, publish):
    folder, address = served
    write_isolet(folder, suffix=".Z")
    files = ("isolet1+2+3+4.data.Z", "isolet5.data.Z")
    publish("isolet", (52, 26), tuple(f"{address}/{file}" for file in files))
    split = load("isolet", data_dir=tmp_path / "data")
    assert all(map(np.array_equal, split, load("isolet", data_dir=folder)))


def test_a_download_with_another_checksum_is_refused(tmp_path, served, publish, monkeypatch):
    import tensorflow_datasets as tfds

    from experiments.data.builders import BUILDERS

    folder, address = served
    write_mice(folder)
    url = f"{address}/Data_Cortex_Nuclear.csv"
    publish("mice_protein", (1080, 0), (url,))
    known = tfds.core.download.checksums.UrlInfo(1, "0" * 64, "Data_Cortex_Nuclear.csv")
    monkeypatch.setattr(BUILDERS["mice_protein"], "url_infos", {url: known})
    with pytest.raises(OSError, match=r"download of mice_protein is not what it was.*checksum"):
        load("mice_protein", data_dir=tmp_path / "data")


def test_downloads_have_checksums_where_a_copy_was_at_hand():
    from experiments.data.builders import BUILDERS

    known = set(BUILDERS["isolet"].url_infos)
    urls = {
        source.variant: set(source.urls) for data in TABULAR.values() for source in data.sources
    }
    assert known == urls["csv"] | urls["matlab"] | urls["fifth"]
    assert all(len(info.checksum) == 64 for info in BUILDERS["isolet"].url_infos.values())
    assert set(BUILDERS) == set(TABULAR)


@pytest.mark.parametrize("name", ["isolet", "coil20", "mice_protein", "activity"])
def test_missing_data_without_network_is_said_at_once(name, tmp_path, no_network):
    start = time.monotonic()
    host = TABULAR[name].sources[0].urls[0].split("/")[2]
    with pytest.raises(FileNotFoundError, match=rf"no answer from https?://{host}.*name='{name}'"):
        load(name, data_dir=tmp_path)
    assert time.monotonic() - start < 20


# --- load


def test_published_digits_are_digits(digits):
    assert all(map(np.array_equal, load("digits", protocol="published"), digits))


def test_bad_settings_are_named(tmp_path, no_network):
    with pytest.raises(ValueError, match=r"`protocol` of load .*Did you mean 'clean'.*'clen'"):
        load("digits", protocol="clen")
    for seed in (-1, 1.5):
        with pytest.raises(ValueError, match=rf"`seed` of load .*Received: seed={seed}"):
            load("mice_protein", data_dir=tmp_path, seed=seed)
    with pytest.raises(ValueError, match=r"Did you mean 'isolet'.* Received: name='isolt'"):
        load("isolt", data_dir=tmp_path)


def test_sources_say_what_they_need():
    for data in TABULAR.values():
        assert data.homepage.startswith("https://")
        for source in data.sources:
            assert len(source.urls) in (1, len(source.files))
    assert Source("v", ("a",), sets.read_letters, (1, 0), ("u",)).find(Path("nowhere")) is None
