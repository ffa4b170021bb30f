"""The adversarial autoencoder: three updates, their optimizers, and what a file keeps of them."""

import itertools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_uae as uae
import models
from models import AdversarialAutoencoder, adversarial_autoencoder, get_recipe
from tests.trainings import eager


def small(seed: int = 0, **settings) -> AdversarialAutoencoder:
    return adversarial_autoencoder((8, 8, 1), code_units=6, hidden_units=40, seed=seed, **settings)


def compiled(rates=(1e-3, 1e-3, 1e-3), **settings) -> AdversarialAutoencoder:
    model = small(**settings)
    first, second, third = (keras.optimizers.SGD(float(rate)) for rate in rates)
    model.compile(
        first,
        discriminator_optimizer=second,
        generator_optimizer=third,
        loss="mse",
        metrics=["mse"],
    )
    return model


def moved(model: AdversarialAutoencoder, x: np.ndarray) -> dict[str, bool]:
    """Which parts a training step changes."""
    parts = {name: getattr(model, name) for name in ("encoder", "decoder", "discriminator")}
    before = {name: part.get_weights() for name, part in parts.items()}
    eager(model).train_on_batch(x, x)
    return {
        name: not all(map(np.array_equal, before[name], part.get_weights()))
        for name, part in parts.items()
    }


def test_mnist_model_has_the_published_size():
    def size(*units):
        return sum(one * two + two for one, two in itertools.pairwise(units))

    model = adversarial_autoencoder((28, 28, 1))
    published = [(784, 1000, 1000, 2), (2, 1000, 1000, 784), (2, 1000, 1000, 1)]
    parts = (model.encoder, model.decoder, model.discriminator)
    assert [part.count_params() for part in parts] == [size(*units) for units in published]
    svhn = get_recipe("adversarial_svhn").build((32, 32, 3))
    assert svhn.encoder.output_shape == (None, 256)


@pytest.mark.parametrize(
    ("rates", "parts"),
    [
        ((0, 0, 0), set()),
        ((0.1, 0, 0), {"encoder", "decoder"}),
        ((0, 0.1, 0), {"discriminator"}),
        ((0, 0, 0.1), {"encoder"}),
    ],
)
def test_each_update_changes_its_own_weights_only(rates, parts, digits):
    changes = moved(compiled(rates), digits.x_train[:16])
    assert {name for name, change in changes.items() if change} == parts


def test_a_step_is_the_three_updates_in_their_order(digits):
    x = tf.constant(digits.x_train[:8])
    model, by_hand = compiled((0.5, 0.3, 0.2)), small()
    encoder, decoder, judge = by_hand.encoder, by_hand.decoder, by_hand.discriminator
    prior = model.prior(8, 0)
    logs = model.train_on_batch(x, x, return_dict=True)

    def update(loss, weights, rate):
        with tf.GradientTape() as tape:
            value = loss()
        for weight, gradient in zip(weights, tape.gradient(value, weights), strict=True):
            weight.assign_sub(rate * gradient)
        return float(value)

    def entropy(wanted, logits):
        return tf.reduce_mean(keras.losses.binary_crossentropy(wanted, logits, from_logits=True))

    def telling():
        real, fake = judge(prior), judge(encoder(x))
        return (entropy(tf.ones_like(real), real) + entropy(tf.zeros_like(fake), fake)) / 2

    def passing():
        return entropy(tf.ones((8, 1)), judge(encoder(x)))

    def restoring():
        return tf.reduce_mean((decoder(encoder(x)) - x) ** 2)

    both = encoder.trainable_variables + decoder.trainable_variables
    assert logs["loss"] == pytest.approx(update(restoring, both, 0.5), rel=1e-5)
    weights = judge.trainable_variables
    assert logs["discriminator_loss"] == pytest.approx(update(telling, weights, 0.3), rel=1e-5)
    weights = encoder.trainable_variables
    assert logs["generator_loss"] == pytest.approx(update(passing, weights, 0.2), rel=1e-5)
    for ours, expected in zip(model.get_weights(), by_hand.get_weights(), strict=True):
        np.testing.assert_allclose(ours, expected, atol=1e-6)


def test_draws_are_standard_normal_and_a_function_of_seed_and_step():
    model = small()
    draws = model.prior(5000, 3).numpy()
    assert draws.shape == (5000, 6)
    assert draws.mean() == pytest.approx(0, abs=0.02)
    assert draws.std() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(draws, small().prior(5000, 3))
    assert (draws != model.prior(5000, 4).numpy()).all()
    assert (draws != small(seed=1).prior(5000, 3).numpy()).all()


def test_a_training_that_is_loaded_goes_on_as_if_it_had_never_stopped(digits, tmp_path):
    x = digits.x_train[:64]
    settings = {"batch_size": 32, "shuffle": False, "verbose": 0}
    recipe = get_recipe("adversarial")
    whole, part = (eager(recipe.compile(small())) for _ in range(2))
    whole.fit(x, x, epochs=2, **settings)
    part.fit(x, x, epochs=1, **settings)
    part.save(tmp_path / "part.keras")
    loaded = eager(keras.models.load_model(tmp_path / "part.keras"))
    names = ("optimizer", "discriminator_optimizer", "generator_optimizer")
    optimizers = [getattr(loaded, name) for name in names]
    assert len(set(map(id, optimizers))) == 3
    assert [int(optimizer.iterations) for optimizer in optimizers] == [2, 2, 2]
    assert all(float(optimizer.learning_rate) == pytest.approx(1e-4) for optimizer in optimizers)
    loaded.fit(x, x, epochs=1, **settings)
    for one, other in zip(whole.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_config_goes_through_json():
    model = small(seed=3)
    config = json.dumps(model.get_config())
    clone = AdversarialAutoencoder.from_config(json.loads(config))
    assert json.dumps(clone.get_config()) == config
    assert clone.seed == 3
    assert (clone.input_shape, clone.output_shape) == (model.input_shape, model.output_shape)


def test_fit_reports_all_losses_and_evaluate_those_of_the_autoencoder(digits):
    x = digits.x_train[:32]
    model = eager(compiled())
    history = model.fit(x, epochs=1, verbose=0, validation_data=(x, x)).history
    losses = {"loss", "mse", "discriminator_loss", "generator_loss"}
    assert set(history) == {*losses, "val_loss", "val_mse"}
    assert all(history[name][0] > 0 for name in losses)
    results = model.evaluate(x, verbose=0, return_dict=True)
    assert results["loss"] == pytest.approx(np.mean((model(x) - x) ** 2), rel=1e-5)
    assert set(results) == {"loss", "mse"}


def test_a_step_can_be_compiled_by_xla(digits):
    x = digits.x_train[:8]
    model = adversarial_autoencoder((8, 8, 1), hidden_units=5)
    expected = float(np.mean((model(x) - x) ** 2))
    model.compile(keras.optimizers.SGD(0.1), loss="mse", jit_compile=True)
    logs = model.train_on_batch(x, x, return_dict=True)
    assert logs["loss"] == pytest.approx(expected, rel=1e-5)
    assert all(np.isfinite(weight).all() for weight in model.get_weights())


def test_training_on_digits_beats_the_mean_image(digits):
    x = digits.x_train
    model = adversarial_autoencoder((8, 8, 1), code_units=10, hidden_units=100)
    # at equal rates the discriminator soon wins, and drives the codes to 0 and 1
    slow = {"discriminator_optimizer": keras.optimizers.Adam(1e-5)}
    slow["generator_optimizer"] = keras.optimizers.Adam(1e-5)
    model.compile(keras.optimizers.Adam(2e-3), loss="mse", metrics=["mse"], **slow)
    model.steps_per_execution = 10
    model.fit(x, x, batch_size=32, epochs=12, verbose=0)
    error = model.evaluate(digits.x_test, digits.x_test, verbose=0, return_dict=True)["mse"]
    # 0.42 ± 0.06 over 20 seeds
    assert error < 0.7 * np.mean((digits.x_test - x.mean(axis=0)) ** 2)


def test_it_can_be_attacked(digits):
    x = digits.x_train[:8]
    model = small()
    found = uae.MinMaxAttack(model, similarity="l2", steps=5).generate(x, verbose=0)
    assert isinstance(uae.MinMaxAttack(model).criterion, uae.Reconstruction)
    values = uae.criterion_values(uae.Reconstruction(model), x, found.x)
    np.testing.assert_array_equal(values[found.success] <= 0, True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AdversarialAutoencoder(*3 * [keras.Sequential()]), "`encoder` of Adv.* is built"),
        (lambda: adversarial_autoencoder((8,), code_units=0), "`code_units` of adversarial"),
        (lambda: adversarial_autoencoder((8,), hidden_units=0.5), "`hidden_units` of adversarial"),
        (lambda: adversarial_autoencoder((8,), seed=-1), "`seed` of adversarial"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_loss_scaling_is_refused():
    model = models.adversarial_autoencoder((4,), hidden_units=2)
    parts = (model.encoder, model.decoder, model.discriminator)
    with pytest.raises(ValueError, match=r"`dtype` of AdversarialAutoencoder .* Received: 'mixed_"):
        AdversarialAutoencoder(*parts, dtype="mixed_float16").compile("adam", loss="mse")
