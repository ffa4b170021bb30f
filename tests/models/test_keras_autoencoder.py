"""The denoising autoencoder and the U-Net of Keras_Autoencoder, their noise and their loss."""

import itertools
import json

import keras
import numpy as np
import pytest

import keras_uae as uae
from models import ClippedNoise, DiceLoss, denoising_autoencoder, get_recipe, unet_autoencoder
from tests.trainings import eager


def conv(one: int, two: int, side: int = 3) -> int:
    """Weights of a convolution."""
    return side * side * one * two + two


def test_denoising_model_has_the_published_size_and_layers():
    model = denoising_autoencoder((32, 32, 3))
    sizes = [(3, 32), (32, 32), (32, 32), (32, 32), (32, 3)]
    published = sum(conv(one, two) + 4 * two for one, two in sizes)
    assert model.count_params() == published + 1  # how often noise was drawn
    block = ["Conv2D", "BatchNormalization", "Activation"]
    encoder, decoder = 2 * [*block, "MaxPooling2D"], 2 * [*block, "UpSampling2D"]
    kinds = [type(layer).__name__ for layer in model.layers]
    assert kinds == ["InputLayer", "ClippedNoise", *encoder, *decoder, *block]
    assert model.get_layer("code").output.shape == (None, 8, 8, 32)


def test_unet_has_the_published_size_and_skips():
    model = unet_autoencoder((32, 32, 3))
    sizes = [3, 32, 64, 128, 256, 512]
    down = sum(conv(a, b) + conv(b, b) for a, b in itertools.pairwise(sizes))
    up = sum(
        conv(b, a, side=2) + conv(2 * a, a) + conv(a, a) for a, b in itertools.pairwise(sizes[1:])
    )
    assert model.count_params() == down + up + conv(32, 3)
    assert model.get_layer("code").output.shape == (None, 2, 2, 512)
    skips = [layer for layer in model.layers if isinstance(layer, keras.layers.Concatenate)]
    assert [skip.output.shape[1:] for skip in skips] == [
        (4, 4, 512),
        (8, 8, 256),
        (16, 16, 128),
        (32, 32, 64),
    ]


def test_dice_is_the_quotient_of_the_whole_batch():
    rng = np.random.default_rng(0)
    y, z = rng.random((2, 5, 4, 4, 1), np.float32)
    expected = 1 - (2 * (y * z).sum() + 1) / (y.sum() + z.sum() + 1)
    assert float(DiceLoss()(y, z)) == pytest.approx(expected, rel=1e-6)
    expected = 1 - (2 * (y * z).sum() + 0.5) / (y.sum() + z.sum() + 0.5)
    assert float(DiceLoss(0.5)(y, z)) == pytest.approx(expected, rel=1e-6)


def test_dice_of_masks_by_hand():
    loss = DiceLoss()
    mask = np.array([[1.0, 1.0, 0.0, 0.0]], np.float32)
    assert float(loss(mask, mask)) == pytest.approx(0)
    assert float(loss(mask, 1 - mask)) == pytest.approx(1 - 1 / 5)
    assert float(loss(mask, np.ones_like(mask))) == pytest.approx(1 - 5 / 7)
    assert float(loss(0 * mask, 0 * mask)) == pytest.approx(0)


def test_dice_of_grey_values_is_not_lowest_where_they_are_equal():
    grey = np.full((1, 4), 0.6, np.float32)
    assert float(DiceLoss()(grey, np.ones_like(grey))) < float(DiceLoss()(grey, grey))


def test_dice_and_noise_go_through_json():
    for made in (DiceLoss(0.5), ClippedNoise(0.2, seed=3)):
        clone = type(made).from_config(json.loads(json.dumps(made.get_config())))
        assert clone.get_config() == made.get_config()


def test_noise_is_gaussian_clipped_and_for_training_only():
    layer, x = ClippedNoise(0.1, seed=1), np.full((50, 400), 0.5, np.float32)
    np.testing.assert_array_equal(layer(x), x)
    noise = layer(x, training=True).numpy() - x
    assert noise.mean() == pytest.approx(0, abs=0.005)
    assert noise.std() == pytest.approx(0.1, abs=0.005)
    assert (layer(x, training=True).numpy() - x != noise).all()
    np.testing.assert_array_equal(ClippedNoise(0.1, seed=1)(x, training=True) - x, noise)
    dark = layer(0 * x, training=True).numpy()
    assert dark.min() == 0
    assert (dark > 0).mean() == pytest.approx(0.5, abs=0.02)
    assert (layer(0 * x + 1, training=True).numpy() <= 1).all()


def test_noise_goes_on_after_a_load(digits, tmp_path):
    x = digits.x_train[:8]
    model = keras.Sequential([keras.Input((8, 8, 1)), ClippedNoise(0.1)])
    model(x, training=True)
    model.save(tmp_path / "noise.keras")
    loaded = keras.models.load_model(tmp_path / "noise.keras")
    np.testing.assert_array_equal(model(x, training=True), loaded(x, training=True))


@pytest.mark.slow
def test_denoising_training_restores_noisy_digits(digits):
    x, x_test = digits.x_train, digits.x_test[:200]
    recipe = get_recipe("denoising")
    model = recipe.compile(recipe.build((8, 8, 1)))
    model.steps_per_execution = 10
    model.fit(x, x, batch_size=recipe.batch_size, epochs=10, verbose=0)
    noisy = uae.gaussian_noise(x_test, 0.1)
    mean = np.mean((x_test - x.mean(axis=0)) ** 2)
    # 0.54 ± 0.03 over 12 seeds
    assert np.mean((model(noisy) - x_test) ** 2) < 0.7 * mean


def test_unet_learns_masks_of_digits_by_dice(digits):
    x = digits.x_train[:10]
    mask = (x > 0.5).astype(np.float32)
    recipe = get_recipe("unet")
    model = eager(recipe.compile(recipe.build((8, 8, 1))))
    loss = model.fit(x, mask, batch_size=10, epochs=8, verbose=0).history["loss"]
    # 0.828 ± 0.008 over 5 seeds
    assert loss[-1] < 0.9 * loss[0]


@pytest.mark.parametrize("build", [denoising_autoencoder, unet_autoencoder])
def test_they_can_be_attacked(build, digits):
    x = digits.x_train[:4]
    model = build((8, 8, 1))
    found = uae.MinMaxAttack(model, steps=3).generate(x, verbose=0)
    values = uae.criterion_values(uae.Reconstruction(model), x, found.x)
    np.testing.assert_array_equal(values[found.success] <= 1e-5, True)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: DiceLoss(-1), "`smooth` of DiceLoss"),
        (lambda: ClippedNoise(-0.1), "`stddev` of ClippedNoise"),
        (lambda: ClippedNoise(0.1, seed=0.5), "`seed` of ClippedNoise"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
