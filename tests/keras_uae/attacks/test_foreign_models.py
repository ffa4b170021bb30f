"""Models as people have them: without a gradient, inside other models, in several threads."""

import threading

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_uae as uae
from tests import tiny_models
from tests.marks import slow
from tests.tiny_models import SHAPE


def integer_input():
    inputs = keras.Input(SHAPE, dtype="uint8")
    scaled = layers.Rescaling(1 / 255)(inputs)
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(scaled), name="integers")


def rounded():
    inputs = keras.Input(SHAPE)
    outputs = layers.Conv2D(1, 3, padding="same")(keras.ops.round(4 * inputs) / 4)
    return keras.Model(inputs, outputs, name="rounded")


def embedded():
    inputs = keras.Input((5,))
    code = layers.Flatten()(layers.Embedding(4, 3)(inputs))
    return keras.Model(inputs, layers.Dense(5)(code), name="embedded")


@pytest.mark.parametrize("build", [integer_input, rounded, embedded])
@pytest.mark.parametrize("attack", [uae.MinMaxAttack, uae.PGDAttack])
def test_a_model_without_a_gradient_is_refused_with_the_reason(build, attack):
    model = build()
    bounds = (0, 255) if build is integer_input else (0, 1)
    x = np.ones((3, *model.input_shape[1:]), "float32")
    settings = {} if attack is uae.PGDAttack else {"similarity": "gaussian"}
    with pytest.raises(ValueError, match=f"must pass a gradient.*float Input.*'{model.name}'"):
        attack(model, bounds=bounds, **settings).generate(x, verbose=0)


class Distribution:
    """Stands for a tensor, as the distributions of TensorFlow Probability do."""

    def __init__(self, value):
        self.value = value


tf.register_tensor_conversion_function(Distribution, lambda each, *_, **__: each.value)


def test_a_distribution_is_judged_by_what_it_stands_for():
    model, x = tiny_models.convolutional(), tiny_models.images(8)
    found = uae.MinMaxAttack(lambda x: Distribution(model(x))).generate(x, verbose=0)
    expected = uae.MinMaxAttack(lambda x: model(x)).generate(x, verbose=0)
    np.testing.assert_allclose(found.x, expected.x, atol=1e-5)


def test_a_distribution_that_stands_for_a_sample_is_told_of_its_mean():
    model = tiny_models.convolutional()
    attack = uae.MinMaxAttack(lambda x: Distribution(keras.ops.round(model(x))))
    with pytest.raises(ValueError, match=r"pass a gradient.*discrete sample.*model\(x\).mean\(\)"):
        attack.generate(tiny_models.images(8), verbose=0)


def test_strings_are_told_to_be_encoded_before():
    inputs = keras.Input((1,), dtype="string")
    codes = layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")(inputs)
    with pytest.raises(ValueError, match=r"must take numbers.*one-hot codes.*input is of strings"):
        uae.MinMaxAttack(keras.Model(inputs, layers.Dense(3)(codes)))


class Timed(keras.Model):
    """Takes a time beside its input."""

    def __init__(self):
        super().__init__(name="timed")
        self.dense = layers.Dense(4)

    def call(self, x, t, training, gain=1.0):
        return gain * self.dense(x) + t


def test_a_call_that_asks_for_more_is_told_to_become_a_function():
    model, x = Timed(), np.ones((3, 4), "float32")
    model(x, t=0.0, training=False)
    with pytest.raises(ValueError, match=r"lambda x: model\(x, t=…\).*'timed'.*\['t'\]"):
        uae.MinMaxAttack(model)
    found = uae.MinMaxAttack(lambda x: model(x, t=0.0, training=False), steps=2)
    assert len(found.generate(x, verbose=0)) == 3


def test_a_function_that_predicts_is_told_to_call_the_model():
    model = keras.Sequential([keras.Input((4,)), layers.Dense(4)])
    attack = uae.PGDAttack(lambda x: model.predict_on_batch(x))
    with pytest.raises(ValueError, match=r"predict\(\) of a model.*lambda x: model\(x\)"):
        attack.generate(np.ones((3, 4), "float32"), verbose=0)


@pytest.fixture
def compiled():
    model = tiny_models.convolutional()
    regularizer = keras.regularizers.L2(0.1)
    inputs = keras.Input(SHAPE)
    model = keras.Model(
        inputs, layers.Conv2D(1, 3, padding="same", kernel_regularizer=regularizer)(model(inputs))
    )
    model.compile("sgd", "mse")
    return model


def around(attack):
    """A model that trains on the examples of an attack."""
    inputs = keras.Input(SHAPE)
    outputs = layers.Conv2D(1, 3, padding="same")(attack(inputs))
    model = keras.Model(inputs, outputs)
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("similarity", ["gaussian", "conv", "reconstruction_loss"])
def test_an_attack_brings_nothing_of_its_model_into_another(compiled, similarity):
    attack = uae.MinMaxAttack(compiled, similarity=similarity, steps=2)
    before = [each.copy() for each in compiled.get_weights()]
    assert attack.weights == attack.losses == attack.metrics == []
    model, x = around(attack), tiny_models.images(8)
    assert len(model.trainable_weights) == 2
    history = model.fit(x, x, epochs=2, verbose=0, validation_data=(x, x)).history
    assert all(loss > 0 for loss in (*history["loss"], *history["val_loss"]))
    assert model.evaluate(x, x, verbose=0) > 0
    for one, other in zip(before, compiled.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_attacked_model_is_saved_with_the_model_around_it(compiled, tmp_path):
    model, x = (
        around(uae.MinMaxAttack(compiled, similarity="gaussian", steps=2)),
        (tiny_models.images(4)),
    )
    compiled.set_weights([each + 0.3 for each in compiled.get_weights()])
    model.save(tmp_path / "around.keras")
    copy = keras.saving.load_model(tmp_path / "around.keras")
    inner = next(each for each in copy.layers if isinstance(each, uae.Attack)).model
    for one, other in zip(compiled.get_weights(), inner.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_allclose(copy(x), model(x), atol=1e-5)


def test_a_model_and_its_attacks_that_are_saved_together_are_one(compiled, tmp_path):
    attacks = [uae.MinMaxAttack(compiled, similarity="l2", steps=steps) for steps in (2, 3)]
    inputs, x = keras.Input(compiled.input_shape[1:]), tiny_models.images(4)
    model = keras.Model(inputs, [*(attack(inputs) for attack in attacks), compiled(inputs)])
    compiled.set_weights([each + 0.3 for each in compiled.get_weights()])
    model.save(tmp_path / "together.keras")
    copy = keras.saving.load_model(tmp_path / "together.keras")
    one, other = (each for each in copy.layers if isinstance(each, uae.Attack))
    assert one.model is other.model is copy.get_layer(compiled.name)
    for found, expected in zip(copy(x), model(x), strict=True):
        np.testing.assert_allclose(found, expected, atol=1e-5)


def test_two_attacks_of_one_model_in_two_threads():
    model, x = tiny_models.convolutional(), tiny_models.images(6)
    attacks = [uae.MinMaxAttack(model, similarity="l2", steps=steps) for steps in (3, 4)]
    expected = [attack.generate(x, verbose=0).x for attack in attacks]
    fresh = [uae.MinMaxAttack(model, similarity="l2", steps=steps) for steps in (3, 4)]
    found: dict[int, np.ndarray] = {}

    def run(number):
        found[number] = fresh[number].generate(x, verbose=0).x

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(2):
        np.testing.assert_array_equal(found[number], expected[number])


def classifier():
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layers.Dense(3)(layers.Flatten()(inputs)))
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def test_refreshed_examples_have_the_labels_of_the_augmentation():
    model, x = classifier(), tiny_models.images(12)
    y = np.argmin(model(x), axis=1)  # not what the model says
    attack = uae.PGDAttack(model, criterion="targeted_misclassification", epsilon=0.5, steps=10)
    data = uae.UAEAugmentation(x, x, y, batch_size=6)
    refresh = uae.RefreshUAEs(data, attack)
    model.fit(data, epochs=2, shuffle=False, verbose=0, callbacks=[refresh])
    assert refresh.success_rates.keys() == {1}
    assert refresh.success_rates[1] > 0.5
    reached = tf.argmax(model(data.found[0]), axis=1).numpy()
    assert (reached == y).mean() > 0.5


def test_labels_that_the_attack_cannot_take_are_refused_before_the_training():
    model, x = classifier(), tiny_models.images(6)
    attack = uae.PGDAttack(model, criterion="misclassification")
    data = uae.UAEAugmentation(x, x, np.eye(3)[np.arange(6) % 3])
    with pytest.raises(ValueError, match="`y` of RefreshUAEs must hold one integer a sample"):
        uae.RefreshUAEs(data, attack)


@pytest.mark.parametrize("similarity", ["conv", slow("bivariate"), slow("gaussian")])
def test_a_pipeline_whose_batch_size_is_unknown(similarity):
    """And two batch sizes in one trace."""
    x = tiny_models.images(20)
    attack = uae.MinMaxAttack(tiny_models.convolutional(), similarity=similarity, steps=3)
    pairs = tf.data.Dataset.from_tensor_slices(x).batch(8).map(lambda z: (attack(z), attack(z[:3])))
    whole, first = zip(*pairs, strict=True)
    assert [len(each) for each in whole] == [8, 8, 4]
    for one, other in zip(whole, first, strict=True):
        np.testing.assert_allclose(one[:3], other, atol=1e-4)
    np.testing.assert_allclose(whole[0], attack(x[:8]), atol=1e-4)


def test_a_single_feature_map_is_nothing_that_mine_can_compare():
    inputs = keras.Input(SHAPE)
    model = keras.Model(inputs, layers.Conv2D(1, 3, padding="same")(inputs))
    assert isinstance(uae.MinMaxAttack(model).similarity, uae.similarity.Gaussian)
    with pytest.raises(ValueError, match=r"`features` of MINE .*'gaussian'.*Received: 1 of Conv"):
        uae.MinMaxAttack(model, similarity="conv").generate(tiny_models.images(2), verbose=0)
