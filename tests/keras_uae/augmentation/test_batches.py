"""What a batch of UAEAugmentation holds besides the samples, and what it is made of."""

import gc
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_uae as uae
from keras_uae.augmentation import RefreshUAEs, UAEAugmentation, augment_in_rounds, dataset
from tests.keras_uae.augmentation.test_dataset import ROWS, FakeAttack, Recorder, numbered, uaes

LABELS = {
    "int64": np.arange(ROWS),
    "uint8": np.arange(ROWS, dtype="uint8"),
    "bool": np.arange(ROWS) % 2 == 0,
    "column": np.arange(ROWS)[:, None],
    "one-hot": np.eye(ROWS, dtype="int32"),
    "real one-hot": np.eye(ROWS),
    "half": np.arange(ROWS).astype("float16"),
}


@pytest.mark.parametrize("labels", LABELS.values(), ids=LABELS)
def test_labels_keep_their_dtype_and_reals_are_single(labels):
    data = UAEAugmentation(numbered(0), numbered(100), labels, batch_size=3)
    dtype = labels.dtype if labels.dtype.kind in "iub" else np.dtype("float32")
    for inputs, targets in data:
        rows = inputs[:, 0].astype(int) % 100
        assert (inputs.dtype, targets.dtype) == (np.float32, dtype)
        np.testing.assert_array_equal(targets, labels[rows])
    for ours, theirs in zip(
        UAEAugmentation(numbered(0), numbered(100), labels, batch_size=3).as_tf_dataset(),
        data,
        strict=True,
    ):
        assert ours[1].dtype == dtype
        np.testing.assert_array_equal(ours[1], theirs[1])


def test_a_classifier_learns_from_integers():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(ROWS, activation="softmax")])
    model.compile("adam", "sparse_categorical_crossentropy", weighted_metrics=["accuracy"])
    data = UAEAugmentation(
        numbered(0), numbered(0), np.arange(ROWS), sample_weight=np.ones(ROWS), batch_size=4
    )
    for form in (data, data.as_tf_dataset()):
        assert np.isfinite(model.fit(form, verbose=0, shuffle=False).history["loss"][0])


@pytest.mark.parametrize("target", ["self", "clean", "labels"])
def test_weights_belong_to_rows_and_their_examples(target):
    weights = np.arange(ROWS) / 7
    given = {"y": np.arange(ROWS)} if target == "labels" else {"target": target}
    data, twin = (
        UAEAugmentation(numbered(0), numbered(100), sample_weight=weights, batch_size=3, **given)
        for _ in "ab"
    )
    bare = UAEAugmentation(numbered(0), numbered(100), batch_size=3, **given)
    for ours, form, without in zip(data, twin.as_tf_dataset(), bare, strict=True):
        for part, expected in zip(ours, without, strict=False):
            np.testing.assert_array_equal(part, expected)
        assert ours[2].dtype == np.float32
        np.testing.assert_array_equal(
            ours[2], weights[ours[0][:, 0].astype(int) % 100].astype("float32")
        )
        for part, expected in zip(form, ours, strict=True):
            np.testing.assert_array_equal(part, expected)


FORMS = {
    "self": {},
    "clean": {"target": "clean"},
    "labels": {"y": np.arange(ROWS)},
    "weights": {"sample_weight": np.arange(ROWS) / 7},
    "inputs alone": {"targets": False},
    "in order": {"shuffle": False},
}


@pytest.mark.parametrize("settings", FORMS.values(), ids=FORMS)
def test_one_long_epoch_has_the_batches_of_many(settings):
    data = UAEAugmentation(numbered(0), numbered(100), batch_size=3, seed=5, **settings)
    steps = 2 * len(data) + 1
    whole = data.as_one_epoch(steps)
    assert int(whole.cardinality()) == steps
    assert 2 * ROWS % 3  # the last batch of an epoch is smaller
    for _ in "ab":  # it is the same each time
        for step, batch in enumerate(whole):
            data.epoch, index = divmod(step, len(data))
            expected = data[index]
            tf.nest.assert_same_structure(batch, expected)
            for ours, theirs in zip(tf.nest.flatten(batch), tf.nest.flatten(expected), strict=True):
                assert ours.dtype == theirs.dtype
                np.testing.assert_array_equal(ours, theirs)
        data.epoch = 0


def test_what_one_long_epoch_has_copied_goes_when_the_next_is_made(monkeypatch):
    monkeypatch.setattr(dataset, "_LARGE", 0)
    shape = (2 * ROWS, 7)

    def copies():
        tensors = [each for each in gc.get_objects() if isinstance(each, tf.Tensor)]
        return sum(each.shape == shape for each in tensors)

    data = UAEAugmentation(np.zeros((ROWS, 7)), np.ones((ROWS, 7)), batch_size=3)
    model = keras.Sequential([keras.Input((7,)), keras.layers.Dense(7)])
    model.compile("sgd", "mse")
    gc.disable()  # Python itself may collect at any time, or not for long
    try:
        counts = []
        for _ in range(3):
            model.fit(data.as_one_epoch(5), shuffle=False, verbose=0)
            counts.append(copies())
    finally:
        gc.enable()
    assert counts[0] > 0
    assert counts[1:] == [counts[0]] * 2


def test_one_long_epoch_has_a_step():
    data = UAEAugmentation(numbered(0), [], batch_size=3)
    with pytest.raises(ValueError, match=r"`steps` of UAEAugmentation.as_one_epoch .* steps=0"):
        data.as_one_epoch(0)


def test_inputs_alone_for_a_step_that_takes_nothing_else():
    class Alone(Recorder):
        def train_step(self, x):
            assert tf.is_tensor(x)
            return super().train_step((x,))

    data = UAEAugmentation(numbered(0), numbered(100), targets=False, batch_size=4)
    assert data.as_tf_dataset().element_spec == tf.TensorSpec((None, 3), tf.float32)
    assert all(type(batch) is np.ndarray for batch in data)
    with_targets = UAEAugmentation(numbered(0), numbered(100), batch_size=4)
    model = Alone()
    model.fit(data.as_tf_dataset(), shuffle=False, verbose=0)
    for (inputs,), (expected, _) in zip(model.batches, with_targets, strict=True):
        np.testing.assert_array_equal(inputs, expected)
    # Keras makes a tuple of what a PyDataset gives
    model = Recorder()
    model.fit(UAEAugmentation(numbered(0), [], targets=False), shuffle=False, verbose=0)
    assert [len(batch) for batch in model.batches] == [1]


def test_len_is_the_number_of_batches():
    data = UAEAugmentation(numbered(0), numbered(100), batch_size=6)
    assert len(data) == data.num_batches == len(list(data)) == 4


def test_a_data_set_brings_its_targets_and_weights():
    x, y, weights = numbered(0), np.arange(ROWS), np.arange(ROWS) / 7
    triples = tf.data.Dataset.from_tensor_slices((x, y, weights)).batch(4)
    data = UAEAugmentation(triples, numbered(100), batch_size=5)
    np.testing.assert_array_equal(data.x, x)
    np.testing.assert_array_equal(data.y, y)
    np.testing.assert_array_equal(data.sample_weight, weights)
    given = UAEAugmentation(triples, numbered(100), y + 1)
    np.testing.assert_array_equal(given.y, y + 1)
    alone = UAEAugmentation(triples, numbered(100), targets=False)
    assert (alone.y, alone.sample_weight) == (None, None)
    # an autoencoder's own pairs do not make targets of their own
    pairs = tf.data.Dataset.from_tensor_slices((x, x)).batch(4)
    assert UAEAugmentation(pairs, numbered(100)).y is None
    assert UAEAugmentation(pairs, numbered(100), target="clean").y is None


class Supervised(FakeAttack):
    """Takes labels, as an attack on a classifier does."""

    criterion = uae.Misclassification()

    def __init__(self, model=None):
        super().__init__(model)
        inputs = keras.Input((3,))
        classifier = keras.Model(inputs, keras.layers.Dense(ROWS)(inputs))
        self.criterion = uae.Misclassification(classifier)
        self.labels = []

    def generate(self, x, y=None, **settings):
        self.labels.append(y)
        return super().generate(x, **settings)


def test_rounds_read_a_data_set_once_and_hand_on_labels():
    reads, attacks = [], []

    def read():
        reads.append(True)
        yield numbered(0), np.arange(ROWS)[:, None]

    spec = tf.TensorSpec((None, 3), tf.float32), tf.TensorSpec((None, 1), tf.int64)
    data = tf.data.Dataset.from_generator(read, output_signature=spec)

    def make_attack(model):
        attacks.append(Supervised(model))
        return attacks[-1]

    steps = augment_in_rounds(Recorder, lambda model, data: None, make_attack, data, rounds=2)
    assert [len(step.found) for step in steps] == [0, 1, 2]
    assert len(reads) == 1
    for attack in attacks:
        np.testing.assert_array_equal(attack.labels[0], np.arange(ROWS))


def test_refresh_hands_on_a_column_of_labels():
    attack = Supervised(Recorder())
    data = UAEAugmentation(numbered(0), numbered(0), np.arange(ROWS)[:, None])
    RefreshUAEs(data, attack).on_epoch_begin(1)
    np.testing.assert_array_equal(attack.labels[0], np.arange(ROWS))


BAD = {
    "y before found": (
        {"found": np.arange(ROWS), "y": uaes(numbered(100))},
        "`y` .* come last: UAEAugmentation(x, found, y). Received: UAEs as y, of type UAEs.",
    ),
    "y before several sets": (
        {"found": np.arange(ROWS), "y": [uaes(numbered(100))]},
        "`y` .* UAEAugmentation(x, found, y). Received: UAEs as y, of type list.",
    ),
    "y before an array": (
        {"found": np.arange(ROWS), "y": numbered(100)},
        "`found` .* labels come last, UAEAugmentation(x, found, y). Received: found of shape (10,)",
    ),
    "y by name": (
        {"y": {"a": np.arange(ROWS), "b": np.arange(ROWS)}},
        "`y` .* one array, .* as_tf_dataset().map(function). Received: y of type dict with 2",
    ),
    "two outputs": (
        {"y": (np.arange(ROWS), np.eye(ROWS))},
        "`y` .* one array, .* Received: y of type tuple with 2 items",
    ),
    "two outputs in a list": ({"y": [np.arange(ROWS), np.eye(ROWS)]}, "`y` .* must be an array"),
    "y of text": ({"y": np.full(ROWS, "a")}, "`y` .* real numbers. Received: y of dtype <U1"),
    "x too large": (
        {"x": numbered(0).astype("float64") + 1e39},
        "`x` .* fit into float32, .* scale it. .* dtype float64 with values up to 1e+39",
    ),
    "found too large": ({"found": [np.full((ROWS, 3), -1e39)]}, "`found[0]` .* fit into float32"),
    "y too large": ({"y": np.full(ROWS, 1e39)}, "`y` .* fit into float32"),
    "weights too few": (
        {"sample_weight": np.ones(9)},
        "`sample_weight` .* one number for each of `x`, shape (10,). .* shape (9,)",
    ),
    "weights of NaN": ({"sample_weight": np.full(ROWS, np.nan)}, "`sample_weight` .* finite"),
    "weights of other rows": (
        {"found": numbered(100, 9), "sample_weight": np.ones(ROWS)},
        "`found` .* 10 rows, .* and sample_weight=None. Received: found of 9 rows",
    ),
    "inputs alone and targets": (
        {"y": np.arange(ROWS), "targets": False},
        "`targets` .* True where `y`, `target` or `sample_weight` is given. .* targets=False",
    ),
    "inputs alone and weights": (
        {"sample_weight": np.ones(ROWS), "targets": False},
        "`targets` .* must be True",
    ),
    "targets no boolean": ({"targets": "no"}, "`targets` .* True or False. Received: targets='no'"),
}


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(change, message):
    arguments = {"x": numbered(0), "found": numbered(100)} | change
    escaped = ".*".join(map(re.escape, message.split(".*")))
    with pytest.raises(ValueError, match=escaped) as caught:
        UAEAugmentation(**arguments)
    assert "of UAEAugmentation must" in str(caught.value)
