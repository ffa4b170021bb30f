import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from models import KLPenalty, L1Penalty, get_recipe, sparse_autoencoder


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("layer", [L1Penalty(0.25), KLPenalty(0.2, 2.0)], ids=["l1", "kl"])
def test_penalties_survive_json(layer):
    clone = type(layer).from_config(json.loads(json.dumps(layer.get_config())))
    assert clone.get_config() == layer.get_config()
    assert keras.saving.get_registered_name(type(layer)) == f"keras_uae>{type(layer).__name__}"


def test_l1_penalty_by_hand():
    layer = L1Penalty(0.5)
    x = np.array([[1.0, -2.0], [3.0, 0.0], [0.0, 0.0]], "float32")
    np.testing.assert_array_equal(layer(x, training=True), x)
    assert float(layer.losses[0]) == pytest.approx(0.5 * (3 + 3 + 0) / 3)


def test_l1_penalty_does_not_depend_on_the_batch_size():
    layer = L1Penalty(0.5)
    x = np.random.default_rng(0).random((4, 3, 3, 1), dtype=np.float32)
    layer(x, training=True)
    once = float(layer.losses[0])
    layer(np.concatenate([x, x]), training=True)
    assert once == pytest.approx(0.5 * x.sum() / 4)
    assert float(layer.losses[0]) == pytest.approx(once)


def test_kl_penalty_by_hand():
    layer = KLPenalty(0.1, 3.0)
    layer(np.array([[0.1, 0.5], [0.1, 0.7]], "float32"), training=True)  # means 0.1 and 0.6
    divergence = 0.1 * math.log(0.1 / 0.6) + 0.9 * math.log(0.9 / 0.4)
    assert float(layer.losses[0]) == pytest.approx(3 * (0 + divergence) / 2, rel=1e-5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_kl_penalty_of_a_saturated_unit_is_finite(value):
    layer = KLPenalty()
    x = tf.fill((4, 2), value)
    with tf.GradientTape() as tape:
        tape.watch(x)
        layer(x, training=True)
        loss = layer.losses[0]
    assert np.isfinite(loss)
    assert np.isfinite(tape.gradient(loss, x)).all()
    zeros = {0.0: 0.1, 1.0: 0.9}[value] * math.log(1e-10)
    entropy = 0.1 * math.log(0.1) + 0.9 * math.log(0.9)
    assert float(loss) == pytest.approx(3 * (entropy - zeros), rel=1e-5)


@pytest.mark.parametrize(
    ("shape", "weight"), [((8, 8, 1), 3), ((28, 28, 1), 3), ((32, 32, 3), 1)], ids=str
)
def test_sparse_loss_matches_numpy(shape, weight):
    model = sparse_autoencoder(shape)
    x = np.random.default_rng(0).random((5, *shape), dtype=np.float32)
    model(x, training=True)
    w1, b1, w2, b2 = (value.astype("float64") for value in model.get_weights())
    code = sigmoid(x.reshape(5, -1) @ w1 + b1)
    output = sigmoid(code @ w2 + b2)
    active = np.clip(code.mean(axis=0), 1e-10, 1)
    divergence = 0.1 * np.log(0.1 / active) + 0.9 * np.log(0.9 / (1 - active))
    expected = 1e-7 * (code.sum() + output.sum()) / 5 + weight * divergence.mean()
    assert float(sum(model.losses)) == pytest.approx(expected, rel=1e-5)
    get_recipe("sparse").compile(model)
    plain = np.mean((output - x.reshape(5, -1)) ** 2)
    assert model.evaluate(x, x, verbose=0)[0] == pytest.approx(plain, rel=1e-5)
    assert model.train_on_batch(x, x)[0] == pytest.approx(plain + expected, rel=1e-5)


def test_kl_weight_can_be_chosen(digits):
    images = digits.x_test[:4]
    model = sparse_autoencoder((8, 8, 1), kl_weight=0)
    model(images, training=True)
    assert float(sum(model.losses)) < 1e-4  # the L1 penalties alone


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L1Penalty(-1), "`strength` of L1Penalty .* Received: strength=-1"),
        (lambda: KLPenalty(target=1.0), "`target` of KLPenalty .* Received: target=1.0"),
        (lambda: KLPenalty(weight="3"), "`weight` of KLPenalty .* Received: weight='3'"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
