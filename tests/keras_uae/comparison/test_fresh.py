"""Models of one architecture with fresh weights, of those that people have."""

import keras
import numpy as np
import pytest
from keras import layers

from keras_uae.comparison.fresh import FreshModels, is_plain, set_state, state_of

X = np.random.default_rng(0).uniform(size=(20, 8)).astype("float32")


class Pair(layers.Layer):
    """A layer of layers, registered nowhere."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units, self.one, self.two = units, layers.Dense(units), layers.Dense(units)

    def build(self, shape):
        self.one.build(shape)
        self.two.build((*shape[:-1], self.units))

    def call(self, x):
        return self.two(self.one(x))

    def get_config(self):
        return {**super().get_config(), "units": self.units}


class Subclassed(keras.Model):
    def __init__(self, units=3, **kwargs):
        super().__init__(**kwargs)
        self.units, self.one, self.two = units, layers.Dense(units), layers.Dense(8)

    def call(self, x):
        return self.two(self.one(x))

    def get_config(self):
        return {"units": self.units}


def absolute(y, restored):
    return keras.ops.mean(keras.ops.abs(y - restored), -1)


def functional():
    inputs = keras.Input((8,))
    hidden = layers.BatchNormalization()(Pair(4)(inputs))
    return keras.Model(inputs, layers.Dense(8)(hidden))


def sequential():
    seeded = keras.initializers.GlorotUniform(seed=3)
    parts = [layers.Dense(4, kernel_initializer=seeded), layers.Dropout(0.5), layers.Dense(8)]
    return keras.Sequential([keras.Input((8,)), *parts])


def nested():
    return keras.Sequential([keras.Input((8,)), sequential(), functional()])


MODELS = {"functional": functional, "sequential": sequential, "nested": nested}
MODELS |= {"subclassed": Subclassed}


@pytest.mark.parametrize("kind", MODELS)
def test_a_clone_is_compiled_alike_and_its_weights_are_those_of_the_seed(kind):
    model = MODELS[kind]()
    model.compile(keras.optimizers.RMSprop(0.02), absolute)
    fresh = FreshModels(model, X)
    one, other, again = fresh.new(5), fresh.new(6), fresh.new(5)
    drawn = [i for i, each in enumerate(model.get_weights()) if np.ptp(each) > 0]
    for place in drawn:
        assert not np.allclose(one.get_weights()[place], other.get_weights()[place])
        assert not np.allclose(one.get_weights()[place], model.get_weights()[place])
    for a, b in zip(one.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    assert isinstance(one.optimizer, keras.optimizers.RMSprop)
    assert float(one.optimizer.learning_rate) == pytest.approx(0.02)
    before = model.get_weights()
    one.fit(X, X, verbose=0)
    for a, b in zip(before, model.get_weights(), strict=True):  # the given model is left alone
        np.testing.assert_array_equal(a, b)


def test_what_adapt_has_set_and_what_is_frozen_are_copied():
    normalization = layers.Normalization()
    normalization.adapt(X)
    frozen = layers.Dense(4, trainable=False)
    model = keras.Sequential([keras.Input((8,)), normalization, frozen, layers.Dense(8)])
    model.compile("sgd", "mse")
    copy = FreshModels(model, X).new(5)
    np.testing.assert_array_equal(copy.layers[1].kernel, frozen.kernel)
    np.testing.assert_allclose(copy.layers[0](X), normalization(X))
    assert not np.allclose(copy.layers[2].kernel, model.layers[2].kernel)


def test_batch_statistics_are_not_copied():
    model = functional()
    model.compile("adam", "mse")
    model.fit(X, X, epochs=3, verbose=0)
    assert not np.allclose(model.layers[2].moving_mean, 0)
    np.testing.assert_array_equal(FreshModels(model, X).new(0).layers[2].moving_mean, np.zeros(4))


class Prepared(layers.Layer):
    """Layers that stay as they are, inside of one that is trained."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.scaled, self.frozen = layers.Normalization(), layers.Dense(4, trainable=False)
        self.head = layers.Dense(4)

    def build(self, shape):
        self.scaled.build(shape)
        self.frozen.build(shape)
        self.head.build((*shape[:-1], 4))

    def call(self, x):
        return self.head(self.frozen(self.scaled(x)))


def backbone(trainable=False):
    parts = [layers.Dense(4), layers.BatchNormalization(), layers.Dropout(0.5)]
    model = keras.Sequential([keras.Input((8,)), *parts], name="backbone")
    model.set_weights([np.full(each.shape, 0.5) for each in model.weights])
    model.trainable = trainable
    return model


def in_a_wrapper():
    parts = [layers.Reshape((1, 8)), layers.TimeDistributed(backbone()), layers.Flatten()]
    return keras.Sequential([keras.Input((8,)), *parts, layers.Dense(8)])


def in_a_layer():
    prepared = Prepared()
    model = keras.Sequential([keras.Input((8,)), prepared, layers.Dense(8)])
    prepared.scaled.adapt(X)
    return model


def with_lora():
    model = keras.Sequential([keras.Input((8,)), layers.Dense(4), layers.Dense(8)])
    model.layers[0].enable_lora(2)
    return model


@pytest.mark.parametrize("make", [in_a_wrapper, in_a_layer, with_lora])
def test_what_is_frozen_or_adapted_is_copied_wherever_it_is(make):
    model = make()
    model.compile("adam", "mse")
    assert model.non_trainable_weights
    copy = FreshModels(model, X).new(5)
    assert [each.trainable for each in copy.weights] == [each.trainable for each in model.weights]
    assert not np.allclose(copy.layers[-1].kernel, model.layers[-1].kernel)
    for _ in range(2):  # as it is made, and trained
        pairs = zip(copy.non_trainable_weights, model.non_trainable_weights, strict=True)
        for kept, given in pairs:
            np.testing.assert_array_equal(kept, given)
        copy.fit(X, X, verbose=0)


def test_a_model_to_which_a_part_of_it_is_attached_is_cloned_without():
    model = functional()
    model.encoder = keras.Model(model.input, model.layers[1].output)
    model.compile("adam", "mse")
    assert not hasattr(FreshModels(model, X).new(0), "encoder")


def around(part, optimizer="adam"):
    def build():
        model = keras.Sequential([keras.Input((8,)), part or layers.Dense(4), layers.Dense(8)])
        model.compile(optimizer, "mse")
        return model

    return build


def test_a_function_around_layers_of_outside_is_refused_unless_they_are_frozen():
    with pytest.raises(ValueError, match=r"inside of the function .*freeze.*two models, backbone/"):
        FreshModels(around(backbone(trainable=True)), X)
    part = backbone()
    before = part.get_weights()
    FreshModels(around(part), X).new(0).fit(X, X, verbose=0)
    for a, b in zip(before, part.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_function_around_moving_statistics_of_outside_is_refused():
    statistics = layers.BatchNormalization(center=False, scale=False)
    with pytest.raises(ValueError, match=r"the same weights in two models, .*moving_mean"):
        FreshModels(around(statistics), X)


def test_an_optimizer_of_outside_is_refused():
    with pytest.raises(ValueError, match=r"the optimizer anew .*inside.*two models, Adam"):
        FreshModels(around(None, keras.optimizers.Adam()), X)


def test_a_bias_of_zeros_and_ones_is_no_draw():
    parts = [layers.Reshape((2, 4)), layers.LSTM(4), layers.Dense(8)]
    model = keras.Sequential([keras.Input((8,)), *parts])
    model.compile("adam", "mse")
    kernels = [FreshModels(model, X).new(seed).layers[1].cell.kernel for seed in (0, 1)]
    assert not np.allclose(*kernels)


def test_a_function_may_take_the_seed():
    seeds = []

    def build(seed):
        seeds.append(seed)
        model = sequential()
        model.compile("sgd", "mse")
        return model

    FreshModels(lambda: build(7), X)
    assert FreshModels(build, X).new(4).compiled
    assert seeds[-1] == 4


def test_a_model_set_back_trains_as_at_first():
    model = sequential()
    model.compile("adam", "mse")
    state = state_of(model)

    def train():
        keras.utils.set_random_seed(0)
        return model.fit(X, X, epochs=3, verbose=0, shuffle=False).history["loss"]

    first = train()
    assert train() != first
    set_state(model, state)
    assert train() == first


def test_a_model_with_a_training_of_its_own_is_not_plain():
    class Own(Subclassed):
        def train_step(self, data):
            return super().train_step(data)

    assert is_plain(Subclassed())
    assert not is_plain(Own())


def identity():
    kernel = keras.initializers.Identity()
    model = keras.Sequential([keras.Input((8,)), layers.Dense(8, kernel_initializer=kernel)])
    model.compile("sgd", "mse")
    return model


class Seeded(layers.Layer):
    """Its seed is not in its configuration."""

    def build(self, shape):
        drawn = keras.initializers.GlorotUniform(seed=3)
        self.seeded = self.add_weight(shape=(8, 8), initializer=drawn, name="seeded")

    def call(self, x):
        return x @ self.seeded


def seeded_in_a_layer():
    model = keras.Sequential([keras.Input((8,)), Seeded(), layers.Dense(8)])
    model.compile("sgd", "mse")
    return model


class NoConfig(keras.Model):
    def __init__(self, dense):
        super().__init__()
        self.dense = dense

    def call(self, x):
        return self.dense(x)


def without_config():
    model = NoConfig(layers.Dense(8))
    model.compile("sgd", "mse")
    return model


class OfAnotherLibrary:
    """A model, but none of Keras 3."""

    def __call__(self, *args, **kwargs):
        raise AssertionError("called")

    def fit(self, x):
        raise AssertionError("trained")


NEITHER = r"must be a compiled keras.Model of Keras 3, or a function.*Received.*{}"
BAD = {
    "not compiled": (sequential, r"must be compiled.*fit="),
    "no config": (without_config, r"compare\(build, x\).*NoConfig.*values in `__init__\(\)`"),
    "one start": (identity, r"that a seed changes.*dense.*kernel"),
    "a seed of its own": (seeded_in_a_layer, r"that a seed changes.*two seeds in .*seeded\."),
    "a number": (lambda: 3, NEITHER.format("3")),
    "a class": (lambda: keras.Sequential, NEITHER.format("Sequential")),
    "a function of samples": (lambda: lambda x: x, NEITHER.format("lambda")),
    "a model of another library": (OfAnotherLibrary, NEITHER.format("OfAnotherLibrary")),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_cloned_is_refused_with_a_way_out(kind):
    make, message = BAD[kind]
    with pytest.raises(ValueError, match=message):
        FreshModels(make(), X)


def test_a_function_that_returns_no_model_is_refused():
    with pytest.raises(ValueError, match=r"must return a compiled keras.Model. Received.*None"):
        FreshModels(lambda: None, X)
