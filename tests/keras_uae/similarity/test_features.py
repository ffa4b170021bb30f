"""Feature maps: which layer is read, what is captured of it, and random projections."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_uae import MinMaxAttack, similarity
from keras_uae._model_layers import capture, flat_layers
from keras_uae.similarity import (
    L2,
    MINE,
    BivariateSampling,
    Convolution,
    Cosine,
    FeatureScattering,
    Gaussian,
    Output,
    Pixels,
    RandomSampling,
    ReconstructionLoss,
)
from keras_uae.similarity import features as feature_maps
from keras_uae.similarity.features import first_convolution
from tests import tiny_models
from tests.tiny_models import KINDS, MAPS, SHAPE

COUNT = 4
CONVOLUTIONAL = [kind for kind in KINDS if kind != "dense"]


@pytest.fixture
def x():
    return tiny_models.images(COUNT)


def reference_layer(kind, model):
    """The first convolution, and a model of its output that Keras makes itself."""
    if kind == "subclassed":
        return model.first, model.first
    inner = model.get_layer("encoder") if kind == "nested" else model
    layer = next(each for each in inner.layers if isinstance(each, keras.layers.Conv2D))
    return layer, keras.Model(inner.inputs[0], layer.output)


@pytest.mark.parametrize("kind", CONVOLUTIONAL)
def test_captured_is_what_the_layer_returns(kind, x):
    model = KINDS[kind]()
    x = x * 255 if kind == "rescaled" else x
    layer, truth = reference_layer(kind, model)
    assert Convolution().source(model) is layer
    with capture(layer) as seen:
        output = model(x, training=False)
    (captured,) = seen
    assert captured.shape == (COUNT, 6, 6, MAPS)
    np.testing.assert_allclose(captured, truth(x), atol=1e-6)
    np.testing.assert_allclose(output, model(x), atol=1e-6)
    features = Convolution()((), captured)
    np.testing.assert_array_equal(features, np.reshape(captured, (COUNT, 36, MAPS)))
    assert Convolution().size(captured.shape[1:]) == 36 * MAPS


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_model_can_be_captured(kind, x):
    model = KINDS[kind]()
    with capture(model) as seen:
        output = model(x)
    assert len(seen) == 1
    assert Output().source(model) is model
    np.testing.assert_array_equal(Output()((), seen[0]), np.reshape(output, (COUNT, 36, 1)))


def test_the_input_needs_no_layer(x):
    model = tiny_models.dense()
    assert Pixels().source(model) is None
    assert RandomSampling().source(model) is None
    with capture(None) as seen:
        model(x)
    assert seen == []
    np.testing.assert_array_equal(Pixels()((), tf.constant(x)), x.reshape(COUNT, 36, 1))


def test_capture_ends_with_its_context(x):
    model = tiny_models.convolutional()
    layer = model.layers[1]
    with capture(layer) as seen:
        model(x)
        model(x)
    model(x)
    assert len(seen) == 2
    with pytest.raises(RuntimeError, match="inside"), capture(layer) as seen:
        raise RuntimeError("inside")
    model(x)
    assert len(seen) == 0


def test_captures_can_be_nested(x):
    model = tiny_models.convolutional()
    layer = model.layers[1]
    before = keras.Layer.__call__
    with capture(layer) as outer:
        with capture(layer) as inner:
            model(x)
        model(x)
    model(x)
    assert (len(inner), len(outer)) == (1, 2)
    assert keras.Layer.__call__ is before


def test_capture_keeps_the_gradient(x):
    model = tiny_models.convolutional()
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        with capture(model.layers[1]) as seen:
            model(x)
        total = tf.reduce_sum(seen[0])
    gradient = tape.gradient(total, x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        total = tf.reduce_sum(model.layers[1](x))
    np.testing.assert_allclose(gradient, tape.gradient(total, x), atol=1e-6)
    assert np.abs(gradient).max() > 0


def test_layers_of_nested_models_stand_in_their_place():
    kinds = [type(layer).__name__ for layer in flat_layers(tiny_models.nested())]
    expected = ["InputLayer", "InputLayer", "Conv2D", "MaxPooling2D", "UpSampling2D", "Conv2D"]
    assert kinds == expected
    model = tiny_models.subclassed()
    assert flat_layers(model) == [model.first, model.last]
    twice = keras.Sequential([keras.Input(SHAPE), tiny_models.nested(), tiny_models.sequential()])
    names = [type(layer).__name__ for layer in flat_layers(twice)]
    assert names == [*expected, "Conv2D", "Conv2D"]


def test_the_first_layer_with_a_kernel_that_sees_the_input_decides():
    found = {kind: first_convolution(KINDS[kind]()) is not None for kind in KINDS}
    assert found == {**dict.fromkeys(CONVOLUTIONAL, True), "dense": False}
    inputs = keras.Input((6, 6))
    one = keras.layers.Conv1D(2, 3)
    assert first_convolution(keras.Model(inputs, one(inputs))) is one
    late = keras.Model(inputs, keras.layers.Conv1D(2, 3)(keras.layers.Dense(4)(inputs)))
    assert first_convolution(late) is None
    assert first_convolution(keras.Model(inputs, inputs * 2)) is None


PLACES = {
    "loop": lambda each, x: keras.ops.fori_loop(0, 2, lambda _, h: each(h), x),
    "branch": lambda each, x: keras.ops.cond(keras.ops.mean(x) > 9, lambda: x, lambda: each(x)),
    "map": lambda each, x: keras.ops.map(lambda row: each(row[None])[0], x),
    "patches": lambda each, x: keras.ops.reshape(
        each(keras.ops.reshape(x, (-1, 1, *x.shape[2:]))), (-1, *x.shape[1:])
    ),
}


class Placed(keras.layers.Layer):
    """Runs a convolution where what it returns cannot be read, or is none of a sample."""

    def __init__(self, place):
        super().__init__()
        self.place, self.convolution = PLACES[place], keras.layers.Conv2D(4, 3, padding="same")

    def build(self, shape):
        self.convolution.build(shape)

    def call(self, x):
        return self.place(self.convolution, x)


@pytest.mark.parametrize("place", PLACES)
def test_a_convolution_that_cannot_be_read_is_left_alone(place):
    inputs = keras.Input((4, 4, 4))
    model = keras.Model(inputs, Placed(place)(inputs) * 0.9)
    assert similarity.get("auto", model) == Gaussian()
    x = np.random.default_rng(0).random((5, 4, 4, 4)).astype("float32")
    assert np.isfinite(MinMaxAttack(model, steps=3).generate(x, verbose=0).x).all()
    kept = place in ("loop", "branch")
    reason = "none outside of loops" if kept else "does not give a row a sample"
    with pytest.raises(ValueError, match=f"{reason}.*similarity='gaussian'"):
        MinMaxAttack(model, similarity="conv").generate(x, verbose=0)
    if kept:
        assert similarity.get("l2", model) == L2(features=Pixels())


def test_a_layer_that_its_gradient_runs_once_more_is_left_alone():
    class Recomputed(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.convolution = keras.layers.Conv2D(4, 3, padding="same")

        def build(self, shape):
            self.convolution.build(shape)

        def call(self, x):
            return tf.recompute_grad(self.convolution)(x)

    inputs, last = keras.Input(SHAPE), keras.layers.Conv2D(SHAPE[-1], 3, padding="same")
    model = keras.Model(inputs, last(Recomputed()(inputs)))
    assert first_convolution(model) is last
    x = np.random.default_rng(0).random((4, *SHAPE)).astype("float32")
    assert MinMaxAttack(model, steps=3).generate(x, verbose=0).x.shape == x.shape


@pytest.mark.parametrize("kind", KINDS)
def test_what_the_names_stand_for(kind):
    model = KINDS[kind]()
    maps = Pixels() if kind == "dense" else Convolution()
    expected = {
        "auto": Gaussian() if kind == "dense" else MINE(features=Convolution()),
        "conv": MINE(features=Convolution()),
        "random": MINE(features=RandomSampling(samples=500, dimension=128)),
        "bivariate": MINE(features=BivariateSampling(samples=500, dimension=128)),
        "gaussian": Gaussian(),
        "l2": L2(features=maps),
        "cosine": Cosine(features=maps),
        "feature_scattering": FeatureScattering(features=maps),
        "reconstruction_loss": ReconstructionLoss(),
    }
    assert {name: similarity.get(name, model) for name in similarity.names()} == expected
    own = L2(features=Output())
    assert similarity.get(own, model) is own


def test_a_layer_is_found_by_name_at_any_depth(x):
    model = tiny_models.nested()
    deep = Convolution(layer="deep").source(model)
    assert deep is model.get_layer("encoder").get_layer("deep")
    last = model.get_layer("decoder").layers[-1]
    assert Convolution(layer=last.name).source(model) is last
    # a layer without axes but the features: K units of dimension 1
    dense = tiny_models.dense()
    units = Convolution(layer=dense.layers[2].name)
    with capture(units.source(dense)) as seen:
        dense(x)
    assert units((), seen[0]).shape == (COUNT, 1, 5)


def test_a_layer_that_runs_twice_is_read_the_first_time(x):
    shared = keras.layers.Conv2D(1, 3, padding="same", activation="sigmoid")
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, shared(shared(inputs)))
    attack = MinMaxAttack(model, similarity="l2", steps=3)
    found = attack.generate(x, verbose=0)
    distance = np.sqrt(np.square(shared(x).numpy() - shared(found.x).numpy()).sum(axis=(1, 2, 3)))
    assert found.success.any()
    np.testing.assert_allclose(found.similarity[found.success], -distance[found.success], rtol=1e-4)


def seed_of(number):
    return tf.constant(number, tf.int64)


def test_random_sampling_law():
    features = RandomSampling(samples=60, dimension=16)
    drawn = features.draw(seed_of(0), tf.zeros((1, *SHAPE), tf.float64)).numpy()
    assert drawn.shape == (36, 16 * 60)
    assert features.size(tf.TensorShape(SHAPE)) == 16 * 60
    deviation, count = 1 / 16, drawn.size
    assert abs(drawn.mean()) < 4 * deviation / count**0.5
    assert drawn.std() == pytest.approx(deviation, rel=4 / (2 * count) ** 0.5)
    beyond = np.mean(np.abs(drawn) > 1.959964 * deviation)  # 5 % of a Gaussian
    assert beyond == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / count) ** 0.5)
    correlation = np.corrcoef(drawn)[np.triu_indices(36, 1)]
    assert np.abs(correlation).max() < 5 / (16 * 60) ** 0.5


@pytest.mark.parametrize("sampling", [RandomSampling, BivariateSampling])
def test_random_sampling_is_keyed_by_its_seed(sampling, x):
    features = sampling(samples=3, dimension=2)
    drawn = [features.draw(seed_of(seed), tf.constant(x)) for seed in (1, 1, 2)]
    draw = [each.numpy() if sampling is RandomSampling else each.directions for each in drawn]
    np.testing.assert_array_equal(draw[0], draw[1])
    assert np.all(draw[0] != draw[2])


def test_random_sampling_projects(x):
    features = RandomSampling(samples=3, dimension=2)
    drawn = features.draw(seed_of(0), tf.constant(x))
    projected = features(drawn, tf.constant(x)).numpy()
    assert projected.shape == (COUNT, 2, 3)
    matrices = drawn.numpy().reshape(36, 2, 3)
    for k in range(3):
        expected = x.reshape(COUNT, 36) @ matrices[:, :, k]
        np.testing.assert_allclose(projected[:, :, k], expected, atol=1e-6)


def test_pairs_of_projections_have_the_cosine_as_correlation(x):
    """What makes −(d'/2)·log(1 − ρ²) the true mutual information."""
    features = RandomSampling(samples=2000, dimension=10)
    drawn = features.draw(seed_of(0), tf.constant(x))
    u, v = (features(drawn, tf.constant(x[i : i + 1])).numpy().ravel() for i in (0, 1))
    a, b = x[0].ravel(), x[1].ravel()
    cosine = a @ b / np.linalg.norm(a) / np.linalg.norm(b)
    assert u @ v / np.linalg.norm(u) / np.linalg.norm(v) == pytest.approx(cosine, abs=0.03)


def literal_twin(plane, x, z, outside):
    """A projection (d, d', K) in float64 that maps x̂ to a_k and ẑ⊥ to b_k; else it is `outside`."""
    along = x / np.linalg.norm(x)
    apart = z - (z @ along) * along
    apart /= np.linalg.norm(apart)
    rest = np.eye(len(x)) - np.outer(along, along) - np.outer(apart, apart)
    a, b = plane.directions.numpy()
    return (
        np.multiply.outer(along, a)
        + np.multiply.outer(apart, b)
        + np.tensordot(rest, outside, axes=1)
    )


def test_bivariate_sampling_has_the_law_of_the_literal_one(x):
    """For any M: what M_k makes of x and z is what the plane makes of M_k x̂ and M_k ẑ⊥."""
    features = BivariateSampling(samples=4, dimension=3)
    x = x.reshape(COUNT, 36).astype("float64")
    z = x + np.random.default_rng(0).normal(size=x.shape)
    plane = features.draw(seed_of(0), tf.constant(x))
    u, v = features.reference(plane, tf.constant(x)), features(plane, tf.constant(z))
    assert (u.shape, v.shape) == ((1, 3, 4), (COUNT, 3, 4))
    for i in range(COUNT):
        outside = np.random.default_rng(i).normal(size=(36, 3, 4))
        matrix = literal_twin(plane, x[i], z[i], outside)
        norm = np.linalg.norm(x[i])
        np.testing.assert_allclose(norm * u[0], np.tensordot(x[i], matrix, 1), atol=1e-12)
        np.testing.assert_allclose(norm * v[i], np.tensordot(z[i], matrix, 1), atol=1e-12)


def test_bivariate_directions_are_independent_gaussians():
    features = BivariateSampling(samples=400, dimension=50)
    draw = features.draw(seed_of(0), tf.ones((1, 2), tf.float64)).directions.numpy() * 50
    a, b = np.sort(draw.reshape(2, -1))
    count = a.size
    for values in (a, b):  # Kolmogorov-Smirnov, 0.1 % level
        cdf = np.array([(1 + math.erf(value / 2**0.5)) / 2 for value in values])
        assert np.abs(cdf - (np.arange(count) + 0.5) / count).max() < 1.95 / count**0.5
    flat = draw.reshape(2, -1)
    assert abs(np.mean(flat[0] * flat[1])) < 4 / count**0.5


def test_the_gradient_of_bivariate_sampling_is_the_expectation_of_the_literal_one(x):
    """Outside the plane of x and z, M is symmetric: M and its mirror image average it out."""
    mine = MINE(features=BivariateSampling(samples=8, dimension=3), steps=5, hidden_units=4)
    x = x.reshape(COUNT, 36).astype("float64")
    z = x + np.random.default_rng(0).normal(size=x.shape)
    seed = seed_of(3)
    drawn = mine.draw(seed, tf.TensorShape([3, 8]), 1, tf.float64)

    def estimate(u, features_of, x, z):
        with tf.GradientTape() as tape:
            tape.watch(z)
            state = mine.init(drawn, x, u)
            _, value = mine.estimate(drawn, state, features_of(z), tf.constant(0))
        return value.numpy(), tape.gradient(value, z).numpy()

    plane = mine.features.draw(seed, tf.constant(x))
    u = mine.features.reference(plane, tf.constant(x))
    values, gradients = estimate(
        u, lambda z: mine.features(plane, z), tf.constant(x), tf.constant(z)
    )
    literal = RandomSampling(samples=8, dimension=3)
    for i in range(COUNT):
        outside = np.random.default_rng(i).normal(size=(36, 3, 8))
        mirrored = []
        for sign in (1, -1):
            matrix = tf.reshape(literal_twin(plane, x[i], z[i], sign * outside), [36, 24])
            one, other = tf.constant(x[i : i + 1]), tf.constant(z[i : i + 1])
            value, gradient = estimate(
                literal(matrix, one), lambda z, matrix=matrix: literal(matrix, z), one, other
            )
            np.testing.assert_allclose(value[0], values[i], atol=1e-12)
            mirrored.append(gradient[0])
        np.testing.assert_allclose(np.mean(mirrored, axis=0), gradients[i], atol=1e-12)
        # a single literal gradient is another one: there is something to average out
        assert np.abs(mirrored[0] - gradients[i]).max() > 1e-3 * np.abs(gradients[i]).max()


def test_bivariate_sampling_where_there_is_no_plane(x):
    features = BivariateSampling(samples=3, dimension=2)
    x = tf.constant(np.concatenate([x[:1], 0 * x[:1], x[1:2]]))
    z = tf.concat([x[:1], x[2:3], 0 * x[:1]], axis=0)  # z = x; x = 0; z = 0
    plane = features.draw(seed_of(0), x)
    with tf.GradientTape() as tape:
        tape.watch(z)
        v = features(plane, z)
    a, b = plane.directions.numpy()
    np.testing.assert_array_equal(v[0], a)
    np.testing.assert_allclose(v[1], np.linalg.norm(z[1]) * b, rtol=1e-5)
    np.testing.assert_array_equal(v[2], 0 * a)
    assert np.isfinite(tape.gradient(v, z)).all()


@pytest.mark.parametrize("attribute", ["samples", "dimension"])
def test_bivariate_sampling_checks_its_settings(attribute):
    with pytest.raises(ValueError, match=f"`{attribute}` of BivariateSampling.*{attribute}=-1"):
        BivariateSampling(**{attribute: -1})


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 1}, r"`samples` of RandomSampling.*\[2, 2147483646\].*Received: samples=1"),
        ({"samples": 2.5}, "Received: samples=2.5"),
        ({"dimension": 0}, r"`dimension` of RandomSampling.*Received: dimension=0"),
    ],
)
def test_bad_settings_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        RandomSampling(**settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"dimension": 0}, "`dimension` of Gaussian.*Received: dimension=0"),
        ({"floor": 0}, "`floor` of Gaussian.*Received: floor=0"),
        ({"floor": 1}, "`floor` of Gaussian.*Received: floor=1"),
    ],
)
def test_bad_settings_of_the_closed_form_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Gaussian(**settings)


def test_features_that_are_not_numbers_give_no_number():
    z = tf.constant([[np.nan, 1.0], [0.5, 0.5], [0.0, 0.0]])
    x = tf.constant([[0.5, 1.0], [0.5, 1.0], [0.5, 1.0]])
    for each in (Gaussian(), L2(), Cosine(), FeatureScattering()):
        _, value = each.estimate((), x[..., tf.newaxis], z[..., tf.newaxis], tf.constant(0))
        np.testing.assert_array_equal(np.isfinite(value), [False, True, True])


@pytest.mark.parametrize(
    "each",
    [Gaussian(), Cosine(), L2(), FeatureScattering()],
    ids=["gaussian", "cosine", "l2", "feature_scattering"],
)
def test_gradients_are_finite_at_the_original_and_at_zero(each):
    x = tf.constant([[0.3, 0.8, 0.1], [0.0, 0.0, 0.0], [0.2, 0.2, 0.2]])[..., tf.newaxis]
    z = tf.constant([[0.3, 0.8, 0.1], [0.1, 0.0, 0.0], [0.0, 0.0, 0.0]])[..., tf.newaxis]
    with tf.GradientTape() as tape:
        tape.watch(z)
        _, value = each.estimate((), x, z, tf.constant(0))
    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, z)).all()


def test_projections_too_large_to_keep_are_drawn_in_parts(monkeypatch):
    monkeypatch.setattr(feature_maps, "_LARGEST_MATRIX", 1000)
    sampling = RandomSampling(samples=5, dimension=4)
    x = tf.constant(np.random.default_rng(0).uniform(size=(3, 1200)))
    key = sampling.draw(tf.constant(0, tf.int64), x)
    assert key.shape == (2,)
    with tf.GradientTape() as tape:
        tape.watch(x)
        u = sampling(key, x)
        total = tf.reduce_sum(u**2)
    # the matrix as a whole, from what it does to unit vectors
    matrix = np.reshape(sampling(key, tf.eye(1200, dtype=tf.float64)), (1200, 20))
    np.testing.assert_allclose(np.reshape(u, (3, 20)), x @ matrix, rtol=1e-10)
    gradient = 2 * (x @ matrix) @ matrix.T
    np.testing.assert_allclose(tape.gradient(total, x), gradient, rtol=1e-9, atol=1e-12)
    assert 4 * matrix.std() == pytest.approx(1, rel=0.03)
    assert np.abs(np.corrcoef(matrix.T)[np.triu_indices(20, 1)]).max() < 5 / 1200**0.5
