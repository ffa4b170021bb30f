"""PGDAttack against a NumPy transcription, and what it shares with MinMaxAttack as a layer."""

import json
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_uae import Criterion, Misclassification, PGDAttack, Reconstruction, UAEs
from keras_uae.attacks.base import Attack
from keras_uae.attacks.geometry import initial_delta
from keras_uae.results import ROW_FIELDS
from tests import tiny_models
from tests.keras_uae.attacks.test_base import (
    assert_close,
    assert_same_bits,
    generate,
    reconstruction_in_numpy,
)
from tests.keras_uae.attacks.test_generation import Fragile, changed

COUNT, STEPS, DIMENSION = 7, 5, 6


@pytest.fixture
def x():
    return tiny_models.images(COUNT)


def small_attack(model=None, **settings):
    return PGDAttack(model or tiny_models.convolutional(), **{"steps": STEPS, **settings})


# the algorithm


def numpy_pgd(x, delta, matrix, epsilon, alpha, steps):
    """One sample; the best z of δ₁ … δ_T, its number, and f of all."""
    low, high = np.maximum(x - epsilon, 0), np.minimum(x + epsilon, 1)
    loss = np.linalg.norm(x - x @ matrix)
    z = np.clip(x + delta, low, high)
    iterates, history = [], []
    for _ in range(steps + 1):
        residual = x - z @ matrix
        iterates.append(z)
        history.append(np.linalg.norm(residual) - loss)
        gradient = -(residual / np.linalg.norm(residual)) @ matrix.T
        z = np.clip(z - alpha * np.sign(gradient), low, high)
    best = 1 + int(np.argmin(history[1:]))
    return iterates[best], best, history


@pytest.mark.parametrize("random_start", [True, False])
@pytest.mark.parametrize(("step_size", "alpha"), [(None, 2.5 * 0.2 / 12), (0.01, 0.01)])
def test_it_is_projected_gradient_descent(random_start, step_size, alpha):
    model = tiny_models.linear(DIMENSION)
    samples = np.random.default_rng(1).uniform(size=(20, DIMENSION))
    attack = PGDAttack(
        model,
        epsilon=0.2,
        steps=12,
        step_size=step_size,
        random_start=random_start,
        dtype="float64",
    )
    found = attack.generate(samples, seed=7, trace=True, verbose=0)
    index = tf.range(len(samples), dtype=tf.int64)
    radius = 0.2 if random_start else 0
    deltas = initial_delta(tf.constant(samples), index, radius, tf.constant(7)).numpy()
    for i, sample in enumerate(samples):
        best, iteration, history = numpy_pgd(
            sample, deltas[i], model.get_weights()[0], 0.2, alpha, 12
        )
        np.testing.assert_allclose(found.trace["criterion"][i], history, atol=1e-12)
        assert found.success[i] == (min(history[1:]) <= 0 and (best != sample).any())
        if found.success[i]:
            np.testing.assert_allclose(found.x[i], best, atol=1e-12)
            assert found.iteration[i] == iteration
    assert found.success.mean() > 0.5


def test_it_goes_on_past_the_first_success(x):
    found = generate(small_attack(steps=20), x, trace=True)
    f, won = found.trace["criterion"], found.success
    assert set(found.trace) == {"criterion"}
    f = f[:, 1:]  # δ₀ is no example
    first = (f <= 0).argmax(axis=1) + 1
    assert (found.iteration > first)[won].any()
    np.testing.assert_array_equal(found.criterion[won], f.min(axis=1)[won])
    np.testing.assert_array_equal(found.iteration[won], f.argmin(axis=1)[won] + 1)


def test_without_a_random_start_it_starts_at_x(x):
    found = generate(small_attack(random_start=False), x, trace=True)
    np.testing.assert_allclose(found.trace["criterion"][:, 0], 0, atol=1e-6)
    still = generate(small_attack(random_start=False, step_size=0.0), x)
    assert not still.success.any()  # x is no example of itself


@pytest.mark.parametrize("steps", [1, 2, 10])
@pytest.mark.parametrize("criterion", ["reconstruction", "misclassification", "targeted"])
def test_every_step_is_judged_as_in_a_plain_loop(steps, criterion, x):
    """T = 1 is the fast gradient sign method."""
    if criterion == "reconstruction":
        model, y = tiny_models.convolutional(), None
        judge: Criterion = Reconstruction()
    else:
        inputs = keras.Input(tiny_models.SHAPE)
        logits = keras.layers.Dense(3)(keras.layers.Flatten()(inputs))
        model = keras.Model(inputs, logits)
        judge = Misclassification(targeted=criterion == "targeted")
        y = np.arange(COUNT) % 3
    attack = small_attack(model, criterion=judge, steps=steps, epsilon=0.2, random_start=False)
    found = attack.generate(x, y, verbose=0)

    judge, best, z = judge.bind(model), np.full(COUNT, np.inf), tf.constant(x)
    labels = None if y is None else tf.constant(y)
    for _ in range(steps):
        with tf.GradientTape() as tape:
            tape.watch(z)
            f = judge(x, z, labels)
        z = tf.clip_by_value(
            z - 2.5 * 0.2 / steps * tf.sign(tape.gradient(f, z)),
            np.maximum(x - 0.2, 0),
            np.minimum(x + 0.2, 1),
        )
        best = np.minimum(best, judge(x, z, labels))
    np.testing.assert_array_equal(found.success, best <= 0)
    np.testing.assert_allclose(found.criterion[found.success], best[best <= 0], atol=1e-5)
    assert found.success.any()


def test_the_start_fills_the_ball(x):
    def least_at_the_start(x, z):
        return 0 * tf.reduce_sum(z, axis=[1, 2, 3]) - 1  # no later iterate is better

    x = np.full_like(x, 0.5)
    found = generate(small_attack(criterion=least_at_the_start, epsilon=0.25), x)
    assert (found.iteration == 1).all()
    assert 0.24 < np.abs(found.x - x).max() <= 0.25
    other = generate(small_attack(criterion=least_at_the_start, epsilon=0.25), x, seed=1)
    assert (other.x != found.x).any(axis=(1, 2, 3)).all()


@pytest.mark.parametrize("random_start", [True, False])
def test_a_ball_of_radius_zero_holds_no_example(x, random_start):
    found = generate(small_attack(epsilon=0, random_start=random_start), x)
    np.testing.assert_array_equal(found.x, x)
    assert not found.success.any()
    assert not found.frozen.any()


@pytest.mark.parametrize(
    ("kind", "scale"), [*((kind, 1) for kind in tiny_models.KINDS), ("rescaled", 255)]
)
def test_examples_are_in_the_ball_and_in_the_data_space(kind, scale):
    model = tiny_models.KINDS[kind]("float64")
    x = tiny_models.images(COUNT, dtype="float64") * scale
    attack = small_attack(model, epsilon=0.1, bounds=(0, scale), dtype="float64")
    found = generate(attack, x)
    assert found.x.min() >= 0
    assert found.x.max() <= scale
    assert np.abs(found.x - x).max() <= attack.epsilon * scale * (1 + 1e-12)
    f, won = reconstruction_in_numpy(model, x, found.x), found.success
    assert won.any()
    assert (f[won] <= 1e-9).all()
    np.testing.assert_allclose(found.criterion[won], f[won], atol=1e-9 * scale)


def test_what_it_has_no_word_for_is_nan_and_can_be_kept(x, tmp_path):
    # no perturbation is that good
    found = UAEs.concatenate(
        [generate(small_attack(criterion=Reconstruction(kappa=kappa)), x) for kappa in (0, 9)]
    )
    assert found.success[:COUNT].any()
    assert not found.success[COUNT:].any()
    np.testing.assert_array_equal(found.x[COUNT:], x)
    assert np.isnan(found.similarity).all()
    assert np.isnan(found.multiplier).all()
    assert np.isnan(found.criterion[~found.success]).all()
    assert (found.iteration[~found.success] == 0).all()
    assert_same_bits(UAEs.load(found.save(tmp_path / "found.npz")), found)


# one sample among others


def test_order_and_companions_do_not_matter():
    x = tiny_models.images(COUNT, dtype="float64")
    attack = small_attack(tiny_models.convolutional("float64"), dtype="float64")
    found = generate(attack, x)
    order = np.array([4, 6, 0, 2, 5, 3, 1])
    assert_close(generate(attack, x[order], index=order), found[order])
    for batch_size in (1, "auto"):
        assert_close(generate(attack, x, batch_size=batch_size), found)


def test_one_trace_serves_all_batches(x):
    attack = small_attack()
    for trace in (False, True, False, True):
        generate(attack, x, trace=trace)  # with a short last batch
        list(attack.batches(x[:3], batch_size=4, seed=9, trace=trace, exact=True))
    assert attack._compiled.experimental_get_tracing_count() == 2


def test_the_batch_holds_inputs_and_nothing_else():
    attack = small_attack()
    assert attack.values_per_sample(tiny_models.SHAPE) == 36
    assert attack.auto_batch_size(tiny_models.SHAPE) == 512


def test_a_poisoned_sample_is_frozen_and_harms_no_other(x):
    inputs = keras.Input(tiny_models.SHAPE)
    maps = keras.layers.Conv2D(3, 3, padding="same", activation="tanh")(Fragile()(inputs))
    model = keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same")(maps))
    attack = small_attack(model, epsilon=0.2, random_start=False)
    x = changed(x, (slice(None), 0, 0), 0.9)
    clean = generate(attack, x)
    assert clean.success.any()
    assert not clean.frozen.any()

    found = generate(attack, changed(x, (4, 0, 0), 0.1))  # below ½ the model gives NaN
    np.testing.assert_array_equal(np.flatnonzero(found.frozen), [4])
    assert not found.success[4]
    others = np.arange(COUNT) != 4
    assert_same_bits(found[others], clean[others])


def test_a_sample_without_a_gradient_stays_where_it_is(x):
    def steep(x, z):
        """Infinitely steep where the first pixel is 0."""
        return tf.reduce_mean(z - x, axis=[1, 2, 3]) + tf.sqrt(z[:, 0, 0, 0])

    x = changed(changed(x, (slice(None), 0, 0), 0.9), (4, 0, 0), 0)
    found = generate(small_attack(criterion=steep, random_start=False), x, trace=True)
    np.testing.assert_array_equal(np.flatnonzero(found.frozen), [4])
    np.testing.assert_array_equal(found.trace["criterion"][4], 0)
    first, second, *_ = found.trace["criterion"].T
    assert (second < first)[np.arange(COUNT) != 4].all()


# the graph and the layer


def test_settings_survive_json():
    attack = small_attack(
        criterion=Reconstruction(kappa=0.25), epsilon=0.2, random_start=False, dtype="float64"
    )
    config = json.loads(json.dumps(attack.get_config()))
    assert config["step_size"] is None
    clone = PGDAttack.from_config(config)
    assert json.loads(json.dumps(clone.get_config())) == config
    assert (clone.criterion, clone.dtype) == (attack.criterion, "float64")
    assert repr(clone) == repr(attack)
    assert repr(attack) == (
        "PGDAttack('convolutional', criterion=Reconstruction(kappa=0.25, squared=False, "
        "output=None), epsilon=0.2, steps=5, step_size=None, bounds=(0.0, 1.0), units='range', "
        "frozen_features=None, attacked=None, random_start=False, seed=0)"
    )


def test_a_model_that_holds_an_attack_can_be_saved(x, tmp_path):
    attack = small_attack(tiny_models.nested(), seed=2)
    inputs = keras.Input(tiny_models.SHAPE)
    model = keras.Model(inputs, attack(inputs))
    model.save(tmp_path / "attacked.keras")
    revived = keras.models.load_model(tmp_path / "attacked.keras")
    expected = model.predict(x, verbose=0)
    np.testing.assert_array_equal(revived.predict(x, verbose=0), expected)
    np.testing.assert_allclose(generate(attack, x, batch_size=COUNT, seed=2).x, expected, atol=1e-6)
    assert (expected != x).any()


def test_no_gradient_flows_through(x):
    attack, x = small_attack(), tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        seen = tf.reduce_sum(attack(x))
    assert tape.gradient(seen, [x, *attack.model.trainable_variables]) == [None] * 5


# what is refused, and how

BAD_SETTINGS: dict[str, tuple[dict[str, Any], str]] = {
    "epsilon": ({"epsilon": -1}, r"`epsilon` of PGDAttack.*\[0, inf\].*Received: epsilon=-1 "),
    "steps": ({"steps": 0}, "`steps` of PGDAttack.*Received: steps=0"),
    "step_size": ({"step_size": -0.1}, "`step_size` of PGDAttack.*Received: step_size=-0.1"),
    "step_size name": ({"step_size": "auto"}, "`step_size` of PGDAttack.*step_size='auto'"),
    "bounds": ({"bounds": (1, 0)}, r"`bounds` of PGDAttack.*Received: bounds=\(1, 0\)"),
    "random_start": ({"random_start": 0.5}, "`random_start` of PGDAttack.*random_start=0.5"),
    "random_start name": ({"random_start": "no"}, "True or False.*Received: random_start='no'"),
    "seed": ({"seed": None}, "`seed` of PGDAttack.*Received: seed=None"),
    "criterion": ({"criterion": 3}, "`criterion` of PGDAttack.*Received: criterion=3"),
    "unknown": ({"similarity": "l2"}, "similarity"),
}


@pytest.mark.parametrize("kind", BAD_SETTINGS)
def test_bad_settings_are_refused(kind):
    settings, message = BAD_SETTINGS[kind]
    with pytest.raises(ValueError, match=message):
        small_attack(**settings)


def test_bad_models_samples_and_criteria_are_refused(x):
    with pytest.raises(ValueError, match=r"`model` of PGDAttack must be .* built.*Received"):
        PGDAttack(None)
    with pytest.raises(ValueError, match=r"`x` of PGDAttack.generate must be finite.*Received"):
        generate(small_attack(), changed(x, (4, 2, 2, 0), np.nan))
    with pytest.raises(ValueError, match=r"`criterion` of PGDAttack.*one value a sample.*Received"):
        generate(small_attack(criterion=lambda x, z: z - x), x)


def test_the_base_has_no_loop_of_its_own(x):
    class Bare(Attack):
        def __init__(self, model, *, criterion, bounds=(0.0, 1.0), steps=1):
            super().__init__(model, locals())

    with pytest.raises(NotImplementedError):
        generate(Bare(tiny_models.convolutional(), criterion=Reconstruction()), x)


def test_shapes_and_dtypes_are_those_of_the_other_attack(x):
    found = generate(small_attack(), x)
    kinds = [getattr(found, name).dtype for name in ROW_FIELDS]
    number = np.float32
    assert kinds == [number, np.bool_, number, number, number, np.int32, np.bool_]
    assert all(getattr(found, name).shape == (COUNT,) for name in ROW_FIELDS[1:])
