"""MinMaxAttack.generate: bad input, interruption, values that are not finite, progress, memory."""

import re
import tracemalloc
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_uae import (
    FunctionCriterion,
    GenerationInterrupted,
    MinMaxAttack,
    PGDAttack,
    Reconstruction,
    UAEs,
)
from keras_uae._checks import check_samples
from keras_uae.results import ROW_FIELDS
from keras_uae.similarity import L2, MINE, Convolution, Gaussian, RandomSampling
from tests import tiny_models
from tests.tiny_models import SHAPE

COUNT, BATCH = 10, 3


@pytest.fixture
def model():
    return tiny_models.convolutional()


@pytest.fixture
def attack(model):
    return MinMaxAttack(model, similarity="gaussian", steps=4)


@pytest.fixture
def x():
    return tiny_models.images(COUNT)


def generate(attack, x, **settings):
    return attack.generate(x, **{"batch_size": BATCH, "verbose": 0, **settings})


def assert_same_bits(one: UAEs, other: UAEs):
    for name in ROW_FIELDS:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.trace.keys() == other.trace.keys()
    for name in one.trace:
        np.testing.assert_array_equal(one.trace[name], other.trace[name], err_msg=name)


def changed(x, position, value):
    x = x.copy()
    x[position] = value
    return x


# what is refused, and how

BAD_SAMPLES = {
    "nan": (lambda x: changed(x, (4, 2, 2, 0), np.nan), "must be finite.*the first at index 4"),
    "infinity": (lambda x: changed(x, (7, 0, 0, 0), np.inf), "must be finite.*index 7"),
    "above": (lambda x: changed(x, (0, 0, 0, 0), 1.5), r"bounds=\(0.0, 1.0\).*to 1.5 in samples"),
    "below": (lambda x: changed(x, (9, 0, 0, 0), -0.1), r"inside bounds.*values from -0.1"),
    "empty": (lambda x: x[:0], r"non-empty array.*shape \(0, 6, 6, 1\)"),
    "names of files": (lambda x: ["a.png", "b.png"], r"real numbers: files.*load_img.*dtype <U5"),
    "scalar": (lambda x: 0.5, r"non-empty array.*shape \(\)"),
    "vector": (lambda x: x.ravel(), r"non-empty array of shape \(samples, ...\).*\(360,\)"),
    "rank": (lambda x: x[..., 0], r"shape that the model takes, \(None, 6, 6, 1\).*\(10, 6, 6\)"),
    "size": (lambda x: x[:, :5], r"shape that the model takes.*\(10, 5, 6, 1\)"),
    "channels": (lambda x: np.repeat(x, 3, -1), r"shape that the model takes.*\(10, 6, 6, 3\)"),
    "integers": (
        lambda x: (x * 255).astype("uint8"),
        r"holds integers.*/ 255\) or set bounds=\(0, 255\).*dtype uint8",
    ),
    "strings": (lambda x: x.astype(str), "must hold real numbers.*dtype <U"),
    "booleans": (lambda x: x > 0.5, "must hold real numbers.*dtype bool"),
    "complex": (lambda x: x + 0j, "must hold real numbers.*dtype complex64"),
    "objects": (lambda x: x.astype(object), "must hold real numbers.*dtype object"),
}


@pytest.mark.parametrize("kind", BAD_SAMPLES)
def test_bad_samples_are_refused(attack, x, kind):
    make, message = BAD_SAMPLES[kind]
    with pytest.raises(ValueError, match=rf"(?s)`x` of MinMaxAttack.generate.*{message}"):
        generate(attack, make(x))


BAD_ARGUMENTS: dict[str, tuple[dict[str, Any], str]] = {
    "index shape": ({"index": [0, 1]}, r"`index`.*shape \(10,\).*Received: index of shape \(2,\)"),
    "index rank": ({"index": np.zeros((10, 1), int)}, r"`index`.*Received: .*shape \(10, 1\)"),
    "index type": ({"index": np.arange(10.0)}, r"`index`.*one integer a sample.*dtype float64"),
    "batch zero": ({"batch_size": 0}, r"`batch_size`.*integer in \[1, inf\].*batch_size=0"),
    "batch float": ({"batch_size": 2.0}, r"`batch_size`.*Received: batch_size=2.0"),
    "batch name": ({"batch_size": "big"}, r"`batch_size`.*Received: batch_size='big'"),
    "batch bool": ({"batch_size": True}, r"`batch_size`.*Received: batch_size=True"),
    "seed float": ({"seed": 0.5}, r"`seed`.*Received: seed=0.5"),
    "seed large": ({"seed": 2**31}, r"`seed`.*Received: seed=2147483648"),
    "seed none": ({"seed": None}, r"`seed`.*Received: seed=None"),
}


@pytest.mark.parametrize("kind", BAD_ARGUMENTS)
def test_bad_arguments_are_refused(attack, x, kind):
    arguments, message = BAD_ARGUMENTS[kind]
    with pytest.raises(ValueError, match=message):
        generate(attack, x, **arguments)


BAD_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "epsilon": ({"epsilon": -1}, r"`epsilon` of MinMaxAttack.*\[0, inf\].*Received: epsilon=-1 "),
    "epsilon nan": ({"epsilon": float("nan")}, "Received: epsilon=nan"),
    "epsilon inf": ({"epsilon": float("inf")}, "Received: epsilon=inf"),
    "epsilon text": ({"epsilon": "1"}, r"Received: epsilon='1' \(of type str\)"),
    "epsilon bool": ({"epsilon": True}, r"Received: epsilon=True"),
    "step_size": ({"step_size": -0.1}, "`step_size` of MinMaxAttack.*Received: step_size=-0.1"),
    "multiplier_step_size": (
        {"multiplier_step_size": 1.5},
        r"`multiplier_step_size` of MinMaxAttack.*\[0, 1\].*Received: multiplier_step_size=1.5",
    ),
    "initial_multiplier": ({"initial_multiplier": -1}, "Received: initial_multiplier=-1"),
    "initial_radius": ({"initial_radius": -0.2}, "Received: initial_radius=-0.2"),
    "initial_radius name": ({"initial_radius": "he"}, "Received: initial_radius='he'"),
    "steps zero": ({"steps": 0}, r"`steps` of MinMaxAttack.*Received: steps=0"),
    "steps float": ({"steps": 4.0}, r"Received: steps=4.0"),
    "seed": ({"seed": "x"}, "`seed` of MinMaxAttack.*Received: seed='x'"),
    "bounds order": ({"bounds": (1, 0)}, r"`bounds` of MinMaxAttack.*Received: bounds=\(1, 0\)"),
    "bounds equal": ({"bounds": (1, 1)}, r"low < high.*Received: bounds=\(1, 1\)"),
    "bounds count": ({"bounds": (0, 1, 2)}, r"Received: bounds=\(0, 1, 2\)"),
    "bounds number": ({"bounds": 1}, "Received: bounds=1"),
    "bounds nan": ({"bounds": (0, float("nan"))}, r"Received: bounds=\(0, nan\)"),
    "bounds text": ({"bounds": "01"}, "one of 'data', 'features'.*Received: bounds='01'"),
    "similarity": ({"similarity": "gausian"}, "`similarity`.*Did you mean 'gaussian'.*'gausian'"),
    "similarity class": ({"similarity": MINE}, "`similarity` of MinMaxAttack must be a Similarity"),
    "similarity none": ({"similarity": None}, "`similarity`.*Received: similarity=None"),
    "keyword": ({"step": 3}, "`keyword` of MinMaxAttack.*Did you mean 'steps'.*'step'"),
    "objective": ({"objective": "minimise"}, "`objective`.*Did you mean 'minimize'.*'minimise'"),
    "step_rule": ({"step_rule": "row"}, "`step_rule`.*Did you mean 'raw'.*step_rule='row'"),
    "criterion": ({"criterion": 3}, r"`criterion` of MinMaxAttack.*callable.*criterion=3"),
    "criterion class": (
        {"criterion": Reconstruction},
        "`criterion`.*must be a Criterion, a name of one, or",
    ),
    "unknown": ({"stepsize": 0.1}, "stepsize"),
}


@pytest.mark.parametrize("kind", BAD_SETTINGS)
def test_bad_settings_are_refused(model, kind):
    settings, message = BAD_SETTINGS[kind]
    with pytest.raises(ValueError, match=message):
        MinMaxAttack(model, **settings)


def test_an_unknown_preset_is_answered_with_the_nearest(model):
    with pytest.raises(ValueError, match=r"`preset`.*Did you mean 'paper'\?.*preset='papr'"):
        MinMaxAttack.from_preset("papr", model)


@pytest.mark.parametrize("settings", [{"kappa": -0.1}, {"kappa": float("nan")}])
def test_bad_criteria_are_refused(settings):
    with pytest.raises(ValueError, match=r"`kappa` of Reconstruction.*Received: kappa="):
        Reconstruction(**settings)


def test_a_model_must_be_a_built_keras_model():
    unbuilt = keras.Sequential([keras.layers.Dense(3)])
    for model in (unbuilt, tiny_models.Subclassed(), None, keras.Model, 3):
        with pytest.raises(ValueError, match=r"`model` of MinMaxAttack must be .* built.*Received"):
            MinMaxAttack(model)


def models_that_do_not_fit():
    inputs = keras.Input(SHAPE)
    flat = keras.layers.Flatten()(inputs)
    yield (
        "shape",
        keras.Model(inputs, keras.layers.Dense(5)(flat)),
        r"`model` of .*\(6, 6, 1\).*shape \(5,\)",
    )
    flattened = r"`model` of .*\(6, 6, 1\); attack lambda x: keras.ops.reshape\(.*shape \(36,\)"
    yield "rank", keras.Model(inputs, flat), flattened
    two = keras.Model(inputs, [inputs * 0.5, flat])
    yield "outputs", two, r"`output` of Reconstruction must.*0, 1.*model\(x\)\[0\].*output=None"
    named = keras.Model(inputs, {"image": inputs * 0.5, "code": flat})
    yield "named outputs", named, r"`output` of Reconstruction.*one of 'image', 'code'.*None"
    other = keras.Input(SHAPE)
    yield (
        "inputs",
        keras.Model([inputs, other], inputs + other),
        "`attacked` of MinMaxAttack.generate must name the input",
    )
    both = {"a": keras.Input(SHAPE, name="a"), "b": keras.Input(SHAPE, name="b")}
    yield (
        "named inputs",
        keras.Model(both, both["a"] + both["b"]),
        "`attacked` of MinMaxAttack.generate must name the input",
    )


@pytest.mark.parametrize(
    "kind", ["shape", "rank", "outputs", "named outputs", "inputs", "named inputs"]
)
def test_a_model_must_suit_the_criterion(kind, x):
    ((model, message),) = [rest for name, *rest in models_that_do_not_fit() if name == kind]
    attack = MinMaxAttack(model, similarity="gaussian")
    with pytest.raises(ValueError, match=rf"(?s){message}"):
        generate(attack, x)


def test_a_similarity_on_maps_needs_a_convolution():
    model = tiny_models.dense()
    with pytest.raises(ValueError, match=r"a convolution.*similarity='gaussian'"):
        MinMaxAttack(model, similarity="conv")
    with pytest.raises(ValueError, match=r"a layer named 'cnov'.*layers \['input_layer"):
        MinMaxAttack(model, similarity=L2(features=Convolution(layer="cnov")))


def test_a_layer_that_never_runs_has_no_features(x):
    model = tiny_models.convolutional()
    attack = MinMaxAttack(model, similarity=L2(features=Convolution(layer=model.layers[0].name)))
    with pytest.raises(ValueError, match=r"`similarity` of MinMaxAttack.*Received: .*input_layer"):
        generate(attack, x)


BAD_CRITERIA = {
    "mean": lambda x, z: tf.reduce_mean(z - x),
    "one": lambda x, z: tf.reshape(tf.reduce_mean(z - x), [1]),
    "column": lambda x, z: tf.reduce_mean(z - x, axis=[1, 2]),
    "pixels": lambda x, z: z - x,
}


@pytest.mark.parametrize("kind", BAD_CRITERIA)
def test_a_criterion_must_give_one_value_a_sample(kind, model, x):
    attack = MinMaxAttack(model, criterion=BAD_CRITERIA[kind], similarity="gaussian")
    with pytest.raises(ValueError, match=r"`criterion` of MinMaxAttack.*one value a sample.*Rec"):
        generate(attack, x)


# what is accepted


def test_integer_images_in_their_own_units():
    model = tiny_models.rescaled()
    x = (tiny_models.images(COUNT) * 255).astype("uint8")
    settings = {"epsilon": 0.16, "initial_radius": 0.16, "step_size": 0.012, "steps": 4}
    # by that much only half of the samples can be restored better than the originals
    criterion = Reconstruction(kappa=5)
    attack = MinMaxAttack(
        model, criterion=criterion, similarity="conv", bounds=(0, 255), **settings
    )
    found = generate(attack, x)
    assert found.x.dtype == np.float32
    assert np.abs(found.x - x).max() > 30
    assert found.x.min() >= 0
    assert found.x.max() <= 255
    assert found.success.any()
    assert not found.success.all()
    np.testing.assert_array_equal(found.x[~found.success], x[~found.success])
    assert_same_bits(found, generate(attack, x.astype("int64")))
    assert_same_bits(found, generate(attack, x.astype("float32")))
    with pytest.raises(ValueError, match="holds integers"):
        generate(MinMaxAttack(model), x)


@pytest.mark.parametrize("scale", [1e-20, 1e20])
def test_a_range_whose_squares_float32_has_not_is_refused(x, scale):
    """All norms were 0: f = 0 for whatever came, and 100 % success."""
    attack = PGDAttack(lambda z: 0.5 * z, bounds=(0, scale), steps=2)
    with pytest.raises(ValueError, match=re.escape(f"x / {scale:.0e}. Received: bounds of")):
        generate(attack, x * np.float32(scale))
    wide = {"epsilon": 0.1, "bounds": (0, scale), "steps": 2, "dtype": "float64"}
    z = generate(PGDAttack(lambda z: 0.5 * z, **wide), x * scale).x / scale
    attack = PGDAttack(lambda z: 0.5 * z, epsilon=0.1, steps=2, dtype="float64")
    np.testing.assert_allclose(z, generate(attack, x.astype("float64")).x, atol=1e-6)


def test_whatever_holds_the_samples_the_result_is_the_same(attack, x, tmp_path):
    found = generate(attack, x)
    assert found.x.dtype == np.float32
    np.save(tmp_path / "x.npy", x)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    before = x.copy()
    for same in (x.astype("float64"), tf.constant(x), x.tolist(), mapped, np.asfortranarray(x)):
        assert_same_bits(generate(attack, same), found)
    np.testing.assert_array_equal(x, before)
    assert type(generate(attack, mapped).x) is np.ndarray


def test_a_memory_mapped_array_is_checked_in_pieces(tmp_path):
    mapped = np.memmap(tmp_path / "x", np.float32, "w+", shape=(100_000, *SHAPE))
    tracemalloc.start()
    try:
        assert check_samples("generate", mapped, bounds=(0, 1)) is mapped
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < mapped.nbytes / 4
    mapped[99_999, 0, 0, 0] = 2
    with pytest.raises(ValueError, match=r"from 0\.0 to 2\.0 in samples 98304 to 99999"):
        check_samples("generate", mapped, bounds=(0, 1))
    mapped[98_305, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="the first at index 98305"):
        check_samples("generate", mapped, bounds=(0, 1))


def test_the_largest_batch_is_bounded_by_what_it_holds(attack, model):
    assert attack.auto_batch_size(SHAPE) == 512
    assert MinMaxAttack(model, similarity="conv").auto_batch_size(SHAPE) == 512
    projections = RandomSampling(samples=500, dimension=128)
    by_sampling = MinMaxAttack(model, similarity=MINE(features=projections))
    size = by_sampling.auto_batch_size(SHAPE)
    assert size * (36 + 64000) <= 2**23 < 2 * size * (36 + 64000)
    huge = RandomSampling(samples=5000, dimension=1000)
    assert MinMaxAttack(model, similarity=MINE(features=huge)).auto_batch_size(SHAPE) == 1


def test_the_index_keys_the_start(attack, x):
    """Two equal samples differ by their index alone, and equal indices make them equal."""
    twins = np.repeat(x[:1], COUNT, axis=0)
    spread = generate(attack, twins, trace=True).trace["criterion"][:, 0]
    assert len(np.unique(spread)) == COUNT
    index = np.zeros(COUNT, int)
    together = generate(attack, twins, index=index, trace=True).trace["criterion"][:, 0]
    np.testing.assert_allclose(together, spread[0], rtol=1e-5)
    far = generate(attack, x, index=np.arange(COUNT) + 2**40)
    near = generate(attack, x)
    both = far.success & near.success
    assert (far.x != near.x)[both].any()


# interruption


def interrupt_at(monkeypatch, number):
    """Ctrl-C in the middle of batch `number`, once."""
    calls = []
    search = MinMaxAttack.search

    def interrupted(self, *args, **kwargs):
        calls.append(None)
        if len(calls) == number:
            raise KeyboardInterrupt
        return search(self, *args, **kwargs)

    monkeypatch.setattr(MinMaxAttack, "search", interrupted)


@pytest.mark.parametrize("trace", [False, True])
def test_an_interrupted_run_keeps_what_is_done(attack, x, monkeypatch, trace):
    whole = generate(attack, x, seed=3, trace=trace)
    interrupt_at(monkeypatch, 3)
    with pytest.raises(GenerationInterrupted, match="after 6 of 10 samples") as info:
        generate(attack, x, seed=3, trace=trace)
    done = info.value.found
    assert info.value.total == COUNT
    assert done is not None
    assert len(done) == 6
    assert_same_bits(done, whole[:6])
    rest = generate(attack, x[6:], seed=3, index=range(6, COUNT), trace=trace)
    assert_same_bits(UAEs.concatenate([done, rest]), whole)


def test_what_is_left_is_attacked_within_the_bounds_of_all_samples(model, x, monkeypatch):
    x = np.concatenate([x[:6], 0.4 * x[6:]])
    attack = MinMaxAttack(model, bounds="data", epsilon=0.2, steps=3)
    whole = generate(attack, x)
    interrupt_at(monkeypatch, 3)
    with pytest.raises(GenerationInterrupted) as info:
        generate(attack, x)
    assert_same_bits(info.value.found, whole[:6])
    rest = generate(attack.located([x]), x[6:], index=range(6, COUNT))
    assert_same_bits(rest, whole[6:])


def test_an_interruption_before_the_first_batch_leaves_nothing(attack, x, monkeypatch):
    interrupt_at(monkeypatch, 1)
    with pytest.raises(GenerationInterrupted, match="after 0 of 10 samples") as info:
        generate(attack, x)
    assert info.value.found is None
    assert isinstance(info.value, KeyboardInterrupt)  # scripts that expect it still stop


def test_an_interruption_between_two_fields_of_a_batch_keeps_whole_batches(attack, x, monkeypatch):
    whole = generate(attack, x)

    class Interrupting:
        """A field of the second batch that cannot be copied out."""

        shape, dtype = (BATCH,), np.dtype(bool)

        def __array__(self, *args, **kwargs):
            raise KeyboardInterrupt

    arrays, calls = UAEs.arrays, []

    def second_fails(found):
        calls.append(None)
        fields = arrays(found)
        return fields if len(calls) < 2 else {"x": fields["x"], "success": Interrupting()}

    monkeypatch.setattr(UAEs, "arrays", second_fails)
    with pytest.raises(GenerationInterrupted) as info:
        generate(attack, x)
    assert_same_bits(info.value.found, whole[:BATCH])


# values that are not finite


@keras.saving.register_keras_serializable(package="tests")
class Fragile(keras.layers.Layer):
    """Adds 0·√(first pixel − ½): NaN below, and an infinite slope at ½ exactly."""

    def call(self, z):
        return z + 0 * tf.sqrt(z[:, :1, :1] - 0.5)


@pytest.fixture
def fragile(x):
    inputs = keras.Input(SHAPE)
    maps = keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(Fragile()(inputs))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same")(maps))
    return model, changed(x, (slice(None), 0, 0), 0.9)


@pytest.mark.parametrize("similarity", ["conv", "gaussian", MINE(warm_start=True, steps=2)])
def test_a_poisoned_sample_is_frozen_and_harms_no_other(fragile, similarity):
    model, x = fragile
    settings = {"initial_radius": 0.1, "epsilon": 0.2, "steps": 4}
    attack = MinMaxAttack(model, similarity=similarity, **settings)
    clean = generate(attack, x)
    assert clean.success.any()
    assert not clean.frozen.any()

    found = generate(attack, changed(x, (4, 0, 0), 0.1), trace=True)
    np.testing.assert_array_equal(np.flatnonzero(found.frozen), [4])
    assert not found.success[4]
    assert found.multiplier[4] == attack.initial_multiplier
    others = np.arange(COUNT) != 4
    untraced = UAEs(*(getattr(found, name) for name in ROW_FIELDS))
    assert_same_bits(untraced[others], clean[others])
    assert np.isnan(found.trace["criterion"][4]).all()
    assert all(np.isfinite(values[others]).all() for values in found.trace.values())


def test_a_sample_that_is_lost_midway_keeps_its_best(fragile):
    model, x = fragile
    # the first pixel starts above ½ and is driven below it
    x = changed(x, (2, 0, 0), 0.535)
    settings = {"initial_radius": 0.01, "step_rule": "sign", "step_size": 0.01, "epsilon": 0.5}
    always = FunctionCriterion(function=lambda x, z: tf.reduce_sum(model(z) - z, [1, 2, 3]) * 0 - 1)
    first = x[:, 0, 0, 0]

    @keras.saving.register_keras_serializable(package="tests")
    class Downwards(Gaussian):
        def estimate(self, drawn, state, v, t):
            return state, tf.reduce_sum(v, axis=[1, 2])

    attack = MinMaxAttack(model, criterion=always, similarity=Downwards(), steps=8, **settings)
    found = generate(attack, x, trace=True)
    np.testing.assert_array_equal(np.flatnonzero(found.frozen), [2])
    assert found.success.all()
    finite = np.isfinite(found.trace["criterion"][2])
    last = finite.sum()  # finite up to there, and stopped at once
    assert 1 <= last < 8
    np.testing.assert_array_equal(finite, np.arange(9) < last)
    assert found.iteration[2] == last - 1
    assert 0.5 < found.x[2, 0, 0, 0] < first[2]
    assert (found.iteration[np.arange(COUNT) != 2] == 8).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_criterion_that_is_not_finite_is_no_success(model, x, value):
    def poisoned(x, z):
        f = tf.reduce_mean(z - x, axis=[1, 2, 3])
        return tf.where(x[:, 0, 0, 0] == 0.25, tf.constant(value, f.dtype), f)

    attack = MinMaxAttack(model, criterion=poisoned, similarity="gaussian", steps=4)
    found = generate(attack, changed(x, (5, 0, 0), 0.25))
    np.testing.assert_array_equal(np.flatnonzero(found.frozen), [5])
    assert not found.success[5]
    assert found.success.any()


# progress


def test_silence(attack, x, capfd):
    generate(attack, x, verbose=0)
    captured = capfd.readouterr()
    assert captured.out == ""
    assert "sample" not in captured.err


@pytest.mark.parametrize("verbose", [1, "auto"])
def test_progress_with_a_rate_and_the_time_left(attack, x, capsys, monkeypatch, verbose):
    clock = iter(np.arange(0, 1000, 1.0))  # a second passes at each look
    monkeypatch.setattr("time.time", lambda: float(next(clock)))
    found = generate(attack, x, verbose=verbose)
    monkeypatch.undo()
    text = re.sub(r"\x1b\[[\d;]*m|\x08", "", capsys.readouterr().out)
    assert " 3/10 " in text
    assert "10/10 " in text
    assert re.search(r"\d+m?s/sample - success_rate: ", text)
    assert re.search(r"3/10 \S+ \d+s ", text)  # the time left
    assert text.rstrip().endswith(f"success_rate: {found.success_rate:.4f}")
