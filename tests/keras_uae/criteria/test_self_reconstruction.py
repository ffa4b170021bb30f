"""SelfReconstruction by hand, and in an attack whose answer is judged from outside."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_uae as uae
from keras_uae import criteria
from tests import tiny_models


def halving():
    """Φ(z) = z / 2, so that the score of z is half of its norm."""
    dense = keras.layers.Dense(3, use_bias=False, kernel_initializer=lambda *_, **__: tf.eye(3) / 2)
    return keras.Sequential([keras.Input((3,)), dense])


X = np.array([[2.0, 0, 0], [0, 4.0, 0]], "float32")
Z = np.array([[0, 0, 6.0], [0, 1.0, 0]], "float32")


@pytest.mark.parametrize("threshold", [None, 1.25])
def test_by_hand(threshold):
    criterion = uae.SelfReconstruction(halving(), threshold=threshold, kappa=0.1)
    limit = np.array([1.0, 2.0]) if threshold is None else threshold
    np.testing.assert_allclose(criterion(X, Z), np.array([3.0, 0.5]) - limit + 0.1, rtol=1e-6)


@pytest.mark.parametrize("threshold", [None, 3.0])
def test_an_example_passes_when_it_is_scored_from_outside(threshold):
    model, x = tiny_models.convolutional(), tiny_models.images(8)
    attack = uae.MinMaxAttack(
        model, criterion=uae.SelfReconstruction(threshold=threshold), similarity="gaussian"
    )
    found = attack.generate(x, verbose=0)
    assert found.success.any()
    won = found.x[found.success]
    scores, own = (
        np.linalg.norm((model(each) - each).numpy().reshape(len(each), -1), axis=1)
        for each in (won, x[found.success])
    )
    assert (scores <= (own if threshold is None else threshold) + 1e-5).all()
    assert np.abs(won - x[found.success]).max() > 0.01


def test_it_has_a_name_and_comes_back_from_its_config():
    assert isinstance(criteria.get("self_reconstruction"), uae.SelfReconstruction)
    criterion = uae.SelfReconstruction(threshold=2.0, kappa=0.5)
    config = keras.saving.serialize_keras_object(criterion)
    assert keras.saving.deserialize_keras_object(config) == criterion


def test_what_cannot_be_is_refused():
    with pytest.raises(ValueError, match=r"`threshold` of SelfReconstruction.*threshold=-1"):
        uae.SelfReconstruction(threshold=-1)
    encoder = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    with pytest.raises(ValueError, match=r"`model` of SelfReconstruction must give back the shape"):
        uae.MinMaxAttack(encoder, criterion=uae.SelfReconstruction()).generate(X / 4, verbose=0)
