"""What an attack has seen of a model holds for what it attacks: its noise, mixing, graph."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_uae as uae
from keras_uae.criteria.base import evaluated_model
from tests import tiny_models
from tests.keras_uae.attacks.test_functions import autoencoder, f, samples
from tests.marks import slow


class Sampled(layers.Layer):
    """Adds noise to a code."""

    def __init__(self):
        super().__init__()
        self.generator = keras.random.SeedGenerator(3)

    def call(self, x):
        return x + keras.random.normal(keras.ops.shape(x), stddev=0.05, seed=self.generator)


@pytest.mark.parametrize("alone", [True, slow(False)], ids=["alone", "beside that of the model"])
def test_noise_of_the_criterion_is_judged_on_fresh_draws(alone):
    encode, noise, decode, x = layers.Dense(8), Sampled(), layers.Dense(4), samples(64)
    other = layers.Identity() if alone else Sampled()

    def loss(x, z):
        return tf.reduce_sum((decode(noise(encode(z))) - x) ** 2, axis=1)

    def criterion(x, z):
        return loss(x, z) - loss(x, x)

    attack = uae.MinMaxAttack(lambda x: decode(other(encode(x))), criterion=criterion, steps=20)
    found = attack.generate(x, verbose=0)
    assert any("fresh draws" in note for note in attack.notes)
    assert found.success.sum() > 10
    drawn = np.mean([criterion(tf.constant(x), tf.constant(found.x)) for _ in range(500)], axis=0)
    assert (drawn[found.success] <= 0).mean() > 0.9


def test_noise_of_numpy_is_said_to_be_drawn_once():
    dense, draw = layers.Dense(4), np.random.default_rng(0)
    attack = uae.PGDAttack(lambda x: dense(x + draw.normal(size=(1, 4)).astype("float32")), steps=2)
    with pytest.warns(UserWarning, match="those of NumPy or Python always the same"):
        attack.generate(samples(), verbose=0)


@pytest.mark.parametrize("noise", [[], [Sampled()]], ids=["without noise", "with noise"])
@pytest.mark.parametrize("attack", [uae.PGDAttack, uae.MinMaxAttack])
def test_a_class_may_give_another_dtype(attack, noise):
    class Wide(uae.Criterion):
        def value(self, reference, x, z):
            outputs = evaluated_model(self)(z, training=False)
            return tf.reduce_sum(tf.cast(outputs - x, tf.float64), axis=1)

    model = keras.Sequential([keras.Input((4,)), *noise, layers.Dense(4)])
    found = attack(model, criterion=Wide(), steps=2).generate(samples(), verbose=0)
    assert found.criterion.dtype == np.float32


class Mixing(layers.Layer):
    """Takes the mean of the batch away."""

    def call(self, x):
        return x - keras.ops.mean(x, axis=0)


@pytest.mark.parametrize("first", ["two equal rows", "one sample"])
def test_samples_that_mix_are_seen_whatever_comes_first(first):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), Mixing(), layers.Dense(4)])
    attack, x = uae.PGDAttack(model, steps=2), samples()
    if first == "one sample":
        attack.generate(x[:1], verbose=0)
    else:
        x[1] = x[0]
    with pytest.warns(UserWarning, match="depends on the others"):
        attack.generate(x, verbose=0)


def test_a_criterion_that_mixes_is_seen():
    def criterion(x, z):
        return tf.reduce_sum(z - x, axis=1) + tf.reduce_mean(z**2)

    with pytest.warns(UserWarning, match="criterion FunctionCriterion.* depends on the others"):
        uae.PGDAttack(autoencoder(), criterion=criterion, steps=2).generate(samples(), verbose=0)


class Counting(layers.Layer):
    """Counts its calls where Keras does not see it."""

    def __init__(self):
        super().__init__()
        self.calls = tf.Variable(0.0, trainable=False)

    def call(self, x):
        self.calls.assign_add(1.0)
        return x + 0 * self.calls


def test_a_count_that_keras_does_not_know_is_refused():
    model = keras.Sequential([keras.Input((4,)), Counting(), layers.Dense(4)])
    with pytest.raises(ValueError, match=r"must keep what it counts in a keras.Variable"):
        uae.PGDAttack(model).generate(samples(), verbose=0)


class Drifting(layers.Layer):
    """Takes away a mean that every pass moves, or grows with a count of passes."""

    def __init__(self, counts):
        super().__init__()
        self.counts = counts

    def build(self, shape):
        kind = {"shape": (), "dtype": "int32"} if self.counts else {"shape": shape[1:]}
        self.seen = self.add_weight(**kind, initializer="zeros", trainable=False)

    def call(self, x):
        if self.counts:
            self.seen.assign_add(1)
            return x * keras.ops.minimum(keras.ops.cast(self.seen, x.dtype) / 100, 1)
        self.seen.assign(0.9 * self.seen + 0.1 * keras.ops.mean(x, axis=0))
        return x - self.seen


@pytest.mark.parametrize("counts", [False, True], ids=["a mean", "a count"])
@pytest.mark.parametrize("noise", [False, True], ids=["alone", "beside noise"])
def test_a_state_in_a_variable_is_no_noise(counts, noise):
    other = [Sampled()] if noise else []
    model = keras.Sequential([keras.Input((4,)), Drifting(counts), *other, layers.Dense(4)])
    with pytest.raises(ValueError, match=r"carry a state.*/drifting"):
        uae.PGDAttack(model).generate(samples(), verbose=0)
    assert not model.layers[0].seen.numpy().any()


def test_moving_statistics_that_nothing_reads_are_no_state():
    class Normalized(layers.Layer):
        def __init__(self):
            super().__init__()
            self.norm, self.noise = layers.BatchNormalization(), Sampled()

        def call(self, x):
            return self.noise(self.norm(x, training=True))

    model = keras.Sequential([keras.Input((4,)), Normalized(), layers.Dense(4)])
    attack = uae.PGDAttack(model, steps=2)
    attack.generate(samples(), verbose=0)
    assert any("fresh draws" in note for note in attack.notes)


class Resized(keras.Model):
    """Resizes first, which is in training mode by default, and tells its layers no mode."""

    def __init__(self):
        super().__init__()
        self.resize, self.drop = layers.Resizing(6, 6), layers.Dropout(0.5, seed=0)
        self.restore = layers.Conv2D(1, 3, padding="same")

    def call(self, x):
        return self.restore(self.drop(self.resize(x)))


class Told(Resized):
    def call(self, x, training=False):
        return super().call(x)


def test_a_model_that_predicts_in_another_mode_is_warned_of():
    x, model, told = tiny_models.images(8), Resized(), Told()
    assert not np.allclose(model.predict(x, verbose=0), model(x, training=False))
    with pytest.warns(UserWarning, match=r"predicts otherwise.*PGDAttack\(lambda x: model\(x\)\)"):
        uae.PGDAttack(model, steps=2).generate(x, verbose=0)
    # by both ways out, which are not warned of, it is attacked as it predicts
    np.testing.assert_allclose(told.predict(x, verbose=0), told(x, training=False), rtol=1e-5)
    uae.PGDAttack(told, steps=2).generate(x, verbose=0)
    attack = uae.PGDAttack(lambda x: model(x), steps=2)
    attack.generate(x, verbose=0)
    assert any("fresh draws" in note for note in attack.notes)


def test_features_that_a_normalization_magnifies_are_warned_of():
    x = samples()
    x[:, 1] = 0.5
    normalization = layers.Normalization()
    normalization.adapt(x)
    model = keras.Sequential([keras.Input((4,)), normalization, layers.Dense(4)])
    with pytest.warns(
        UserWarning, match=r"'normalization.*' divides 1 features by 1e-7.*bounds='fea"
    ):
        uae.PGDAttack(model, steps=2).generate(x, verbose=0)
    for settings in ({"bounds": "features"}, {"frozen_features": [1]}):
        uae.PGDAttack(model, steps=2, **settings).generate(x, verbose=0)  # no warning
    varied = layers.Normalization(mean=0.5, variance=0.1)
    model = keras.Sequential([keras.Input((4,)), varied, layers.Dense(4)])
    uae.PGDAttack(model, steps=2).generate(x, verbose=0)


def with_lora(model):
    model.layers[-1].enable_lora(2)
    kernel = model.layers[-1].lora_kernel_b
    kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))


def with_another_layer(model):
    model.add(layers.Rescaling(-1.0, offset=1.0))


def with_another_activation(model):
    model.layers[-1].activation = keras.activations.sigmoid


def with_int8(model):
    for layer in model.layers:
        layer.quantize("int8")


@pytest.mark.parametrize(
    ("change", "direct"),
    [
        (with_another_activation, False),
        (with_another_activation, True),
        (with_lora, False),
        (with_int8, False),
        slow(with_another_layer, False),
        *(slow(change, True) for change in (with_lora, with_another_layer, with_int8)),
    ],
)
def test_a_model_that_was_changed_is_attacked_as_it_is_now(change, direct):
    model, x = autoencoder(), samples(32)
    attack = uae.MinMaxAttack(model, steps=5)

    def run(attack):
        return attack(x).numpy() if direct else attack.generate(x, verbose=0).x

    before = run(attack)
    change(model)
    after = run(attack)
    np.testing.assert_allclose(after, run(uae.MinMaxAttack(model, steps=5)), atol=1e-6)
    assert not np.allclose(after, before, atol=1e-3)


def test_a_convolution_is_found_by_a_call_as_by_generate():
    """A call took the Gaussian form for a function, and found no convolution a second time."""
    model, x = tiny_models.convolutional(), tiny_models.images(8)
    attack = uae.MinMaxAttack(lambda x: model(x), steps=3)
    found = attack(x).numpy()
    assert isinstance(attack.similarity, uae.similarity.MINE)
    again = uae.MinMaxAttack(lambda x: model(x), steps=3).generate(x, verbose=0)
    np.testing.assert_allclose(found, again.x, atol=1e-6)
    model.layers[-1].activation = keras.activations.tanh
    found = attack.generate(x, verbose=0).x  # sees that the model has changed
    np.testing.assert_allclose(attack(x), found, atol=1e-6)
    assert isinstance(attack.similarity, uae.similarity.MINE)


@pytest.mark.parametrize("within", ["a function", "a data set"])
@pytest.mark.parametrize("traced", [False, True])
def test_a_convolution_is_found_where_the_first_call_is_in_a_graph(within, traced):
    """It took the Gaussian form there."""
    model, x = tiny_models.convolutional(), tiny_models.images(8)
    passes = tf.function(model, autograph=False) if traced else model
    attack = uae.MinMaxAttack(lambda x: passes(x), steps=3)
    if within == "a function":
        found = tf.function(attack, autograph=False)(tf.constant(x))
    else:
        found = next(iter(tf.data.Dataset.from_tensors(x).map(attack)))
    assert isinstance(attack.similarity, uae.similarity.MINE)
    np.testing.assert_allclose(found, attack.generate(x, verbose=0).x, atol=1e-6)


def test_a_model_that_gives_nan_is_warned_of():
    """It was told as "0 % success" alone."""
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4, bias_initializer="ones")])
    model.layers[0].bias.assign([1.0, np.nan, 1.0, 1.0])
    with pytest.warns(UserWarning, match=r"gives NaN for some of the samples.* \(`frozen`\)"):
        found = uae.PGDAttack(model, steps=2).generate(samples(), verbose=0)
    assert found.frozen.all()


class Held:
    """What no signature sees: an object that a layer or a function holds."""

    factor = 1.0


class Scaled(keras.layers.Layer):
    def __init__(self, held):
        super().__init__()
        self.held = held

    def call(self, x):
        return x * self.held.factor


@pytest.mark.parametrize("kind", ["function", "layer", "Lambda", "criterion"])
def test_what_python_holds_may_change_between_two_calls(kind):
    """Examples were those of the model that was traced: a quarter of them were none."""
    model, held, x = tiny_models.convolutional(), Held(), tiny_models.images(8)
    scaled = {
        "function": lambda: lambda x: model(x) * held.factor,
        "layer": lambda: keras.Sequential([model, Scaled(held)]),
        "Lambda": lambda: keras.Sequential([model, keras.layers.Lambda(lambda x: x * held.factor)]),
        "criterion": lambda: model,
    }[kind]()

    def worse(x, z):
        return tf.reduce_mean(model(z) ** 2 - held.factor * model(x) ** 2, axis=[1, 2, 3])

    criterion = worse if kind == "criterion" else None
    attack = uae.MinMaxAttack(scaled, criterion=criterion, steps=10)
    attack.generate(x, verbose=0)
    traced = attack._compiled
    attack.generate(x, verbose=0)
    assert attack._compiled is traced
    held.factor = 0.5 if kind != "criterion" else 0.99
    found = attack.generate(x, verbose=0)
    assert found.success.any()
    f = attack.criterion(tf.constant(x), tf.constant(found.x)).numpy()
    np.testing.assert_allclose(f[found.success], found.criterion[found.success], atol=1e-5)


class Switched(keras.Model):
    def __init__(self):
        super().__init__()
        self.layer, self.inverted = layers.Dense(4), False

    def call(self, x):
        return 1 - self.layer(x) if self.inverted else self.layer(x)


def test_a_model_whose_flag_was_changed_is_attacked_as_it_is_now():
    model, x = Switched(), samples(32)
    model(x)
    attack = uae.PGDAttack(model, steps=5)
    attack.generate(x, verbose=0)
    model.inverted = True
    found = attack.generate(x, verbose=0)
    assert found.success.any()
    assert (f(model, x, found.x)[found.success] <= 1e-6).all()
    subject = attack._subject
    model.compile("adam", "mse")
    model.fit(x, x, verbose=0)
    model.predict(x, verbose=0)
    attack.generate(x, verbose=0)
    assert attack._subject is subject  # training is no change of the model


def test_a_function_whose_layer_was_changed_is_attacked_as_it_is_now():
    layer, x = layers.Dense(4), samples(32)
    layer(x)
    attack = uae.PGDAttack(lambda x: layer(x), steps=5)
    attack.generate(x, verbose=0)
    layer.activation = keras.activations.sigmoid
    found = attack.generate(x, verbose=0)
    assert (f(layer, x, found.x)[found.success] <= 1e-6).all()


def encoder():
    return keras.Sequential(
        [keras.Input(tiny_models.SHAPE), layers.Conv2D(3, 3, name="maps"), layers.Flatten()]
    )


@pytest.mark.parametrize("count", [5, 12])
def test_a_layer_that_meets_something_else_first_is_read_where_it_meets_the_sample(count):
    encode, stored, x = encoder(), tiny_models.images(5, seed=1), tiny_models.images(12)[:count]

    def distances(x):
        kept, here = encode(stored), encode(x)
        return -tf.reduce_sum((here[:, None] - kept) ** 2, axis=2)

    attack = uae.MinMaxAttack(
        distances,
        criterion=uae.Misclassification(),
        objective="maximize",
        similarity="l2",
        steps=20,
    )
    found = attack.generate(x, verbose=0)
    success = found.success
    assert success.sum() > 2
    outside = np.linalg.norm(encode(x) - encode(found.x), axis=1)
    np.testing.assert_allclose(-found.similarity[success], outside[success], rtol=1e-4)


@pytest.mark.parametrize("attacked", [0, 1])
def test_a_layer_that_two_inputs_share_is_read_where_it_meets_the_attacked_one(attacked):
    encode = encoder()
    inputs = [keras.Input(tiny_models.SHAPE) for _ in range(2)]
    model = keras.Model(inputs, keras.ops.sum((encode(inputs[0]) - encode(inputs[1])) ** 2, -1))

    class Closer(uae.Criterion):
        def reference(self, x, y=None):
            return evaluated_model(self)(x)

        def value(self, reference, x, z):
            return evaluated_model(self)(z) - reference

    pair = [tiny_models.images(8, seed=seed) for seed in range(2)]
    attack = uae.MinMaxAttack(
        model, criterion=Closer(), similarity="l2", attacked=attacked, steps=10
    )
    found = attack.generate(pair, verbose=0)
    success = found.success
    assert success.any()
    outside = np.linalg.norm(encode(pair[attacked]) - encode(found.x), axis=1)
    np.testing.assert_allclose(-found.similarity[success], outside[success], rtol=1e-4)


def test_labels_are_checked_beside_the_inputs_that_are_held():
    inputs = [keras.Input((4,)), keras.Input((2,))]
    model = keras.Model(inputs, layers.Dense(3)(layers.Concatenate()(inputs)))
    attack = uae.PGDAttack(model, attacked=0, criterion=uae.Misclassification(), epsilon=0.5)
    x, other = samples(), np.ones((16, 2), "float32")
    y = model.predict([x, other], verbose=0).argmax(axis=1)
    found = attack.generate([x, other], y, verbose=0)
    assert found.success.any()
    left = model.predict([found.x, other], verbose=0).argmax(axis=1) != y
    np.testing.assert_array_equal(left, found.success)
    with pytest.raises(ValueError, match=r"`y` of PGDAttack.generate must be in \[0, 2\]"):
        attack.generate([x, other], y + 3, verbose=0)


def test_threads_that_share_an_attack_find_what_each_would_alone():
    inputs = [keras.Input((4,)), keras.Input((1,))]
    model = keras.Model(inputs, layers.Dense(4)(layers.Multiply()(inputs)))
    pairs = [[samples(), np.full((len(samples()), 1), held, "float32")] for held in (1.0, 2.0)]

    def attack():
        return uae.PGDAttack(model, attacked=0, steps=2)

    def find(shared, pair):
        return shared.generate(pair, verbose=0).x

    alone = [find(attack(), pair) for pair in pairs]
    with ThreadPoolExecutor(2) as threads:
        together = list(threads.map(find, [attack()] * 2, pairs))
    assert not np.array_equal(*alone)
    np.testing.assert_array_equal(together, alone)


def test_a_single_number_is_no_input_that_is_held():
    inputs = [keras.Input((4,)), keras.Input((1,))]
    model = keras.Model(inputs, layers.Dense(4)(layers.Concatenate()(inputs)))
    with pytest.raises(ValueError, match=r"np\.full\(\(16, 1\), value\).*input 1"):
        uae.PGDAttack(model, attacked=0).generate([samples(), 5], verbose=0)


def test_an_attacked_input_of_one_number_a_sample_is_given_as_a_column():
    inputs = {name: keras.Input((), name=name) for name in ("age", "hours")}
    both = keras.ops.stack([*inputs.values()], axis=1)
    model = keras.Model(inputs, layers.Dense(3)(both))
    attack = uae.PGDAttack(model, attacked="age", criterion=uae.Misclassification(), steps=2)
    x = dict(zip(inputs, samples().T, strict=False))
    with pytest.raises(ValueError, match=r"column .* x\['age'\]\[:, None\].*of shape \(16,\)"):
        attack.generate(x, verbose=0)
    assert attack.generate({**x, "age": x["age"][:, None]}, verbose=0).x.shape == (16, 1)


@pytest.mark.parametrize(("attacked", "named"), [("image", False), (0, True)])
def test_a_name_belongs_to_a_dict_and_a_place_to_a_list(attacked, named):
    inputs = [keras.Input((4,), name="image"), keras.Input((4,), name="other")]
    model = keras.Model(inputs, layers.Dense(4)(layers.Add()(inputs)))
    x = {"image": samples(), "other": samples()}
    with pytest.raises(ValueError, match=r"a dict where .*is a name, as a list .*: (list|dict) of"):
        uae.PGDAttack(model, attacked=attacked).generate(x if named else [*x.values()], verbose=0)


def test_features_that_stay_may_be_counted_from_the_end():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    settings = {"steps": 2, "random_start": True}
    found, same = (
        uae.PGDAttack(model, frozen_features=places, **settings).generate(samples(), verbose=0)
        for places in ([-1], [3])
    )
    assert found.success.any()
    np.testing.assert_array_equal(found.x, same.x)
    np.testing.assert_array_equal(found.x[:, -1], samples()[:, -1])
    for places in ([4], [-5]):
        with pytest.raises(ValueError, match=r"`frozen_features` must be in \[-4, 3\]"):
            uae.PGDAttack(model, frozen_features=places).generate(samples(), verbose=0)


def test_codes_that_float32_rounds_are_refused_where_they_are_to_stay():
    x = np.random.default_rng(0).uniform(size=(16, 4))
    x[:, 3] = 123_456_789
    settings = {"frozen_features": [3], "similarity": "gaussian", "steps": 2}
    model = keras.Sequential(
        [keras.Input((4,)), layers.Rescaling([1, 1, 1, 1e-8]), layers.Dense(4)]
    )
    with pytest.raises(ValueError, match="Received: 123456789"):
        uae.MinMaxAttack(model, **settings).generate(x, verbose=0)
    found = uae.MinMaxAttack(model, **settings, dtype="float64").generate(x, verbose=0)
    np.testing.assert_array_equal(found.x[:, 3], x[:, 3])


def test_what_changes_after_a_call_of_the_layer_is_seen_by_generate():
    model, held, x = tiny_models.convolutional(), Held(), tiny_models.images(8)

    def attack():
        return uae.MinMaxAttack(lambda x: model(x) * held.factor, steps=5)

    called = attack()
    called(x)
    held.factor = 0.5
    again, new = (each.generate(x, batch_size=8, verbose=0) for each in (called, attack()))
    np.testing.assert_array_equal(again.x, new.x)


class NotOf0(layers.Layer):
    """NaN of a sample whose first value is 0."""

    def call(self, x):
        return x + 0 * keras.ops.log(x[:, :1])


def test_a_sample_without_an_answer_does_not_hide_noise():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4), NotOf0(), Sampled()])
    x = samples(8)
    x[0, 0] = 0
    model.layers[0].set_weights([np.eye(4), np.zeros(4)])
    attack = uae.MinMaxAttack(model, steps=3)
    with pytest.warns(UserWarning, match="gives NaN"):
        attack.generate(x, verbose=0)
    assert any("fresh draws" in note for note in attack.notes)


def test_a_criterion_that_gives_nan_is_warned_of():
    model, x = tiny_models.convolutional(), tiny_models.images(4)

    def undefined(x, z):
        return tf.math.log(tf.reduce_mean(x - z, axis=[1, 2, 3]) - 1)

    with pytest.warns(UserWarning, match="criterion .* gives NaN"):
        uae.MinMaxAttack(model, criterion=undefined, steps=2).generate(x, verbose=0)


def test_an_attack_on_one_of_several_inputs_is_a_layer_of_a_functional_model():
    inputs = {"a": keras.Input((6,), name="a"), "b": keras.Input((3,), name="b")}
    restored = layers.Dense(6)(layers.Concatenate()([inputs["a"], inputs["b"]]))
    attack = uae.MinMaxAttack(keras.Model(inputs, restored), attacked="a", steps=2)
    around = keras.Model(inputs, attack(inputs))
    x = {"a": samples(4)[:, :1].repeat(6, axis=1), "b": samples(4)[:, :3]}
    np.testing.assert_array_equal(around(x), attack(x))
