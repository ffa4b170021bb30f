import keras
import numpy as np
import pytest
import tensorflow as tf

import models

BUILDERS = {
    name: recipe.build for name, recipe in models.RECIPES.items() if not name.endswith("_svhn")
}
IMAGE_SHAPES = [(8, 8, 1), (28, 28, 1), (32, 32, 3), (30, 30, 1), (7, 9, 2)]

every_builder = pytest.mark.parametrize("build", BUILDERS.values(), ids=BUILDERS)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_every_public_name_exists():
    assert all(hasattr(models, name) for name in models.__all__)


@every_builder
@pytest.mark.parametrize("shape", IMAGE_SHAPES, ids=str)
def test_output_has_the_shape_of_the_input(build, shape):
    model = build(shape)
    x = np.random.default_rng(0).random((2, *shape), dtype=np.float32)
    y = model(x).numpy()
    assert model.output_shape == (None, *shape)
    assert y.shape == x.shape
    assert y.min() >= 0
    assert y.max() <= 1


@pytest.mark.parametrize(
    "build",
    [models.dense_autoencoder, models.sparse_autoencoder, models.adversarial_autoencoder],
)
def test_vectors_are_samples_too(build):
    assert build((13,)).output_shape == (None, 13)


@pytest.mark.parametrize(
    ("build", "parameters"),
    [
        (models.dense_autoencoder, 784 * 128 + 128 + 128 * 784 + 784),
        (models.sparse_autoencoder, 784 * 128 + 128 + 128 * 784 + 784),
        (
            models.convolutional_autoencoder,
            25 * 16 + 16 + 25 * 16 * 8 + 8 + 25 * 8 * 8 + 8 + 25 * 8 * 16 + 16 + 25 * 16 + 1,
        ),
    ],
)
def test_mnist_models_have_the_published_size(build, parameters):
    assert build((28, 28, 1)).count_params() == parameters


def test_the_model_for_cifar_has_the_published_layers():
    model = models.deep_convolutional_autoencoder((32, 32, 3))
    sizes = [(3, 64), (64, 32), (32, 16), (16, 16), (16, 32), (32, 64), (64, 3)]
    # a 3×3 kernel and biases, then scale, shift, mean and variance of the normalisation
    assert model.count_params() == sum(9 * one * two + two + 4 * two for one, two in sizes)
    block = ["Conv2D", "BatchNormalization", "Activation"]
    kinds = [type(layer).__name__ for layer in model.layers]
    encoder, decoder = 3 * [*block, "MaxPooling2D"], 3 * [*block, "UpSampling2D"]
    assert kinds == ["InputLayer", *encoder, *decoder, *block]
    assert model.get_layer("code").output.shape == (None, 4, 4, 16)


@pytest.mark.parametrize(
    ("shape", "units"), [((28, 28, 1), 128), ((32, 32, 3), 256), ((8, 8, 1), 10), ((2000,), 256)]
)
def test_code_size_is_the_papers_or_in_proportion(shape, units):
    assert models.dense_autoencoder(shape).get_layer("code").units == units
    assert models.sparse_autoencoder(shape, code_units=5).get_layer("code").units == 5


def test_dense_model_computes_two_sigmoid_layers(digits):
    images = digits.x_test[:4]
    model = models.dense_autoencoder((8, 8, 1))
    w1, b1, w2, b2 = model.get_weights()
    expected = sigmoid(sigmoid(images.reshape(4, 64) @ w1 + b1) @ w2 + b2)
    np.testing.assert_allclose(model(images), expected.reshape(4, 8, 8, 1), rtol=1e-5)


def test_convolution_comes_first_and_the_code_is_a_quarter_wide():
    model = models.convolutional_autoencoder((30, 28, 3))
    assert isinstance(model.layers[0], keras.layers.InputLayer)
    assert isinstance(model.layers[1], keras.layers.Conv2D)
    assert model.get_layer("code").output.shape == (None, 8, 7, 8)


def test_only_sizes_that_need_it_are_cropped():
    def crops(size):
        model = models.convolutional_autoencoder((size, size, 1))
        return [layer for layer in model.layers if isinstance(layer, keras.layers.Cropping2D)]

    assert not crops(28)
    assert len(crops(30)) == 1


@every_builder
def test_seed_fixes_the_weights_and_nothing_else_does(build):
    keras.utils.set_random_seed(1)
    first = build((8, 8, 1), seed=7).get_weights()
    keras.utils.set_random_seed(2)
    again = build((8, 8, 1), seed=7).get_weights()
    other = build((8, 8, 1), seed=8).get_weights()
    for one, same, different in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, same)
        if one.ndim > 1:  # biases start at 0, batch normalisation at 0 and 1
            assert (one != different).mean() > 0.99


@every_builder
def test_no_two_layers_of_any_two_seeds_start_with_the_same_draw(build):
    weights = [weight for seed in (0, 1) for weight in build((8, 8, 1), seed=seed).get_weights()]
    kernels = [weight for weight in weights if weight.ndim > 1]
    # Glorot draws of equal seeds are one sequence, scaled by the layer's bound.
    draws = [kernel.ravel()[:50] / np.abs(kernel.ravel()[:50]).max() for kernel in kernels]
    for index, draw in enumerate(draws):
        assert not any(np.allclose(draw, other, atol=1e-3) for other in draws[:index])


@every_builder
def test_building_leaves_the_global_generators_alone(build):
    keras.utils.set_random_seed(3)
    expected = np.random.random(), float(keras.random.uniform(()))  # noqa: NPY002
    keras.utils.set_random_seed(3)
    build((8, 8, 1))
    assert expected == (np.random.random(), float(keras.random.uniform(())))  # noqa: NPY002


@every_builder
def test_no_losses_are_left_by_inference(build, digits):
    images = digits.x_test[:4]
    model = build((8, 8, 1))
    model(images, training=True)
    model(images, training=False)
    assert model.losses == []
    graph = tf.function(lambda x: model(x, training=False))
    np.testing.assert_allclose(graph(images), model(images), rtol=1e-6)
    assert model.losses == []


def test_sparse_and_dense_start_as_the_same_function(digits):
    images = digits.x_test[:4]
    dense = models.dense_autoencoder((8, 8, 1), seed=5)
    sparse = models.sparse_autoencoder((8, 8, 1), seed=5)
    np.testing.assert_array_equal(dense(images), sparse(images))


@every_builder
@pytest.mark.parametrize("shape", [(), 8, (8, 0, 1), (None, None, 1), (8.0, 8, 1), "abc"])
def test_bad_shapes_are_refused(build, shape):
    with pytest.raises(ValueError, match=r"`input_shape` of \w+_autoencoder must be .* Received"):
        build(shape)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: models.convolutional_autoencoder((64,)), "`input_shape`.* 3 positive integers"),
        (lambda: models.deep_convolutional_autoencoder((64,)), "`input_shape`.* 3 positive"),
        (lambda: models.unet_autoencoder((64,)), "`input_shape` of unet_aut.* 3 positive"),
        (lambda: models.denoising_autoencoder((8, 8, 1), noise=-1), "`noise` of denoising_aut"),
        (lambda: models.dense_autoencoder((8,), code_units=0), "`code_units` of dense"),
        (lambda: models.sparse_autoencoder((8,), code_units=1.5), "`code_units` of sparse"),
        (lambda: models.sparse_autoencoder((8,), kl_weight=-1), "`weight` of KLPenalty"),
        (lambda: models.dense_autoencoder((8,), seed=-1), "`seed` of dense_autoencoder"),
        (lambda: models.convolutional_autoencoder((8, 8, 1), seed=None), "`seed` of conv"),
    ],
)
def test_bad_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()
