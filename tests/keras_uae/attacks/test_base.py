"""MinMaxAttack: the contract that every attack keeps, and its use as a layer."""

import functools
import itertools
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_uae import MinMaxAttack, Reconstruction, UAEs, mutual_information
from keras_uae._model_layers import flat_layers
from keras_uae.attacks.geometry import STEP_RULES
from keras_uae.attacks.presets import PRESETS
from keras_uae.results import ROW_FIELDS
from keras_uae.similarity import (
    L2,
    MINE,
    SIMILARITIES,
    BivariateSampling,
    Convolution,
    Gaussian,
    RandomSampling,
    Similarity,
)
from tests import tiny_models
from tests.keras_uae.similarity.test_transport import exact_distance
from tests.marks import slow

COUNT, BATCH, STEPS, SEED = 7, 4, 5, 5
ROUNDING = 1e-9  # of float64, through a whole attack


def rows(array):
    return np.reshape(array, (len(array), -1))


def reconstruction_in_numpy(model, x, z, *, kappa=0.0, squared=False):
    def error(of):
        difference = rows(x - model(of, training=False).numpy())
        square = (difference**2).sum(axis=1)
        return square if squared else np.sqrt(square)

    return error(z) - error(x) + kappa


@keras.saving.register_keras_serializable(package="tests")
def darker(x: tf.Tensor, z: tf.Tensor) -> tf.Tensor:
    """A user's criterion: z is darker than x on average."""
    return tf.reduce_mean(z - x, axis=[1, 2, 3])


def darker_in_numpy(model, x, z):
    del model
    return rows(z - x).mean(axis=1)


class Case(NamedTuple):
    """An attack; the contract below is checked for each."""

    settings: dict[str, Any]
    build: Callable[..., keras.Model] = tiny_models.convolutional
    f: Callable[..., np.ndarray] = reconstruction_in_numpy
    preset: str = "default"
    scale: float = 1.0  # of the data


squared_in_numpy = functools.partial(reconstruction_in_numpy, squared=True)
CASES = {
    # "auto" is what the default preset takes
    **{name: Case({"similarity": name}) for name in SIMILARITIES},
    **{
        name: Case({"similarity": MINE(features=kind(samples=60, dimension=16))})
        for name, kind in (("random", RandomSampling), ("bivariate", BivariateSampling))
    },  # with K = 500 and d' = 128, the defaults, a second for each of seven calls
    **{f"preset_{name}": Case({}, preset=name) for name in PRESETS},
    "preset_published_code": Case({}, f=squared_in_numpy, preset="published_code"),
    **{
        f"step_{rule}": Case({"similarity": "gaussian", "step_rule": rule})
        for rule in STEP_RULES
        if rule != "max"  # the default
    },
    **{
        f"model_{name}": Case({"similarity": "l2"}, build)
        for name, build in tiny_models.KINDS.items()
        if name != "convolutional"  # the default
    },
    "model_rescaled": Case(
        {"similarity": "l2", "bounds": (0, 255)},
        tiny_models.rescaled,
        scale=255,
    ),
    "maximize": Case({"similarity": "gaussian", "objective": "maximize"}),
    "squared": Case(
        {"similarity": "l2", "criterion": Reconstruction(squared=True)}, f=squared_in_numpy
    ),
    "kappa": Case(
        {"similarity": "l2", "criterion": Reconstruction(kappa=0.01)},
        f=functools.partial(reconstruction_in_numpy, kappa=0.01),
    ),
    "callable": Case({"similarity": "conv", "criterion": darker}, f=darker_in_numpy),
    "multiplier": Case({"similarity": "l2", "initial_multiplier": 3, "multiplier_step_size": 1}),
    "warm_start": Case({"similarity": MINE(steps=2, warm_start=True)}),
    "named_layer": Case({"similarity": L2(features=Convolution(layer="deep"))}, tiny_models.nested),
    "glorot": Case({"similarity": "cosine", "initial_radius": "glorot"}),
}
every_case = pytest.mark.parametrize("name", CASES)


class Run(NamedTuple):
    case: Case
    attack: MinMaxAttack
    x: np.ndarray
    found: UAEs
    variants: dict[str, UAEs]  # what else was asked of the same attack
    traces: int  # and how many graphs that took in all


ORDER = np.array([4, 6, 0, 2, 5, 3, 1])


@functools.cache
def run(name: str) -> Run:
    """The attack of a case in float64, and what it finds; made once for all tests.

    All at once: a new global seed, which every test sets, makes TensorFlow forget its kernels.
    """
    case = CASES[name]
    keras.utils.set_random_seed(0)
    settings = {"steps": STEPS, "epsilon": 0.15, "dtype": "float64"}
    if not name.startswith("preset_"):  # from c₀ = 0 some samples succeed and some do not
        settings["initial_multiplier"] = 0.0
    settings |= case.settings
    attack = MinMaxAttack.from_preset(case.preset, case.build("float64"), **settings)
    x = tiny_models.images(COUNT, dtype="float64") * case.scale
    found = generate(attack, x)
    variants = {
        "again": generate(attack, x),
        "other_seed": generate(attack, x, seed=SEED + 1),
        "reordered": generate(attack, x[ORDER], index=ORDER),
        "alone": part(attack, x[2:3], index=np.array([2], "int32")),
        "first_shard": part(attack, x[:4]),
        "last_shard": part(attack, x[4:], index=range(4, COUNT)),
    }
    return Run(case, attack, x, found, variants, attack._compiled.experimental_get_tracing_count())


@pytest.fixture(autouse=True, scope="module")
def _forget_runs():
    yield
    run.cache_clear()


def generate(attack, x, **settings):
    return attack.generate(x, **{"batch_size": BATCH, "seed": SEED, "verbose": 0, **settings})


def part(attack, x, **settings):
    """A part of a data set, in batches as large as those of the whole."""
    return UAEs.concatenate(
        list(attack.batches(x, **{"batch_size": BATCH, "seed": SEED, "exact": True, **settings}))
    )


def assert_same_bits(one: UAEs, other: UAEs, fields=ROW_FIELDS):
    for name in fields:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


def assert_close(one: UAEs, other: UAEs, tolerance=ROUNDING):
    for name in ROW_FIELDS:
        left, right = getattr(one, name), getattr(other, name)
        np.testing.assert_allclose(left, right, rtol=tolerance, atol=tolerance, err_msg=name)


def small_attack(model=None, **settings):
    """A quick attack in float32 that captures features and starts at random."""
    model = model or tiny_models.convolutional()
    return MinMaxAttack(model, **{"similarity": "l2", "steps": STEPS, **settings})


# the contract


@every_case
def test_shapes_and_dtypes(name):
    _, _, x, found, *_ = run(name)
    assert found.x.shape == x.shape
    kinds = {field: getattr(found, field).dtype for field in ROW_FIELDS}
    assert kinds == {
        "x": np.float64,
        "success": np.bool_,
        "similarity": np.float64,
        "criterion": np.float64,
        "multiplier": np.float64,
        "iteration": np.int32,
        "frozen": np.bool_,
    }
    assert all(getattr(found, field).shape == (COUNT,) for field in ROW_FIELDS[1:])
    assert found.trace == {}
    assert not found.frozen.any()


@every_case
def test_examples_stay_in_the_ball_and_in_the_data_space(name):
    case, attack, x, found, *_ = run(name)
    low, high = attack.bounds
    assert found.x.min() >= low
    assert found.x.max() <= high
    distance = np.abs(found.x - x)
    assert distance.max() <= attack.epsilon * case.scale * (1 + 1e-12)
    assert distance[found.success].max(axis=(1, 2, 3)).min() > 0


@every_case
def test_success_means_that_the_criterion_holds(name):
    case, attack, x, found, *_ = run(name)
    won = found.success
    assert won.any()
    assert not won.all()
    f = case.f(attack.model, x, found.x)
    assert (f[won] <= ROUNDING * case.scale).all()
    np.testing.assert_allclose(found.criterion[won], f[won], atol=ROUNDING * case.scale)
    np.testing.assert_allclose(
        attack.criterion(x, found.x)[won], f[won], atol=ROUNDING * case.scale
    )
    assert ((found.iteration[won] >= 1) & (found.iteration[won] <= STEPS)).all()
    assert (found.multiplier >= 0).all()


@every_case
def test_failed_samples_are_the_originals(name):
    _, _, x, found, *_ = run(name)
    lost = ~found.success
    assert lost.any()
    np.testing.assert_array_equal(found.x[lost], x[lost])
    assert np.isnan(found.similarity[lost]).all()
    assert np.isnan(found.criterion[lost]).all()
    assert (found.iteration[lost] == 0).all()


@every_case
def test_the_seed_decides(name):
    _, attack, x, found, variants, _ = run(name)
    assert_same_bits(found, variants["again"])
    other = variants["other_seed"]
    if attack.radius(tf.TensorShape(x.shape[1:])) > 0:
        assert (rows(other.x) != rows(found.x)).any(axis=1)[found.success].all()


@every_case
def test_order_and_companions_do_not_matter(name):
    _, _, _, found, variants, _ = run(name)
    assert_close(variants["reordered"], found[ORDER])
    assert_close(variants["alone"], found[2])


@every_case
def test_shards_make_up_the_whole(name):
    _, _, _, found, variants, _ = run(name)
    shards = [variants["first_shard"], variants["last_shard"]]
    assert_close(UAEs.concatenate(shards), found)


@every_case
def test_one_trace_serves_all_batches(name):
    """Short last batches, other seeds and another index of another type included."""
    assert run(name).traces == 1


@every_case
def test_settings_survive_json(name):
    _, attack, _, _, *_ = run(name)
    config = json.loads(json.dumps(attack.get_config()))
    before = json.dumps(config)
    clone = MinMaxAttack.from_config(config)
    assert json.dumps(config) == before  # not consumed
    assert json.loads(json.dumps(clone.get_config())) == config
    assert clone.criterion == attack.criterion
    assert clone.similarity == attack.similarity
    assert clone.dtype == "float64"
    assert repr(clone) == repr(attack)


@pytest.mark.parametrize("name", ["conv", "model_nested", "model_subclassed", "callable"])
def test_a_revived_attack_finds_the_same(name):
    _, attack, x, found, *_ = run(name)
    clone = MinMaxAttack.from_config(json.loads(json.dumps(attack.get_config())))
    clone.model.set_weights(attack.model.get_weights())
    assert_same_bits(generate(clone, x), found)


@pytest.mark.parametrize("name", ["gaussian", slow("warm_start"), "model_nested"])
def test_the_batch_size_does_not_matter(name):
    _, attack, x, found, *_ = run(name)
    clone = MinMaxAttack.from_config(attack.get_config())
    clone.model.set_weights(attack.model.get_weights())
    for batch_size in (1, "auto"):  # the latter takes all at once
        assert_close(generate(clone, x, batch_size=batch_size), found)


@pytest.mark.parametrize(
    ("similarity", "objective"),
    [(MINE(steps=2), "minimize"), (Gaussian(), "minimize"), (Gaussian(), "maximize")],
    ids=["mine", "gaussian", "maximize"],
)
def test_a_ball_of_radius_zero_holds_no_example(similarity, objective):
    attack = small_attack(similarity=similarity, objective=objective, epsilon=0)
    x = tiny_models.images(COUNT)
    found = generate(attack, x)
    np.testing.assert_array_equal(found.x, x)
    assert not found.success.any()
    assert found.success_rate == 0


# what is reported is what was there


def similarity_in_numpy(name, model, x, z):
    maps = keras.Model(model.input, model.layers[1].output)
    u, v = (rows(maps(of).numpy()) for of in (x, z))
    if name == "l2":
        return -np.linalg.norm(u - v, axis=1)
    if name == "cosine":
        return (u * v).sum(axis=1) / np.linalg.norm(u, axis=1) / np.linalg.norm(v, axis=1)
    if name == "feature_scattering":
        maps_u, maps_v = (of.reshape(len(of), -1, tiny_models.MAPS) for of in (u, v))
        return -np.array(list(map(exact_distance, maps_u, maps_v)))
    if name == "gaussian":
        x, z = rows(x), rows(z)
        squared = (x * z).sum(axis=1) ** 2 / ((x**2).sum(axis=1) * (z**2).sum(axis=1))
        return -0.5 * np.log(1e-6 + (1 - 1e-6) * (1 - squared))
    return np.linalg.norm(rows(x - model(z).numpy()), axis=1)


@pytest.mark.parametrize(
    "name",
    ["l2", "cosine", "feature_scattering", "gaussian", "reconstruction_loss", "maximize"],
)
def test_the_reported_similarity_is_that_of_the_example(name):
    _, attack, x, found, *_ = run(name)
    formula = "gaussian" if name == "maximize" else name
    expected = similarity_in_numpy(formula, attack.model, x, found.x)
    won = found.success
    # transport is as exact as its iterations make it
    rtol = 1e-3 if name == "feature_scattering" else 1e-9
    np.testing.assert_allclose(found.similarity[won], expected[won], rtol=rtol)
    assert found.measure == attack.similarity.measure


@pytest.mark.parametrize("name", ["conv", "random"])
def test_the_reported_estimate_can_be_made_again(name):
    """MINE trained outside the loop, on the original and the example alone."""
    _, attack, x, found, *_ = run(name)
    similarity, model = attack.similarity, attack.model
    features, seed = similarity.features, tf.constant(SEED, tf.int64)
    reads = model if name == "random" else keras.Model(model.input, model.layers[1].output)
    u, v = (of if name == "random" else reads(of) for of in (tf.constant(x), tf.constant(found.x)))
    projection = features.draw(seed, u)
    u, v = features(projection, u), features(projection, v)
    drawn = similarity.draw(seed, u.shape[1:], STEPS + 1, tf.float64)
    for i in np.flatnonzero(found.success):
        state = similarity.init(drawn, tf.constant(x[i : i + 1]), u[i : i + 1])
        t = tf.constant(found.iteration[i])
        _, value = similarity.estimate(drawn, state, v[i : i + 1], t)
        np.testing.assert_allclose(found.similarity[i], value[0], rtol=1e-8)


@pytest.mark.parametrize("name", ["conv", "gaussian", "maximize", "callable", "preset_l2_uae"])
def test_the_trace_tells_the_same_story(name):
    _, attack, x, found, *_ = run(name)
    clone = MinMaxAttack.from_config(attack.get_config())
    clone.model.set_weights(attack.model.get_weights())
    traced = generate(clone, x, trace=True)
    assert_same_bits(traced, found)
    assert set(traced.trace) == {"similarity", "criterion", "multiplier", "gap"}
    assert all(values.shape == (COUNT, STEPS + 1) for values in traced.trace.values())
    assert all(np.isfinite(values).all() for values in traced.trace.values())

    sign = 1 if attack.objective == "minimize" else -1
    eligible = traced.trace["criterion"] <= 0
    eligible[:, 0] = False  # δ₀
    np.testing.assert_array_equal(eligible.any(axis=1), found.success)
    scores = np.where(eligible, sign * traced.trace["similarity"], np.inf)
    won = found.success
    np.testing.assert_array_equal(found.iteration[won], scores.argmin(axis=1)[won])
    np.testing.assert_array_equal(sign * found.similarity[won], scores.min(axis=1)[won])
    at_best = np.take_along_axis(traced.trace["criterion"], scores.argmin(axis=1)[:, None], axis=1)
    np.testing.assert_array_equal(found.criterion[won], at_best[won, 0])
    np.testing.assert_array_equal(found.multiplier, traced.trace["multiplier"][:, -1])

    # steps 8 and 9 of the algorithm, from the criterion alone
    c = np.full(COUNT, attack.initial_multiplier)
    for t, f in enumerate(traced.trace["criterion"].T, start=1):
        beta = attack.multiplier_step_size
        c = np.maximum((1 - beta / t**0.25) * c + beta * np.maximum(f, 0), 0)
        np.testing.assert_allclose(traced.trace["multiplier"][:, t - 1], c, atol=1e-12)


@keras.saving.register_keras_serializable(package="tests")
def anything(x, z):
    return -tf.ones_like(x[:, 0, 0, 0])


@pytest.mark.parametrize("similarity", ["gaussian", "l2", "reconstruction_loss"])
@pytest.mark.parametrize("objective", ["minimize", "maximize"])
def test_the_objective_points_downhill_or_uphill(similarity, objective):
    attack = small_attack(criterion=anything, similarity=similarity, objective=objective)
    found = generate(attack, tiny_models.images(COUNT), trace=True)
    ascent = np.diff(found.trace["similarity"], axis=1)
    assert (ascent < 0 if objective == "minimize" else ascent > 0).all()
    assert (found.iteration == STEPS).all()


@pytest.mark.parametrize(
    "estimate",
    [
        lambda state, v: tf.reduce_sum(v, axis=[1, 2]),  # no state
        lambda state, v: (state, tf.reduce_sum(v)),
        lambda state, v: (state, tf.reduce_sum(v, axis=1)),
    ],
)
def test_a_similarity_that_gives_something_else_is_told_so(estimate):
    class Mine(Similarity):
        def estimate(self, drawn, state, v, t):
            return estimate(state, v)

    attack = MinMaxAttack(tiny_models.dense(), similarity=Mine())
    with pytest.raises(
        ValueError, match=r"one value a sample, shape \(batch,\), in `estimate`.*Mine"
    ):
        attack.generate(np.ones((3, *tiny_models.SHAPE), "float32"), verbose=0)


@pytest.mark.parametrize("value", [MINE, lambda x, z: 0, None])
def test_what_is_no_similarity_is_told_what_is(value):
    with pytest.raises(ValueError, match=r"must be a Similarity, such as uae.similarity.MINE\(\)"):
        MinMaxAttack(tiny_models.dense(), similarity=value)
    with pytest.raises(ValueError, match=r"mutual_information must be a Similarity"):
        mutual_information(np.ones((2, 3)), np.ones((2, 3)), similarity=value)


def test_features_are_those_of_the_iterate_whatever_the_criterion_calls():
    """A criterion that runs the model on x alone: its features are not those of z."""
    model = tiny_models.convolutional()

    def own(x, z):
        # ≤ 0 for every z in [0, 1]
        return tf.reduce_mean(z - 1 + 0 * model(x), axis=[1, 2, 3])

    attack, x = small_attack(model, criterion=own, similarity="l2"), tiny_models.images(COUNT)
    found = generate(attack, x)
    won = found.success
    assert won.any()
    expected = similarity_in_numpy("l2", model, x, found.x)
    np.testing.assert_allclose(found.similarity[won], expected[won], rtol=1e-4)


def test_a_trace_costs_one_more_graph_and_no_more():
    attack, x = small_attack(), tiny_models.images(COUNT)
    for trace in (False, True, False, True):
        generate(attack, x, trace=trace)
        generate(attack, x[:4], seed=9, trace=trace)
    assert attack._compiled.experimental_get_tracing_count() == 2


def test_the_repr_names_every_setting():
    text = repr(small_attack(epsilon=0.25, similarity="gaussian"))
    assert text.startswith("MinMaxAttack('convolutional', criterion=Reconstruction(kappa=0.0")
    for part in ("similarity=Gaussian(", "epsilon=0.25", "steps=5", "bounds=(0.0, 1.0)", "seed=0"):
        assert part in text


def test_presets_can_be_overridden():
    model = tiny_models.convolutional()
    assert MinMaxAttack.from_preset("paper", model).initial_radius == 0
    assert MinMaxAttack.from_preset("paper", model, initial_radius=0.5).initial_radius == 0.5
    code = MinMaxAttack.from_preset("published_code", model)
    assert isinstance(code.criterion, Reconstruction)
    assert code.criterion.squared
    assert code.radius(tf.TensorShape([28, 28, 1])) == pytest.approx(0.086, abs=5e-4)


# the model


def test_new_weights_are_seen_by_the_next_call():
    attack, x = small_attack(), tiny_models.images(COUNT)
    before = generate(attack, x)
    fresh = [np.flip(weight).copy() * 0.5 for weight in attack.model.get_weights()]
    attack.model.set_weights(fresh)
    after = generate(attack, x)
    assert attack._compiled.experimental_get_tracing_count() == 1
    other = tiny_models.convolutional()
    other.set_weights(fresh)
    assert_same_bits(after, generate(small_attack(other), x))
    assert (after.success != before.success).any() or (after.x != before.x).any()


@pytest.mark.parametrize("kind", tiny_models.KINDS)
def test_nothing_is_left_behind_in_the_model(kind):
    model = tiny_models.KINDS[kind]()
    before = [weight.numpy() for weight in model.variables]
    attributes = [set(vars(layer)) for layer in [model, *flat_layers(model)]]
    similarity = L2(features=Convolution()) if kind != "dense" else "reconstruction_loss"
    generate(small_attack(model, similarity=similarity), tiny_models.images(COUNT))
    for old, new in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    assert attributes == [set(vars(layer)) for layer in [model, *flat_layers(model)]]
    assert all("call" not in names for names in attributes)


class Noisy(keras.layers.Layer):
    """Adds noise at inference too, as the sampling layer of a variational autoencoder may."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(3)

    def call(self, x):
        return x + 0.01 * keras.random.normal(keras.ops.shape(x), seed=self.generator)


def stateful_model():
    """Everything that a careless call could change: moving averages, a generator, losses."""
    inputs = keras.Input(tiny_models.SHAPE)
    maps = keras.layers.Conv2D(3, 3, padding="same", activity_regularizer="l2")(inputs)
    maps = Noisy()(keras.layers.BatchNormalization()(keras.layers.Dropout(0.5)(maps)))
    return keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same")(maps))


def test_state_of_the_model_stays_as_it_is():
    model, x = stateful_model(), tiny_models.images(COUNT)
    attack = small_attack(model)
    first = generate(attack, x)
    generate(attack, x)
    before = [variable.numpy() for variable in model.variables]
    assert_same_bits(generate(attack, x), first)
    for old, variable in zip(before, model.variables, strict=True):
        np.testing.assert_array_equal(old, variable.numpy(), err_msg=variable.path)


def test_losses_of_the_model_do_not_leak_out_of_the_graph():
    model, x = stateful_model(), tiny_models.images(COUNT)
    attack = small_attack(model)
    generate(attack, x)
    assert model.losses == []
    attack(x)
    assert model.losses == []

    inputs = keras.Input(tiny_models.SHAPE)
    attacked = keras.Model(inputs, attack(inputs))
    attacked.compile(loss="mse")
    loss = attacked.evaluate(x, x, batch_size=COUNT, verbose=0)
    assert loss == pytest.approx(np.mean((attack(x).numpy() - x) ** 2), rel=1e-4)

    model(x)
    (own,) = model.losses
    assert float(own) > 0


def test_a_failing_trace_leaves_the_model_alone():
    def fails(x, z):
        raise RuntimeError("inside")

    model, x = tiny_models.convolutional(), tiny_models.images(2)
    attack = small_attack(model, criterion=fails)
    before = model.weights[0].numpy()
    with pytest.raises(RuntimeError, match="inside"):
        attack(x)
    assert all("call" not in vars(layer) for layer in model.layers)
    model.weights[0].assign(model.weights[0] + 1)
    assert (model.weights[0].numpy() != before).all()


def test_a_criterion_on_another_model_is_not_saved_silently():
    surrogate = Reconstruction(tiny_models.sequential())
    attack = small_attack(criterion=surrogate)
    x = tiny_models.images(COUNT)
    found = generate(attack, x)
    f = reconstruction_in_numpy(surrogate.model, x, found.x)
    assert (f[found.success] <= 1e-5).all()
    assert found.success.any()
    with pytest.raises(ValueError, match="`criterion` of MinMaxAttack must judge the attacked"):
        attack.get_config()


def test_mixed_precision_models_are_attacked_in_float32():
    x = tiny_models.images(COUNT)
    model = tiny_models.convolutional("mixed_float16")
    found = generate(small_attack(model, similarity="conv"), x)
    assert found.x.dtype == np.float32
    assert not found.frozen.any()
    assert found.success.any()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_models_in_half_precision_are_attacked_in_float32(tmp_path, dtype):
    x, model = tiny_models.images(COUNT), tiny_models.convolutional(dtype)
    found = generate(small_attack(model, dtype=dtype), x)  # as under this policy
    f = reconstruction_in_numpy(model, x, found.x)
    assert found.success.any()
    np.testing.assert_allclose(found.criterion[found.success], f[found.success], atol=1e-6)
    again = UAEs.load(found.save(tmp_path / "found.npz"))
    np.testing.assert_array_equal(again.x, found.x)


# as a layer


def test_the_layer_returns_what_generate_finds():
    x = tiny_models.images(COUNT)
    attack = small_attack(seed=4)
    found = generate(attack, x, batch_size=COUNT, seed=4)
    result = attack(x)
    assert result.dtype == tf.float32
    np.testing.assert_array_equal(result, found.x)
    index = np.array([5, 0, 9, 1, 2, 77, 3])
    expected = generate(attack, x, batch_size=COUNT, seed=4, index=index)
    assert (expected.x != found.x).any()
    for given in (index, index.astype("int32"), tf.constant(index)):
        np.testing.assert_array_equal(attack(x, given), expected.x)


@pytest.mark.parametrize("drop_remainder", [False, True])
def test_inside_a_tf_data_map(drop_remainder):
    x = tiny_models.images(COUNT)
    attack = small_attack(similarity="l2")
    expected = generate(attack, x, seed=0).x[: COUNT - COUNT % BATCH if drop_remainder else COUNT]
    data = tf.data.Dataset.from_tensor_slices((x, np.arange(COUNT)))
    data = data.batch(BATCH, drop_remainder=drop_remainder).map(attack)
    (spec,) = tf.nest.flatten(data.element_spec)
    assert spec.shape == (BATCH if drop_remainder else None, *tiny_models.SHAPE)
    np.testing.assert_allclose(np.concatenate(list(data)), expected, atol=1e-6)


class AdversarialTraining(keras.Model):
    """A user's model that trains on the examples of the moment."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner
        self.attack = small_attack(inner, similarity="conv")

    def call(self, x, training=False):
        return self.inner(x, training=training)

    def train_step(self, data):
        x, _ = data
        z = self.attack(x)
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean((self(z, training=True) - x) ** 2) + sum(self.losses)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply(gradients, self.trainable_variables)
        return {"loss": loss, "moved": tf.reduce_mean(tf.abs(z - x)), "noted": len(self.losses)}


def test_inside_a_training_step():
    keras.utils.set_random_seed(0)
    inputs = keras.Input(tiny_models.SHAPE)
    maps = keras.layers.Conv2D(3, 3, padding="same", activity_regularizer="l2")(inputs)
    inner = keras.Model(inputs, keras.layers.Conv2D(1, 3, padding="same")(maps))
    model, x = AdversarialTraining(inner), tiny_models.images(8)
    model.compile(keras.optimizers.SGD(0.05))
    history = model.fit(x, x, batch_size=4, epochs=4, shuffle=False, verbose=0).history
    assert history["loss"][-1] < history["loss"][0]
    assert all(value > 0 for value in history["moved"])
    assert history["noted"][-1] == 1  # the regulariser, of the call on z
    assert model.attack._compiled.experimental_get_tracing_count() == 1


def test_no_gradient_flows_through():
    keras.utils.set_random_seed(0)  # there are models without any example
    attack, x = small_attack(), tf.constant(tiny_models.images(COUNT))
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = attack(x)
        moved = tf.reduce_sum(z - x)
        seen = tf.reduce_sum(z)
    assert (z.numpy() != x.numpy()).any()
    variables = attack.model.trainable_variables
    gradients = tape.gradient({"seen": seen}, [x, *variables])
    assert gradients == [None] * (1 + len(variables))
    del moved


def test_a_gradient_tape_does_not_make_the_loop_keep_its_intermediates():
    attack, x = small_attack(similarity="conv"), tf.constant(tiny_models.images(COUNT))

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(attack.model(attack(x)))
        return tape.gradient(loss, attack.model.trainable_variables)

    graph = step.get_concrete_function(x).graph.as_graph_def()
    functions = graph.library.function
    nodes = itertools.chain(graph.node, *(function.node_def for function in functions))
    operations = {node.op for node in nodes}
    assert "StatelessWhile" in operations or "While" in operations
    assert "TensorListPushBack" not in operations


@pytest.mark.parametrize("kind", ["nested", "subclassed", "dense"])
def test_a_model_that_holds_an_attack_can_be_saved(kind, tmp_path):
    attack = small_attack(tiny_models.KINDS[kind](), similarity="l2", seed=2)
    inputs = keras.Input(tiny_models.SHAPE)
    model = keras.Model(inputs, attack(inputs))
    assert model.output_shape == (None, *tiny_models.SHAPE)
    x = tiny_models.images(COUNT)
    model.save(tmp_path / "attacked.keras")
    revived = keras.models.load_model(tmp_path / "attacked.keras")
    np.testing.assert_array_equal(revived.predict(x, verbose=0), model.predict(x, verbose=0))
    np.testing.assert_allclose(model.predict(x, verbose=0), attack(x), atol=1e-6)
    assert (model.predict(x, verbose=0) != x).any()
    assert not model.weights  # those of the attacked model are its own
