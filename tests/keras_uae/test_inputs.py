"""Whatever holds the samples: taken as an array, or refused with the way out."""

import re
from pathlib import Path

import keras
import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

import keras_uae as uae
from keras_uae._checks import check_samples, check_tensor
from keras_uae._datasets import read_data
from keras_uae._inputs import (
    as_array,
    as_labels,
    check_representable,
    check_shape,
    clip_rounding,
    rounding,
)
from keras_uae.sharding import Shards, generate_shards
from tests import tiny_models

COUNT, CLASSES = 10, 3
BFLOAT16 = np.dtype(tf.bfloat16.as_numpy_dtype)
dataset = tf.data.Dataset.from_tensor_slices


class Frame:
    """What frames of pandas and polars have in common."""

    def __init__(self, columns):
        self.columns = list(columns)
        self._values = list(columns.values())

    def to_numpy(self):
        kinds = {np.asarray(values).dtype.kind for values in self._values}
        return np.array(self._values, None if len(kinds) == 1 else object).T


class Batches(keras.utils.PyDataset):
    """Batches from a list; of no known number if that is `None`."""

    def __init__(self, *batches, number=True):
        super().__init__()
        self.batches, self.number = batches, number
        self.read = 0

    @property
    def num_batches(self):
        return len(self.batches) if self.number else None

    def __getitem__(self, index):
        self.read += 1
        return self.batches[index]


def images():
    return tiny_models.images(COUNT)


def labels():
    return np.arange(COUNT) % CLASSES


def classifier():
    inputs = keras.Input(tiny_models.SHAPE)
    return keras.Model(inputs, keras.layers.Dense(CLASSES)(keras.layers.Flatten()(inputs)))


def split(*parts):
    return [tuple(part[a : a + 4] for part in parts) for a in range(0, COUNT, 4)]


SAME = {
    "float64": lambda x: x.astype("float64"),
    "list": lambda x: x.tolist(),
    "tensor": tf.constant,
    "variable": lambda x: keras.Variable(x),
    "tf.data": lambda x: dataset(x).batch(4),
    "tf.data of pairs": lambda x: dataset((x, labels())).batch(4),
    "tf.data of triples": lambda x: dataset((x, labels(), labels())).batch(4),
    "tf.data of static batches": lambda x: dataset(x).batch(5, drop_remainder=True),
    "PyDataset": lambda x: Batches(*split(x)),
    "PyDataset of arrays": lambda x: Batches(x[:4], x[4:]),
    "PyDataset of tensors": lambda x: Batches(tf.constant(x[:4]), tf.constant(x[4:])),
    "PyDataset of pairs": lambda x: Batches(*split(x, labels())),
    "PyDataset of lists": lambda x: Batches(*map(list, split(x, labels()))),
    "PyDataset without targets": lambda x: Batches(*((part, None) for (part,) in split(x))),
    "augmentation": lambda x: uae.UAEAugmentation(x, [], shuffle=False, batch_size=3),
}


@pytest.fixture(scope="module")
def attack():
    return uae.MinMaxAttack(tiny_models.dense(), similarity="gaussian", steps=2)


@pytest.mark.parametrize("make", SAME.values(), ids=SAME)
def test_the_attack_finds_the_same_whatever_holds_the_samples(attack, make):
    expected = attack.generate(images(), batch_size=4, verbose=0)
    found = attack.generate(make(images()), batch_size=4, verbose=0)
    np.testing.assert_array_equal(found.x, expected.x)
    batches = attack.batches(make(images()), batch_size=4)
    np.testing.assert_array_equal(np.concatenate([each.x for each in batches]), expected.x)


def test_frames_are_samples():
    x = np.random.default_rng(0).random((COUNT, 3)).astype("float32")
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(3)(inputs))
    attack = uae.MinMaxAttack(model, similarity="gaussian", steps=2)
    frame = Frame({"a": x[:, 0], "b": x[:, 1], "c": x[:, 2]})
    expected = attack.generate(x, verbose=0)
    np.testing.assert_array_equal(attack.generate(frame, verbose=0).x, expected.x)
    assert len(uae.UAEAugmentation(frame, frame, batch_size=5)) == 4


def test_a_frame_of_numbers_of_several_kinds_is_one_of_floats():
    mixed = Frame({"a": [1, 2], "b": [0.5, 0.25], "c": [True, False]})
    assert mixed.to_numpy().dtype == object
    values = as_array("f", "x", mixed)
    assert values.dtype == np.float64
    np.testing.assert_array_equal(values, [[1, 0.5, 1], [2, 0.25, 0]])
    for other in (["x", "y"], [1, None]):
        with pytest.raises(ValueError, match=r"`x` of f .*fill or encode.* with the columns 'b'\."):
            as_array("f", "x", Frame({"a": [1, 2], "b": other}))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_libraries(library):
    module = pytest.importorskip(library)
    frame = module.DataFrame({"a": [1, 2], "b": [0.5, 0.25]})
    np.testing.assert_array_equal(as_array("f", "x", frame), [[1, 0.5], [2, 0.25]])
    np.testing.assert_array_equal(as_labels("f", frame["a"]), [1, 2])
    np.testing.assert_array_equal(as_labels("f", module.DataFrame({"y": [1, 2]})), [1, 2])
    with pytest.raises(ValueError, match="with the columns 'b'"):
        as_array("f", "x", module.DataFrame({"a": [1, 2], "b": ["x", "y"]}))


@pytest.mark.parametrize("dtype", ["float16", BFLOAT16], ids=str)
def test_half_precision_is_attacked_as_it_is(attack, dtype):
    x = images().astype(dtype)
    found = attack.generate(x, verbose=0)
    assert found.x.dtype == np.float32
    expected = attack.generate(x.astype("float32"), verbose=0)
    np.testing.assert_array_equal(found.x, expected.x)
    data = uae.UAEAugmentation(x, tf.constant(x.astype("float32"), "bfloat16"), shuffle=False)
    np.testing.assert_array_equal(data[0][0][:COUNT], x.astype("float32"))


def test_memory_maps_stay_where_they_are(tmp_path):
    np.save(tmp_path / "x.npy", images())
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    assert read_data("f", mapped).x is mapped
    assert check_samples("f", mapped, bounds=(0, 1)) is mapped
    # what numpy makes of a dtype that it does not know
    np.save(tmp_path / "half.npy", images().astype(BFLOAT16))
    half = np.load(tmp_path / "half.npy", mmap_mode="r")
    with pytest.raises(ValueError, match=r"x\.view\('bfloat16'\), if .*dtype \|V2"):
        check_samples("f", half, bounds=(0, 1))
    viewed = half.view("bfloat16")
    assert check_samples("f", viewed, bounds=(0, 1)) is viewed


def test_a_data_set_is_read_once(attack):
    data = Batches(*split(images()))
    attack.generate(data, verbose=0)
    assert data.read == len(data.batches)


def test_a_data_set_that_shuffles_is_warned_of(attack):
    x = images()
    shuffled = dataset((x, labels())).shuffle(COUNT, seed=0).batch(4)
    with pytest.warns(UserWarning, match="`x` of MinMaxAttack.generate has other") as first:
        attack.generate(shuffled, verbose=0)
    with pytest.warns(UserWarning, match="`x` of UAEAugmentation has other samples") as second:
        uae.UAEAugmentation(shuffled, x)
    assert [each.filename for each in (*first, *second)] == [__file__] * 2
    once = dataset((x, labels())).shuffle(COUNT, reshuffle_each_iteration=False).batch(4)
    attack.generate(once, verbose=0)
    for found, settings in ((x, {"y": None}), ([], {"y": labels()})):  # nothing to be paired
        uae.UAEAugmentation(shuffled.map(lambda x, y: x), found, **settings)


# values outside the bounds by rounding


def test_rounding_is_that_of_the_dtype_but_of_single_precision_at_least():
    single = 4 * 2**-23
    for dtype, expected in (
        ("float32", single),
        ("float64", single),
        ("float16", 4 * 2**-10),
        (BFLOAT16, 4 * 2**-7),
        ("uint8", 0),
    ):
        assert rounding(np.dtype(dtype), 0, 1) == expected
        assert rounding(np.dtype(dtype), -255, 1) == 255 * expected
    per_feature = rounding(np.dtype("float32"), np.zeros(2), np.array([1.0, 255.0]))
    np.testing.assert_array_equal(per_feature, [single, 255 * single])
    assert rounding(np.dtype("float32"), -np.inf, np.inf) == np.inf


def test_clipping_takes_scalars_and_arrays():
    x = np.array([[1.0000001, 255.00002], [-1e-8, -1e-6]], np.float32)
    np.testing.assert_array_equal(clip_rounding(x, 0.0, np.array([1.0, 255.0])), [[1, 255], [0, 0]])
    assert clip_rounding(x, 0.0, 1.0).dtype == np.float32
    assert clip_rounding(np.array([3], np.uint8), 0.0, 1.0).dtype == np.uint8


@pytest.mark.parametrize(
    ("dtype", "value"),
    [("float32", 1.0000001), ("float64", 1 + 1e-9), ("float16", 1.001), (BFLOAT16, 1.0078125)],
    ids=str,
)
def test_what_rounding_has_put_outside_is_on_the_bound(attack, dtype, value):
    x = images().astype(dtype)
    x[0, 0, 0, 0] = value
    assert x[0, 0, 0, 0] > 1
    found = attack.generate(x, verbose=0)
    assert found.x.max() <= 1
    on_bound = np.minimum(x, np.ones((), dtype))
    np.testing.assert_array_equal(found.x, attack.generate(on_bound, verbose=0).x)
    x[0, 0, 0, 0] = 1.05
    with pytest.raises(ValueError, match=r"must lie inside bounds=\(0\.0, 1\.0\)"):
        attack.generate(x, verbose=0)


def test_shards_are_of_the_samples_on_the_bound(attack, tmp_path):
    x = images()
    x[0, 0, 0, 0] = 1.0000001
    generate_shards(attack, x, tmp_path / "uaes")
    found = Shards(tmp_path / "uaes").samples()[np.arange(COUNT)]
    assert found.max() <= 1
    pairs, labelled = (dataset((x, other)).batch(4) for other in (x, labels()))
    for originals, y in ((x, None), (pairs, None), (labelled, labels())):
        data = uae.UAEAugmentation.from_shards(tmp_path / "uaes", originals, batch_size=COUNT)
        assert len(data) == 2
        np.testing.assert_array_equal(data.y, y)


# labels


def test_targets_of_a_data_set_are_the_labels_of_a_criterion_that_takes_any(tmp_path):
    attack = uae.MinMaxAttack(
        classifier(),
        criterion=uae.Misclassification(targeted=True),
        objective="maximize",
        similarity="gaussian",
        steps=2,
        initial_radius=0.4,
    )
    x, y = images(), labels()
    expected = attack.generate(x, y, verbose=0)
    pairs = dataset((x, y)).batch(4)
    others = dataset((x, (y + 1) % CLASSES)).batch(4)
    for data, given in ((pairs, None), (others, y), (x, y[:, None]), (x, Frame({"y": y}))):
        np.testing.assert_array_equal(attack.generate(data, given, verbose=0).x, expected.x)
    assert not np.array_equal(attack.generate(others, verbose=0).x, expected.x)
    with pytest.raises(ValueError, match=r"`y` of MinMaxAttack.generate must hold the class"):
        attack.generate(dataset(x).batch(4), verbose=0)
    for number, (data, given) in enumerate(((pairs, None), (x, y[:, None]), (others, y))):
        generate_shards(attack, data, tmp_path / str(number), given, batch_size=COUNT)
        samples = Shards(tmp_path / str(number)).samples()[np.arange(COUNT)]
        np.testing.assert_allclose(samples, expected.x, atol=1e-6)


# what is refused, and how

X = np.zeros((COUNT, 6, 6, 1), np.float32)
REFUSED = {
    "unbatched": (lambda: dataset(X), "batches: give x.batch(256). .* shape (6, 6, 1)."),
    "unbatched pairs": (lambda: dataset((X, labels())), "give x.batch(256). .* (6, 6, 1), ()."),
    "infinite": (lambda: dataset(X).batch(4).repeat(), "come to an end: .* give x.take(n)."),
    "no batch": (lambda: dataset(X).batch(4).take(0), "one batch or more, .* no batch."),
    "records": (
        lambda: dataset({"image": X, "label": labels()}).batch(4),
        "(x, y) or .* one array each: x.map(function) .* dict with the keys image, label",
    ),
    "several targets": (
        lambda: dataset((X, {"a": labels()})).batch(4),
        "one array each: .* a dict with the keys a.",
    ),
    "infinite PyDataset": (lambda: Batches(X, number=False), "`num_batches` must be an integer."),
    "PyDataset of samples": (lambda: Batches((X[0], 1)), "(6, 6, 1), ()."),
    "PyDataset of records": (lambda: Batches({"a": X}), "a dict with the keys a."),
    "PyDataset of other shapes": (lambda: Batches(X, X[:, :5]), "samples of equal shape."),
    "PyDataset of other lengths": (lambda: Batches((X, labels()[:3])), "all parts as long"),
    "generator": (lambda: iter(X), "give np.concatenate(list(x)) if it yields batches."),
    "path": (lambda: Path("x.npy"), "of a file give np.load(x, mmap_mode='r')."),
    "name of a file": (lambda: "x.npy", "of a file give np.load(x, mmap_mode='r'). .* type str."),
    "ragged list": (lambda: [[1.0], [2.0, 3.0]], "as many numbers in every sample. .* type list ("),
    "ragged tensor": (lambda: tf.ragged.constant([[1.0], [2.0, 3.0]]), "give x.to_tensor()."),
    "sparse matrix": (lambda: scipy.sparse.eye(3), "give x.toarray()."),
    "sparse tensor": (
        lambda: tf.sparse.from_dense([[1.0, 0.0]]),
        "give tf.sparse.to_dense(x).",
    ),
    "masked array": (lambda: np.ma.masked_equal(X, 0), "give x.filled(0), or drop"),
    "symbol": (lambda: keras.Input((3,)), "must be an array, .* type KerasTensor"),
    "nothing": (lambda: None, "must be an array, tensor, frame or list, .* type NoneType."),
    "one number": (lambda: 0.5, "(samples, ...). Received: x of shape (), the single value"),
    "one vector": (lambda: np.zeros(3), "One sample is a batch of one: x[None]. .* shape (3,)."),
    "booleans": (lambda: X > 0, "must hold real numbers: x.astype('float32')."),
    "one image": (lambda: X[0], "model takes, (None, 6, 6, 1). Give x[None]. .* (6, 6, 1)."),
    "no channels": (lambda: X[..., 0], "Give x[..., None]. Received: x of shape (10, 6, 6)."),
    "one image, no channels": (lambda: X[0, ..., 0], "Give x[None, ..., None]. .* shape (6, 6)."),
    "data set without channels": (lambda: dataset(X[..., 0]).batch(4), "Give x[..., None]."),
    "channels first": (lambda: X.reshape(COUNT, 1, 6, 6), "Give np.moveaxis(x, 1, -1)."),
    "pixels": (lambda: X.reshape(COUNT, 36), "Give x.reshape(-1, 6, 6, 1)."),
    "another size": (lambda: X[:, :5], "(None, 6, 6, 1). Received: x of shape (10, 5, 6, 1)."),
}


def pattern(message):
    """`message` as a regular expression in which only `.*` is special."""
    return ".*".join(map(re.escape, message.split(".*")))


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=REFUSED)
def test_everything_else_is_refused_with_the_way_out(attack, make, message):
    with pytest.raises(ValueError, match=pattern(f"`x` of MinMaxAttack.generate .*{message}")):
        attack.generate(make(), verbose=0)


def test_the_result_of_an_attack_is_no_samples(attack):
    found = attack.generate(images(), verbose=0)
    with pytest.raises(ValueError, match=r": give x\.x\. Received: x of type UAEs"):
        attack.generate(found, verbose=0)


SEVERAL = {"dict": {"image": X, "table": X[:, 0, :, 0]}, "list": [X, X[:, 0, :, 0]]}


@pytest.mark.parametrize("several", SEVERAL.values(), ids=SEVERAL)
def test_several_inputs_are_for_an_attack_alone(several):
    message = r"`x` of UAEAugmentation .* several inputs `generate` alone takes .*`attacked`"
    with pytest.raises(ValueError, match=message):
        uae.UAEAugmentation(several, [])


@pytest.mark.parametrize("bounds", ["data", "features"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_the_sample_without_bounds_is_named(bounds, value):
    x = np.random.default_rng(0).random((6, *tiny_models.SHAPE)).astype("float32")
    x[4, 0, 0, 0] = value
    attack = uae.PGDAttack(tiny_models.convolutional(), bounds=bounds)
    with pytest.raises(ValueError, match=f"bounds='{bounds}' must be finite.*the first at index 4"):
        attack.generate(x, verbose=0)
    with pytest.raises(ValueError, match=f"differ where bounds='{bounds}': give the bounds as num"):
        attack.generate(x[:1] * 0 + 0.5, verbose=0)


@pytest.mark.parametrize("make", [SAME["tf.data"], SAME["augmentation"]])
def test_functions_of_arrays_say_so(make):
    message = r"`x` of reconstruction_error must be an array, .* what the data set was made of\."
    with pytest.raises(ValueError, match=message):
        uae.reconstruction_error(tiny_models.dense(), make(images()))


def test_flat_samples_are_asked_for():
    with pytest.raises(ValueError, match=r"Give x\.reshape\(len\(x\), -1\)"):
        check_shape("f", "x", (COUNT, 6, 6, 1), (None, 36))
    check_shape("f", "x", (COUNT, 6, 6, 1), (None, None, None, 1))
    check_shape("f", "x", (COUNT, 6), None)


def test_values_that_single_precision_has_not_are_refused():
    large = np.array([[1.0, 1e39]])
    message = r"`x` of f must fit into float32, .* dtype float64 with values up to 1e\+39"
    with pytest.raises(ValueError, match=message):
        check_representable("f", large, name="x")
    check_representable("f", np.array([[1.0, 3e38]]), name="x")
    check_representable("f", np.array([[2**62]]), name="x")


@pytest.mark.parametrize(("dtype", "inside"), [("float32", 2e-7), ("float16", 2e-3)])
def test_a_layer_takes_what_an_array_may_be_off_by_rounding_and_no_more(dtype, inside):
    @tf.function
    def graph(x):
        return check_tensor("Layer", x, bounds=(0, 1))

    for check in (lambda x: check_samples("Layer", x, bounds=(0, 1)), graph, graph.python_function):
        near, far = (tf.constant([[0, 1 + each]], dtype) for each in (inside, 10 * inside))
        np.testing.assert_array_equal(check(near), near)
        with pytest.raises((ValueError, tf.errors.InvalidArgumentError), match="must lie inside"):
            check(far)
        with pytest.raises(ValueError, match=r"holds integers.*dtype uint8"):
            check(tf.constant([[0, 1]], tf.uint8))
