"""UAEAugmentation, its refresh and its rounds: order, alignment, epochs, threads, bad input."""

import itertools
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_uae.augmentation import RefreshUAEs, augment_in_rounds
from keras_uae.augmentation.dataset import UAEAugmentation, epoch_order
from keras_uae.results import UAEs

ROWS, FEATURES, BATCH = 10, 3, 4
NAN = float("nan")


def numbered(start, rows=ROWS):
    """Samples that tell their row: row i is start + i everywhere."""
    return np.repeat(np.arange(start, start + rows, dtype="float32")[:, None], FEATURES, axis=1)


def uaes(x):
    """A result around `x`; this module looks at nothing else but the success rate."""
    flags, values, counts = np.ones(len(x), bool), np.zeros(len(x)), np.ones(len(x), int)
    return UAEs(x, flags, values, values, values, counts, ~flags)


def linear_autoencoder():
    keras.utils.set_random_seed(3)
    model = keras.Sequential([keras.Input((FEATURES,)), keras.layers.Dense(FEATURES)])
    model.compile(keras.optimizers.SGD(1e-3), "mse")
    return model


def seen(data):
    """The first feature of all inputs of one pass, in order."""
    return np.concatenate([inputs[:, 0] for inputs, _ in data])


class Recorder(keras.Model):
    """Keeps the batches that `fit` really trains on, epoch after epoch."""

    def __init__(self):
        super().__init__()
        self.weight = self.add_weight(initializer="zeros")
        self.batches = []
        self.compile(run_eagerly=True, loss="mse", optimizer="sgd")

    def train_step(self, data):
        self.batches.append(tuple(part.numpy() for part in data))
        self.weight.assign_add(1.0)
        return {"loss": tf.constant(0.0)}

    def epochs(self, count):
        inputs = [inputs[:, 0] for inputs, _ in self.batches]
        size = len(inputs) // count
        return [np.concatenate(inputs[i * size : (i + 1) * size]) for i in range(count)]


class FakeAttack:
    """Notes the weight that it sees, and moves x by 100 × the number of the call."""

    def __init__(self, model=None):
        self.model = model
        self.calls = []

    def generate(self, x, *, seed=0, verbose="auto"):
        self.calls.append((seed, float(self.model.weights[0].numpy().ravel()[0])))
        return uaes(x + 100 * len(self.calls))


def test_the_order_is_a_pure_function_of_size_seed_and_epoch():
    order = epoch_order(50, 1, 2)
    np.testing.assert_array_equal(np.sort(order), np.arange(50))
    np.testing.assert_array_equal(order, epoch_order(50, 1, 2))
    for other in (epoch_order(50, 1, 3), epoch_order(50, 2, 2), epoch_order(50, 2, 1)):
        assert (order != other).any()


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_comes_once_an_epoch_and_the_last_batch_is_kept(shuffle):
    data = UAEAugmentation(numbered(0), numbered(100), batch_size=BATCH + 2, shuffle=shuffle)
    assert data.num_batches == 4
    assert [len(inputs) for inputs, _ in data] == [6, 6, 6, 2]
    everything = np.concatenate([numbered(0), numbered(100)])[:, 0]
    for epoch in range(3):
        data.epoch = epoch
        order = epoch_order(2 * ROWS, 0, epoch) if shuffle else np.arange(2 * ROWS)
        np.testing.assert_array_equal(seen(data), everything[order])


def test_batches_do_not_depend_on_the_order_of_the_calls():
    first, second = (UAEAugmentation(numbered(0), numbered(100), batch_size=3) for _ in range(2))
    first.epoch = second.epoch = 5
    last = second.num_batches - 1
    backwards = [second[index] for index in range(last, -1, -1)][::-1]
    for ours, theirs in zip(first, backwards, strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize("dtype", ["float64", "uint8", "float16", "int64"])
@pytest.mark.parametrize("target", ["self", "clean"])
def test_batches_are_float32_pairs(dtype, target):
    x, found = numbered(0).astype(dtype), numbered(100).astype(dtype)
    for batch in UAEAugmentation(x, found, batch_size=BATCH, target=target):
        assert type(batch) is tuple
        assert [part.dtype for part in batch] == [np.float32, np.float32]


@pytest.mark.parametrize("epoch", [0, 1])
def test_targets_belong_to_their_inputs(epoch):
    x, found = numbered(0), [uaes(numbered(100)), numbered(200)]
    labels = np.arange(ROWS) + 0.5
    images = np.random.default_rng(0).normal(size=(ROWS, 2, 2))
    made = {
        "self": UAEAugmentation(x, found, batch_size=BATCH),
        "clean": UAEAugmentation(x, found, batch_size=BATCH, target="clean"),
        "labels": UAEAugmentation(x, found, labels, batch_size=BATCH),
        "images": UAEAugmentation(x, found, images, batch_size=BATCH),
    }
    for data in made.values():
        data.epoch = epoch
        assert len(seen(data)) == 3 * ROWS
    for index in range(made["self"].num_batches):
        inputs, itself = made["self"][index]
        rows = inputs[:, 0].astype(int) % 100
        np.testing.assert_array_equal(itself, inputs)
        for name, expected in {"clean": x, "labels": labels, "images": images}.items():
            np.testing.assert_array_equal(made[name][index][0], inputs)
            np.testing.assert_array_equal(made[name][index][1], expected[rows].astype("float32"))


def test_found_sets_of_any_number_and_length():
    x = numbered(0)
    sets = UAEAugmentation(x, [uaes(numbered(100, 4)), numbered(200, 25)])
    np.testing.assert_array_equal(
        np.sort(seen(sets)), np.r_[0:ROWS, 100:104, 200:225].astype("float32")
    )
    for nothing in ([], ()):
        np.testing.assert_array_equal(np.sort(seen(UAEAugmentation(x, nothing))), x[:, 0])
    duplicate = UAEAugmentation(x, x, target="clean")
    np.testing.assert_array_equal(np.sort(seen(duplicate)), np.repeat(x[:, 0], 2))


def test_nothing_big_is_copied(tmp_path):
    np.save(tmp_path / "x.npy", numbered(0))
    np.save(tmp_path / "found.npy", numbered(100))
    x, found = (np.load(tmp_path / name, mmap_mode="r") for name in ("x.npy", "found.npy"))
    data = UAEAugmentation(x, found, x, batch_size=BATCH)
    assert isinstance(data.x, np.memmap)
    assert isinstance(data.found[0], np.memmap)
    for held, given in ((data.x, x), (data.found[0], found), (data.y, x)):
        assert np.shares_memory(held, given)
    assert all(type(part) is np.ndarray for part in data[0])
    assert len(np.unique(seen(data))) == 2 * ROWS
    labels = np.arange(ROWS)
    assert np.shares_memory(UAEAugmentation(x, found, labels).y, labels)


@pytest.mark.parametrize("workers", [1, 4])
def test_epoch_e_of_fit_uses_order_e(workers):
    data = UAEAugmentation(numbered(0), numbered(100), batch_size=BATCH, workers=workers)
    everything = np.concatenate([numbered(0), numbered(100)])[:, 0]
    model = Recorder()
    model.fit(data, epochs=3, shuffle=False, verbose=0)
    model.fit(data, epochs=5, initial_epoch=3, shuffle=False, verbose=0)
    data.epoch = 1  # as after a restart
    model.fit(data, epochs=2, initial_epoch=1, shuffle=False, verbose=0)
    for epoch, inputs in zip((0, 1, 2, 3, 4, 1), model.epochs(6), strict=True):
        np.testing.assert_array_equal(inputs, everything[epoch_order(2 * ROWS, 0, epoch)])


def test_an_epoch_broken_off_counts_as_one():
    data = UAEAugmentation(numbered(0), numbered(100), batch_size=BATCH)
    model = Recorder()
    stop = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: setattr(model, "stop_training", batch == 1)
    )
    model.fit(data, epochs=3, shuffle=False, verbose=0, callbacks=[stop])
    model.batches.clear()
    model.fit(data, epochs=1, shuffle=False, verbose=0)
    everything = np.concatenate([numbered(0), numbered(100)])[:, 0]
    np.testing.assert_array_equal(model.epochs(1)[0], everything[epoch_order(2 * ROWS, 0, 1)])


def test_final_weights_do_not_depend_on_workers_or_on_tf_data():
    def final(workers=1, seed=0, as_tf=False):
        model = linear_autoencoder()
        data = UAEAugmentation(
            numbered(0) / 10, numbered(3) / 10, batch_size=3, seed=seed, workers=workers
        )
        data = data.as_tf_dataset() if as_tf else data
        history = model.fit(data, epochs=3, shuffle=False, verbose=0).history["loss"]
        assert history[-1] < history[0]
        return np.concatenate([weight.ravel() for weight in model.get_weights()])

    reference = final()
    np.testing.assert_array_equal(reference, final())
    np.testing.assert_array_equal(reference, final(workers=4))
    np.testing.assert_array_equal(reference, final(as_tf=True))
    assert (reference != final(seed=1)).any()


@pytest.mark.parametrize("labels", [None, np.arange(ROWS), np.eye(ROWS)])
def test_tf_dataset_gives_the_batches_of_the_py_dataset(labels):
    data, twin = (UAEAugmentation(numbered(0), numbered(100), labels, batch_size=3) for _ in "ab")
    dataset = data.as_tf_dataset()
    inputs, targets = dataset.element_spec
    assert inputs == tf.TensorSpec((None, FEATURES), tf.float32)
    assert targets.shape[1:] == ((FEATURES,) if labels is None else labels.shape[1:])
    integers = labels is not None and labels.dtype.kind == "i"
    assert targets.dtype == (tf.int64 if integers else tf.float32)
    assert int(dataset.cardinality()) == data.num_batches
    for epoch in range(3):
        assert data.epoch == twin.epoch == epoch
        for ours, theirs in zip(dataset, twin, strict=True):
            for part, expected in zip(ours, theirs, strict=True):
                np.testing.assert_array_equal(part.numpy(), expected)
        twin.epoch += 1


def test_tf_dataset_sees_an_order_an_epoch_in_fit():
    data = UAEAugmentation(numbered(0), numbered(100), batch_size=BATCH)
    model = Recorder()
    model.fit(data.as_tf_dataset(), epochs=3, shuffle=False, verbose=0)
    everything = np.concatenate([numbered(0), numbered(100)])[:, 0]
    for epoch, inputs in enumerate(model.epochs(3)):
        np.testing.assert_array_equal(inputs, everything[epoch_order(2 * ROWS, 0, epoch)])


@pytest.mark.parametrize("repeat", [True, False])
def test_tf_dataset_with_steps_per_epoch_passes_over_every_row(repeat):
    data = UAEAugmentation(numbered(0), numbered(100), batch_size=5)  # 4 batches
    model = Recorder()
    fit = {"steps_per_epoch": 2, "shuffle": False, "verbose": 0}
    dataset = data.as_tf_dataset()
    model.fit(dataset.repeat() if repeat else dataset, epochs=4, **fit)
    everything = np.concatenate([numbered(0), numbered(100)])[:, 0]
    for epoch, inputs in enumerate(model.epochs(2)):
        np.testing.assert_array_equal(inputs, everything[epoch_order(2 * ROWS, 0, epoch)])


@pytest.mark.parametrize(("workers", "as_tf"), [(1, False), (3, False), (1, True)])
def test_refresh_swaps_in_examples_against_the_current_weights(workers, as_tf):
    x = numbered(0)
    data = UAEAugmentation(x, x, batch_size=BATCH, workers=workers)
    fitted = data.as_tf_dataset() if as_tf else data
    model = Recorder()
    attack = FakeAttack(model)
    refresh = RefreshUAEs(data, attack, refresh_every=2, seed=7)
    model.fit(fitted, epochs=5, shuffle=False, verbose=0, callbacks=[refresh])

    steps = data.num_batches
    assert [weight for _, weight in attack.calls] == [2 * steps, 4 * steps]
    assert refresh.success_rates == {2: 1.0, 4: 1.0}
    for epoch, inputs in enumerate(model.epochs(5)):
        expected = np.concatenate([x, x + 100 * (epoch // 2)])[:, 0]
        np.testing.assert_array_equal(inputs, expected[epoch_order(2 * ROWS, 0, epoch)])

    # a second fit starts afresh, and continues a run where `refresh_every` divides its first epoch
    seeds = [seed for seed, _ in attack.calls]
    model.batches.clear()
    model.fit(fitted, epochs=5, initial_epoch=4, shuffle=False, verbose=0, callbacks=[refresh])
    assert refresh.success_rates == {4: 1.0}
    assert [seed for seed, _ in attack.calls] == [*seeds, seeds[1]]
    assert seeds[0] != seeds[1]
    expected = np.concatenate([x, x + 300])[:, 0]
    np.testing.assert_array_equal(model.epochs(1)[0], expected[epoch_order(2 * ROWS, 0, 4)])


def test_a_refresh_that_fails_leaves_the_set_in_use():
    class Interrupted(FakeAttack):
        def generate(self, x, **settings):
            raise KeyboardInterrupt

    data = UAEAugmentation(numbered(0), numbered(100))
    with pytest.raises(KeyboardInterrupt):
        RefreshUAEs(data, Interrupted()).on_epoch_begin(1)
    np.testing.assert_array_equal(data.found[0], numbered(100))


def test_replace_keeps_the_epoch_and_the_number_of_rows():
    data = UAEAugmentation(numbered(0), numbered(100))
    data.epoch = 3
    data.replace([numbered(200, 4), numbered(300, 6)])
    assert data.epoch == 3
    assert [len(part) for part in data.found] == [4, 6]
    with pytest.raises(ValueError, match=r"`found` .*replace must have 10 rows.* found of 9 rows"):
        data.replace(numbered(0, 9))
    with pytest.raises(ValueError, match="must be finite"):
        data.replace(np.full((ROWS, FEATURES), NAN))
    assert [len(part) for part in data.found] == [4, 6]


def test_rounds_train_new_models_on_all_examples_so_far():
    x, trained, attacks = numbered(0), [], []

    def fit(model, data):
        trained.append((model, np.sort(seen(data)), data.batch_size))
        model.weight.assign(len(trained))

    def make_attack(model):
        attacks.append(FakeAttack(model))
        return attacks[-1]

    settings = {"rounds": 2, "seed": 1, "batch_size": BATCH}
    steps = augment_in_rounds(Recorder, fit, make_attack, x, **settings)
    assert not trained
    first = next(steps)
    assert (first.number, first.found, len(attacks)) == (0, (), 0)
    second, third = steps
    assert (second.number, third.number) == (1, 2)
    assert third.found[0] is second.found[0]
    assert [len(step.found) for step in (first, second, third)] == [0, 1, 2]

    models = [step.model for step in (first, second, third)]
    assert [model for model, _, _ in trained] == models
    assert [attack.model for attack in attacks] == models[:2]
    assert [attack.calls[0][1] for attack in attacks] == [1.0, 2.0]
    assert attacks[0].calls[0][0] != attacks[1].calls[0][0]
    for number, (_, inputs, batch_size) in enumerate(trained):
        expected = np.concatenate([x[:, 0], *[x[:, 0] + 100] * number])
        np.testing.assert_array_equal(inputs, np.sort(expected))
        assert batch_size == BATCH


def test_rounds_with_a_real_model():
    def fit(model, data):
        model.fit(data, epochs=1, shuffle=False, verbose=0)

    steps = augment_in_rounds(linear_autoencoder, fit, FakeAttack, numbered(0) / 10, rounds=1)
    for step in itertools.islice(steps, 5):
        assert np.isfinite(step.model.evaluate(numbered(0) / 10, numbered(0) / 10, verbose=0))
    assert step.number == 1


BAD = {
    "x without features": ({"x": np.zeros(4)}, "`x` .* non-empty array of shape (samples, ...)"),
    "x empty": ({"x": np.zeros((0, 3))}, "`x` .* non-empty .* x of shape (0, 3)"),
    "x of text": ({"x": np.full((2, 3), "a")}, "`x` .* real numbers. Received: x of dtype <U1"),
    "x of NaN": ({"x": np.full((ROWS, 3), NAN)}, "`x` .* finite. .* 10 sample(s)"),
    "found of another shape": ({"found": np.zeros((ROWS, 4))}, "`found` .* shape (3,), like `x`."),
    "second set of another shape": (
        {"found": [numbered(0), np.zeros((ROWS, 3, 1))]},
        "`found[1]` .* shape (3,), like `x`. Received: found[1] of shape (10, 3, 1)",
    ),
    "found empty": ({"found": np.zeros((0, 3))}, "`found` .* non-empty"),
    "found infinite": ({"found": uaes(np.full((ROWS, 3), np.inf))}, "`found` .* finite"),
    "no found row for a clean target": (
        {"found": numbered(0, 9), "target": "clean"},
        "`found` .* 10 rows, one for each of `x`, unless target='self', y=None and .* of 9 rows",
    ),
    "no found row for y": (
        {"found": [numbered(0, 11)], "y": np.arange(ROWS)},
        "`found[0]` .* 10 rows, .* found[0] of 11 rows",
    ),
    "unknown target": ({"target": "claen"}, "`target` .* Did you mean 'clean'? .* target='claen'"),
    "y and target": (
        {"y": np.arange(ROWS), "target": "clean"},
        "`target` .* left alone when `y` gives the targets. Received: target='clean'",
    ),
    "y too short": ({"y": np.arange(9)}, "`y` .* 10 rows, one for each of `x`. .* shape (9,)"),
    "y a number": ({"y": 1}, "`y` .* 10 rows, .* shape ()"),
    "y of NaN": ({"y": np.full(ROWS, NAN)}, "`y` .* finite"),
    "no batch": (
        {"batch_size": 0},
        "`batch_size` .* integer in [1, 2147483646]. Received: batch_size=0",
    ),
    "half a row": ({"batch_size": 2.5}, "`batch_size` .* batch_size=2.5"),
    "negative seed": ({"seed": -1}, "`seed` .* Received: seed=-1"),
}


def pattern(message):
    """`message` as a regular expression in which only `.*` is special."""
    return ".*".join(map(re.escape, message.split(".*")))


@pytest.mark.parametrize(("change", "message"), BAD.values(), ids=BAD)
def test_bad_input_is_named(change, message):
    arguments = {"x": numbered(0), "found": numbered(100)} | change
    with pytest.raises(ValueError, match=pattern(message)) as caught:
        UAEAugmentation(**arguments)
    assert "of UAEAugmentation must" in str(caught.value)


def test_bad_use_is_named():
    data = UAEAugmentation(numbered(0), numbered(100))
    for index in (-1, data.num_batches):
        with pytest.raises(IndexError, match=f"`index` .* Received: index={index}"):
            data[index]
    with pytest.raises(ValueError, match=r"`epoch` of UAEAugmentation .* Received: epoch=-1"):
        data.epoch = -1
    with pytest.raises(ValueError, match=r"`refresh_every` of RefreshUAEs .* refresh_every=0"):
        RefreshUAEs(data, FakeAttack(), refresh_every=0)
    with pytest.raises(ValueError, match=r"`seed` of RefreshUAEs .* Received: seed=1.5"):
        RefreshUAEs(data, FakeAttack(), seed=1.5)
    originals = UAEAugmentation(numbered(0), [])
    with pytest.raises(ValueError, match=r"`augmentation` of RefreshUAEs .* with 0 rows found"):
        RefreshUAEs(originals, FakeAttack())
    with pytest.raises(ValueError, match=r"`rounds` of augment_in_rounds .* rounds=0"):
        augment_in_rounds(Recorder, None, None, numbered(0), rounds=0)
    with pytest.raises(ValueError, match=r"`batch_size` of UAEAugmentation .* batch_size=0"):
        augment_in_rounds(Recorder, None, None, numbered(0), batch_size=0)
