"""The published TRADES classifier, from weights as PyTorch has them, against an NCHW oracle."""

import numpy as np
import pytest

from models import load_trades_classifier

SHAPES = {
    "feature_extractor.conv1": (32, 1, 3, 3),
    "feature_extractor.conv2": (32, 32, 3, 3),
    "feature_extractor.conv3": (64, 32, 3, 3),
    "feature_extractor.conv4": (64, 64, 3, 3),
    "classifier.fc1": (200, 64 * 4 * 4),
    "classifier.fc2": (200, 200),
    "classifier.fc3": (10, 200),
}


@pytest.fixture
def arrays():
    rng = np.random.default_rng(0)
    state = {}
    for name, shape in SHAPES.items():
        scale = np.sqrt(2 / np.prod(shape[1:]))
        state[f"{name}.weight"] = rng.normal(0, scale, shape).astype(np.float32)
        state[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    return state


@pytest.fixture
def load(tmp_path):
    """Load the classifier from arrays by way of a file."""

    def write_and_load(arrays):
        np.savez(tmp_path / "weights.npz", **arrays)
        return load_trades_classifier(tmp_path / "weights.npz")

    return write_and_load


def forward(arrays, x):
    """The module as published, images (n, channel, height, width)."""

    def convolve(x, name):
        windows = np.lib.stride_tricks.sliding_window_view(x, (3, 3), axis=(2, 3))
        maps = np.einsum("bchwij,ocij->bohw", windows, arrays[f"{name}.weight"], optimize=True)
        return np.maximum(maps + arrays[f"{name}.bias"][:, None, None], 0)

    def pool(x):
        n, c, h, w = x.shape
        return x.reshape(n, c, h // 2, 2, w // 2, 2).max(axis=(3, 5))

    def dense(x, name):
        return x @ arrays[f"{name}.weight"].T + arrays[f"{name}.bias"]

    names = iter(SHAPES)
    x = pool(convolve(convolve(x, next(names)), next(names)))
    x = pool(convolve(convolve(x, next(names)), next(names)))
    x = np.maximum(dense(x.reshape(len(x), -1), next(names)), 0)
    return dense(np.maximum(dense(x, next(names)), 0), next(names))


def test_logits_are_those_of_the_module(arrays, load):
    x = np.random.default_rng(1).random((3, 28, 28, 1), dtype=np.float32)
    expected = forward(arrays, x.transpose(0, 3, 1, 2))
    assert expected.std() > 0.1
    np.testing.assert_allclose(load(arrays)(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("classifier.fc1.weight", np.zeros((1024, 200)), r"shape \(200, 1024\) .*\(1024, 200\)"),
        ("feature_extractor.conv2.bias", np.zeros(3), r"Received: feature_.*bias of shape \(3,\)"),
        ("classifier.fc3.bias", np.full(10, np.nan), "fc3.bias of shape .* not all finite"),
        ("classifier.fc3.bias", np.arange(10), "fc3.bias of shape .* dtype int64"),
        ("classifier.fc4.bias", np.zeros(10), r"Received: without \[\], .*\['classifier.fc4.bias'"),
        ("classifier.fc3.bias", None, r"Received: without \['classifier.fc3.bias'\]"),
        ("classifier.fc3.bias", np.array([{}] * 10), r"plain arrays. Received: path=.*weights.npz"),
    ],
)
def test_files_of_other_arrays_are_refused(arrays, load, name, value, message):
    arrays = {key: array for key, array in (arrays | {name: value}).items() if array is not None}
    with pytest.raises(ValueError, match=f"`path` of load_trades_classifier .*{message}"):
        load(arrays)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"no arrays at all"])
def test_files_of_no_arrays_are_refused(content, tmp_path):
    path = tmp_path / "weights.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"must be an .npz file .*Received: path=.*weights.npz"):
        load_trades_classifier(path)
    np.save(tmp_path / "weights.npy", np.zeros(3))
    with pytest.raises(ValueError, match=r"must be an .npz file .*Received: path=.*weights.npy"):
        load_trades_classifier(tmp_path / "weights.npy")
    with pytest.raises(FileNotFoundError):
        load_trades_classifier(tmp_path / "none.npz")
