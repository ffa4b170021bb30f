from itertools import pairwise

import keras
import numpy as np
import pytest

import models

SHAPES = {"mnist": (28, 28, 1), "cifar": (32, 32, 3), "small": (8, 8, 1)}

every_classifier = pytest.mark.parametrize("name", SHAPES)


@every_classifier
def test_output_is_one_logit_a_class(name):
    build = models.get_classifier(name).build
    assert build().input_shape == (None, *SHAPES[name])
    model = build(SHAPES[name], classes=7)
    x = np.random.default_rng(0).random((16, *SHAPES[name]), dtype=np.float32)
    logits = model(x).numpy()
    assert logits.shape == (16, 7)
    assert logits.min() < 0 < logits.max()


@pytest.mark.parametrize(
    ("name", "filters", "flat", "units"),
    [
        ("mnist", [32, 32, 64, 64], 4 * 4 * 64, 200),
        ("cifar", [64, 64, 128, 128], 5 * 5 * 128, 256),
        ("small", [32], 3 * 3 * 32, 64),
    ],
)
def test_layers_are_the_published_ones(name, filters, flat, units):
    model = models.get_classifier(name).build()
    maps = [SHAPES[name][2], *filters]
    sizes = [9 * one * two + two for one, two in zip(maps, filters, strict=False)]
    widths = [flat, units, units, 10]
    sizes += [one * two + two for one, two in pairwise(widths)]
    assert model.count_params() == sum(sizes)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D"] * min(2, len(filters)) + ["MaxPooling2D"]
    dense = ["Flatten", "Dense", "Dropout", "Dense", "Dense"]
    assert kinds == ["InputLayer", *block * (-(-len(filters) // 2)), *dense]
    assert model.layers[-1].activation is keras.activations.linear
    assert model.get_layer("logits") is model.layers[-1]
    hidden = [layer for layer in model.layers[:-1] if hasattr(layer, "activation")]
    assert {layer.activation for layer in hidden} == {keras.activations.relu}


def test_small_classifier_by_hand(digits):
    x = digits.x_test[:3]
    model = models.small_classifier()
    kernel, bias, *dense = model.get_weights()
    windows = np.lib.stride_tricks.sliding_window_view(x[..., 0], (3, 3), axis=(1, 2))
    maps = np.maximum(np.einsum("bijuv,uvf->bijf", windows, kernel[:, :, 0]) + bias, 0)
    hidden = maps.reshape(3, 3, 2, 3, 2, 32).max(axis=(2, 4)).reshape(3, -1)
    for index in (0, 2):
        hidden = np.maximum(hidden @ dense[index] + dense[index + 1], 0)
    np.testing.assert_allclose(model(x), hidden @ dense[4] + dense[5], atol=1e-5)


def test_seed_fixes_weights_and_dropout(digits):
    x = digits.x_test[:4]

    globally = iter(range(3))  # which must make no difference

    def start(seed):
        keras.utils.set_random_seed(next(globally))
        model = models.small_classifier(seed=seed)
        return model.get_weights()[::2], model(x, training=True).numpy()

    (kernels, outputs), (again, same), (others, _) = start(7), start(7), start(8)
    for kernel, equal, other in zip(kernels, again, others, strict=True):
        np.testing.assert_array_equal(kernel, equal)
        assert (kernel != other).mean() > 0.99
    np.testing.assert_array_equal(outputs, same)


def test_no_two_layers_start_with_the_same_draw():
    draws = [kernel.ravel()[:50] for kernel in models.small_classifier().get_weights()[::2]]
    draws = [draw / np.abs(draw).max() for draw in draws]
    for index, draw in enumerate(draws):
        assert not any(np.allclose(draw, other, atol=1e-3) for other in draws[:index])


@every_classifier
def test_recipes_are_the_published_ones(name):
    recipe = models.get_classifier(name)
    assert (recipe.epochs, recipe.batch_size) == (50, 128)
    assert recipe.optimizer() is not recipe.optimizer()
    config = recipe.optimizer().get_config()
    expected = {"learning_rate": 0.01, "momentum": 0.9, "nesterov": True}
    assert {key: config[key] for key in expected} == pytest.approx(expected)


def test_recipe_trains_on_logits_and_integer_labels(digits, tmp_path):
    recipe = models.get_classifier("small")
    model = recipe.compile(recipe.build(seed=1))
    x, y = digits.x_test, digits.y_test
    logits = model(x).numpy().astype(np.float64)
    truth = np.log(np.exp(logits).sum(axis=1)) - logits[np.arange(len(y)), y]
    before = model.evaluate(x, y, verbose=0, return_dict=True)
    assert before["loss"] == pytest.approx(truth.mean(), rel=1e-4)
    model.fit(digits.x_train, digits.y_train, batch_size=32, epochs=4, verbose=0)
    after = model.evaluate(x, y, verbose=0, return_dict=True)
    assert after["accuracy"] > 0.75  # 0.86 ± 0.03 over 20 seeds
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, y, verbose=0, return_dict=True) == after


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.mnist_classifier((8, 8, 1)), r"`input_shape` of mnist_c.* 16×16.*\(8, 8,"),
        (lambda: models.cifar_classifier((32, 15, 3)), r"16×16 or larger.*Received.*\(32, 15, 3\)"),
        (lambda: models.small_classifier((3, 8, 1)), r"4×4 or larger.*Received.*\(3, 8, 1\)"),
        (lambda: models.small_classifier((8, 8)), "`input_shape` of small_c.* 3 positive integers"),
        (lambda: models.small_classifier(classes=1), "`classes` of small_c.*Received: classes=1"),
        (lambda: models.small_classifier(seed=-1), "`seed` of small_classifier .*seed=-1"),
        (lambda: models.get_classifier("cifr"), "`name` of get_classifier .*Did you mean 'cifar'"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_least_sizes_do_build():
    x = np.ones((1, 16, 16, 1), np.float32)
    assert models.mnist_classifier((16, 16, 1))(x).shape == (1, 10)
    assert models.small_classifier((4, 4, 1))(x[:, :4, :4]).shape == (1, 10)
