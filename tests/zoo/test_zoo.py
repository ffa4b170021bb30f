"""Models of every kind that people bring: the default attack finds examples that hold outside."""

import functools
import json
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers, ops

import keras_uae as uae
from keras_uae.sharding import Shards
from tests.keras_uae.sharding.shard_runs import invoke
from tests.marks import slow
from tests.zoo import models
from tests.zoo.models import (
    IMAGE,
    KINDS,
    Kind,
    attacked_input,
    convolution,
    last,
    rows,
    stack,
    with_examples,
)

COUNT, DRAWS = 24, 50
ALONE = 2  # the sample that is attacked by itself, too


def of_kinds(wanted: Callable[[Kind], Any] = lambda _: True) -> pytest.MarkDecorator:
    """A test of every kind that is wanted."""
    names = [name for name, kind in KINDS.items() if wanted(kind)]
    return pytest.mark.parametrize("name", [slow(n) if KINDS[n].slow else n for n in names])


every_kind = of_kinds()


class Run(NamedTuple):
    kind: Kind
    model: Any
    attack: uae.MinMaxAttack
    x: Any
    found: uae.UAEs
    alone: uae.UAEs
    warned: list[str]


@functools.cache
def run(name: str) -> Run:
    """The default attack on a model of a kind; made once for all tests."""
    kind = KINDS[name]
    keras.utils.set_random_seed(0)
    model, x = kind.build(), kind.attacked(COUNT)
    attack = uae.MinMaxAttack(model, **kind.settings)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = attack.generate(x, batch_size=kind.batch, verbose=0)
    alone = found[ALONE]
    if not kind.noise:
        # of what reads its bounds off the data, these are those of all of them
        located = attack.located([x]) if isinstance(attack.bounds, str) else attack
        one = rows(x, slice(ALONE, ALONE + 1))
        settings = {"batch_size": kind.batch, "exact": True}
        (alone,) = located.batches(one, index=[ALONE], **settings)
    return Run(kind, model, attack, x, found, alone, [str(each.message) for each in caught])


@pytest.fixture(autouse=True, scope="module")
def _forget_runs():
    yield
    run.cache_clear()
    models.vae.cache_clear()


# what is found


@every_kind
def test_most_samples_have_an_example(name):
    kind, *_, found, _, _ = run(name)
    assert found.success_rate >= kind.least
    assert not found.frozen.any()


@of_kinds(lambda kind: not kind.noise)
def test_success_holds_outside_of_the_attack(name):
    kind, model, _, x, found, _, warned = run(name)
    f = kind.f(kind.predict(model), x, with_examples(x, found))
    slack = 1e-5 * np.ptp(attacked_input(x))  # other kernels, another rounding
    assert (f[found.success] <= slack).all()
    np.testing.assert_array_equal(found.x[~found.success], attacked_input(x)[~found.success])
    masked = ["masks steps of the samples" in each for each in warned]
    assert masked == [True] * (name == "masked_gru")  # its loss leaves the padding out


@of_kinds(lambda kind: kind.noise)
def test_success_holds_on_average_where_the_model_draws(name):
    """The attack judges by 16 draws, of which no number makes all of the borderline ones right."""
    kind, model, _, x, found, _, warned = run(name)
    z = with_examples(x, found)
    draws = [kind.f(kind.predict(model), x, z) for _ in range(DRAWS)]
    mean = np.mean(draws, axis=0)[found.success]
    assert (mean <= 0).mean() >= 0.6
    # what is above is so by less than the noise of the mean itself
    error = np.std(draws, axis=0)[found.success] / np.sqrt(DRAWS)
    assert (mean <= 3 * error).mean() >= 0.95
    unseeded = ["draws random numbers that no seed of Keras fixes" in each for each in warned]
    assert unseeded == [True] * (kind.noise == "unseeded")


@every_kind
def test_the_similarity_that_suits_the_model(name):
    kind, _, attack, x, *_ = run(name)
    located = attack.located([x]) if isinstance(attack.bounds, str) else attack
    assert type(located.similarity) is kind.similarity
    assert (located.source is None) == (kind.similarity is not models.MINE)


def test_the_convolution_that_runs_first_is_read_whatever_is_defined_first():
    _, model, attack, *_ = run("subclassed")
    assert attack.source is model.encoder
    _, model, attack, *_ = run("tf_function")
    assert attack.source is model.encoder
    assert attack.inline


def test_what_was_chosen_is_printed(capsys):
    _, _, attack, x, *_ = run("classifier")
    attack.generate(x[:8], batch_size=8, verbose=1)
    printed = capsys.readouterr().out
    assert "MinMaxAttack: criterion: the model gives probabilities" in printed
    assert "MinMaxAttack: similarity: MINE(" in printed
    assert "read off layer 'conv2d" in printed


@every_kind
def test_examples_stay_where_the_data_lie(name):
    _, _, attack, x, found, *_ = run(name)
    x = attacked_input(x)
    if attack.bounds == "features":
        low, high = x.min(axis=0), x.max(axis=0)
    else:
        low, high = attack.bounds
    assert (found.x >= low).all()
    assert (found.x <= high).all()
    unit = np.subtract(high, low)
    assert (np.abs(found.x - x) <= attack.epsilon * unit * (1 + 1e-6)).all()
    if attack.frozen_features is not None:
        assert (found.x != x)[found.success].any()
        frozen = attack.frozen_features
        np.testing.assert_array_equal(found.x[:, frozen], x[:, frozen])


@of_kinds(lambda kind: not kind.noise)
def test_a_sample_alone_gives_the_same(name):
    """Of `exact` batches, which are filled up: with the same operations on the same shapes."""
    *_, found, alone, _ = run(name)
    np.testing.assert_allclose(alone.x[0], found.x[ALONE], rtol=1e-5, atol=1e-5)
    assert alone.success[0] == found.success[ALONE]
    assert alone.iteration[0] == found.iteration[ALONE]


def test_units_do_not_matter():
    """The same model for data in (0, 1), and inside one for data in (0, 255)."""
    _, model, _, x, found, *_ = run("convolutional")
    wrapped = stack(layers.Rescaling(1 / 255), model, layers.Rescaling(255.0))
    attack = uae.MinMaxAttack(wrapped, bounds=(0, 255))
    other = attack.generate(255 * x, batch_size=8, verbose=0)
    np.testing.assert_array_equal(other.success, found.success)
    assert (np.abs(other.x / 255 - found.x) <= 1e-3).mean() >= 0.9
    np.testing.assert_allclose(other.criterion / 255, found.criterion, atol=0.02)


# training on it


@of_kinds(lambda kind: kind.fits)
def test_a_compiled_model_trains_on_the_examples(name):
    kind, model, _, x, found, *_ = run(name)
    weights = model.get_weights()
    data = uae.UAEAugmentation(x, found, batch_size=kind.batch)
    history = model.fit(data, epochs=2, shuffle=False, verbose=0).history
    after = model.get_weights()
    model.set_weights(weights)
    assert len(data) == 2 * COUNT // kind.batch
    assert np.isfinite(history["loss"]).all()
    assert any((one != other).any() for one, other in zip(weights, after, strict=True))


@pytest.mark.parametrize("name", ["subclassed", "tabular"])
def test_it_trains_on_a_tf_dataset_and_on_examples_of_the_moment(name):
    kind, model, attack, x, found, *_ = run(name)
    weights = model.get_weights()
    data = uae.UAEAugmentation(x, found, batch_size=kind.batch)
    refresh = uae.RefreshUAEs(data, attack)
    streamed = data.as_tf_dataset()
    history = model.fit(streamed, epochs=2, shuffle=False, verbose=0, callbacks=[refresh]).history
    model.set_weights(weights)
    assert np.isfinite(history["loss"]).all()
    assert refresh.success_rates[1] > 0.5
    assert (data.found[0] != found.x).any()


# keeping it


@of_kinds(lambda kind: not kind.refusal)
def test_an_attack_and_its_model_survive_json(name, tmp_path):
    kind, model, attack, x, *_ = run(name)
    config = json.loads(json.dumps(keras.saving.serialize_keras_object(attack)))
    clone = keras.saving.deserialize_keras_object(config)
    assert type(clone) is uae.MinMaxAttack
    assert json.loads(json.dumps(keras.saving.serialize_keras_object(clone))) == config
    model.save_weights(tmp_path / "model.weights.h5")
    clone.model.load_weights(tmp_path / "model.weights.h5")  # what was adapted, too
    few = rows(x, slice(4))
    if not kind.noise:
        one, other = (tf.nest.flatten(each(few)) for each in (model, clone.model))
        for left, right in zip(one, other, strict=True):
            np.testing.assert_allclose(left, right, rtol=1e-5, atol=1e-6)


@of_kinds(lambda kind: kind.refusal)
def test_an_attack_that_cannot_be_saved_says_why_in_one_line(name):
    kind, _, attack, *_ = run(name)
    with pytest.raises((ValueError, NotImplementedError), match=kind.refusal) as caught:
        keras.saving.serialize_keras_object(attack)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["subclassed", "without_input"])
def test_a_model_around_the_attack_is_saved(name, tmp_path):
    kind, _, attack, x, *_ = run(name)
    inputs = keras.Input(IMAGE)
    around = keras.Model(inputs, attack(inputs))
    around.save(tmp_path / "around.keras")
    revived = keras.models.load_model(tmp_path / "around.keras")
    expected, result = (each(x[: kind.batch]).numpy() for each in (around, revived))
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert (result != x[: kind.batch]).any()


@pytest.mark.parametrize("name", ["without_input", "normalization", slow("lstm"), "fixed_batch"])
def test_the_command_line_finds_the_same(name, tmp_path):
    kind, model, _, x, found, *_ = run(name)
    path, data, out = (tmp_path / each for each in ("model.keras", "x.npy", "uaes"))
    model.save(path)
    np.save(data, x)
    result = invoke("generate", path, data, "--out", out, "--batch-size", kind.batch)
    assert result.exit_code == 0, result.output
    shards = Shards(out)
    assert shards.manifest.count == COUNT
    # the same default attack, in a graph of its own
    assert (np.abs(shards.samples()[np.arange(COUNT)] - found.x) <= 1e-4).mean() >= 0.95


# what cannot be attacked


def refused(message, model, x, **settings):
    with pytest.raises(ValueError, match=message) as caught:
        uae.MinMaxAttack(model, **settings).generate(x, verbose=0)
    assert "\n" not in str(caught.value)


def test_an_integer_input_is_refused():
    inputs = keras.Input(IMAGE, dtype="uint8")
    model = keras.Model(inputs, last()(layers.Rescaling(1 / 255)(inputs)), name="bytes")
    x = models.bytes_of_images()[:2]
    refused("must pass a gradient .* an integer Input", model, x, bounds=(0, 255))


def test_a_state_that_goes_on_to_the_next_batch_is_refused():
    inputs = keras.Input(batch_shape=(4, models.LENGTH, 1))
    recurrent = layers.LSTM(4, stateful=True, return_sequences=True, name="memory")
    model = keras.Model(inputs, layers.Dense(1)(recurrent(inputs)))
    message = "carries its state from one batch to the next.*stateful=False.*'memory'"
    refused(message, model, models.series()[:4])


def test_several_outputs_ask_for_the_one_that_is_judged():
    _, model, _, x, *_ = run("several_outputs")
    refused("`output` of Reconstruction must name .* one of 'code', 'image'", model, x)


def test_several_inputs_ask_for_the_one_that_is_attacked():
    _, model, _, x, *_ = run("several_inputs")
    refused("`attacked` of .* must name the input", model, x)
    refused("`attacked` of .* must name the input", model, x["image"])


def test_a_model_with_a_train_step_alone_says_how_to_attack_it():
    model = models.VAE(stack(convolution()), stack(last(), shape=(8, 8, 8)))
    refused(r"lambda x: model.decoder\(model.encoder\(x\)\)", model, models.images()[:2])


def test_a_fixed_batch_is_taken_and_no_other():
    _, _, attack, x, *_ = run("fixed_batch")
    with pytest.raises(ValueError, match=r"`batch_size` of .* must be that of the model, 4"):
        attack.generate(x, batch_size=8, verbose=0)
    (found,) = attack.batches(x[:3])  # filled up to 4
    assert len(found) == 3


class BatchStatistics(keras.Model):
    """Normalises by the batch at inference, too."""

    def __init__(self):
        super().__init__()
        self.normalize, self.last = layers.BatchNormalization(), last()

    def call(self, x):
        return self.last(self.normalize(x, training=True))


def test_samples_that_mix_are_warned_of():
    model, x = BatchStatistics(), models.images()[:8]
    model(x)
    attack = uae.MinMaxAttack(model, steps=1)
    with pytest.warns(UserWarning, match="depends on the others in the batch"):
        attack.generate(x, verbose=0)


class Noise(layers.Layer):
    """At inference, too."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(1)

    def call(self, x):
        return x + 0.05 * keras.random.normal(ops.shape(x), seed=self.generator)


def noisy_with_inputs():
    image = keras.Input(IMAGE, name="image")
    category = keras.Input((), name="category", dtype="int32")
    shift = layers.Reshape((1, 1, 8))(layers.Embedding(10, 8)(category))
    maps = layers.Add()([convolution()(image), shift])
    return keras.Model({"image": image, "category": category}, last()(Noise()(maps)))


def noisy_with_batch():
    inputs = keras.Input(batch_shape=(4, *IMAGE))
    pairs = ops.reshape(Noise()(convolution()(inputs)), (2, 2, 8, 8, 8))
    return keras.Model(inputs, last()(ops.reshape(pairs, (4, 8, 8, 8))))


@pytest.mark.parametrize(
    ("build", "attack"),
    [(noisy_with_inputs, uae.PGDAttack), slow(noisy_with_batch, uae.MinMaxAttack)],
)
def test_noise_is_averaged_where_a_batch_cannot_be_made_longer(build, attack):
    model = build()
    x, settings = models.images()[:8], {}
    if build is noisy_with_inputs:
        x, settings = rows(models.images_with_class(), slice(8)), {"attacked": "image"}
    found = attack(model, **settings).generate(x, verbose=0)
    assert found.success.mean() > 0.5
    z = with_examples(x, found)
    draws = [
        models.reconstruction(lambda each: np.asarray(model(each)), x, z)
        if build is noisy_with_inputs
        else by_fours(model, x, z)
        for _ in range(20)
    ]
    assert (np.mean(draws, axis=0)[found.success] <= 0).mean() >= 0.75


def by_fours(model, x, z):
    def predict(each):
        return np.concatenate([model(each[start : start + 4]) for start in range(0, len(each), 4)])

    return models.reconstruction(predict, x, z)
