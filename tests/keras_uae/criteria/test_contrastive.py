"""NT-Xent, the random views, and the contrastive criterion, each against NumPy or by hand."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers

import keras_uae as uae
from keras_uae import _draws as draws
from keras_uae.criteria.views import _hue, _resize, _saturate
from keras_uae.similarity import MINE

SHAPE = (8, 8, 3)
PAIRS = 3
PLAIN = uae.ViewAugmentation(
    min_area=1.0, flip_probability=0.0, color_jitter_strength=0.0, grayscale_probability=0.0
)


def images(count, seed=0, shape=SHAPE, dtype="float32"):
    return np.random.default_rng(seed).random((count, *shape)).astype(dtype)


def key(seed=0):
    return draws.stream(tf.constant(seed), draws.VIEWS)


def drawn(augmentation, count, shape=SHAPE, dtype=tf.float64):
    return augmentation.draw(key(), count, tf.TensorShape(shape), dtype)


def loss_by_hand(first, second, temperature):
    """NT-Xent of every pair, term by term."""
    rows = np.concatenate([first, second]).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    pairs = len(first)
    losses = []
    for i in range(2 * pairs):
        odds = [np.exp(rows[i] @ rows[k] / temperature) for k in range(2 * pairs)]
        losses.append(-np.log(odds[(i + pairs) % (2 * pairs)] / (sum(odds) - odds[i])))
    return (np.array(losses[:pairs]) + losses[pairs:]) / 2


@pytest.mark.parametrize("temperature", [0.5, 0.07])
def test_nt_xent_by_hand(temperature):
    first, second = np.random.default_rng(0).normal(size=(2, 4, 5, 6))
    losses = uae.nt_xent(first, second, temperature)
    assert losses.shape == (4, 5)
    expected = [loss_by_hand(*pair, temperature) for pair in zip(first, second, strict=True)]
    np.testing.assert_allclose(losses, expected, rtol=1e-12)
    single = uae.nt_xent(first.astype("float32"), second.astype("float32"), temperature)
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-6)


def test_nt_xent_of_half_precision_is_computed_in_single():
    first, second = np.random.default_rng(0).normal(size=(2, 5, 6)).astype("float16")
    losses = uae.nt_xent(300 * first, 300 * second, 0.001)  # squares and exponentials overflow
    assert losses.dtype == tf.float32
    # far from the maximum only the nearest of the others counts
    rows = np.concatenate([first, second]).astype(np.float64)
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    logits = rows @ rows.T / 0.001
    np.fill_diagonal(logits, -np.inf)
    expected = logits.max(axis=1) - logits[np.arange(10), (np.arange(10) + 5) % 10]
    np.testing.assert_allclose(losses, (expected[:5] + expected[5:]) / 2, rtol=1e-2, atol=0.5)


def test_nt_xent_of_zeros_has_a_finite_gradient():
    first = tf.constant(np.random.default_rng(0).normal(size=(3, 4)) * [[1], [0], [1]])
    with tf.GradientTape() as tape:
        tape.watch(first)
        loss = uae.nt_xent(first, tf.roll(first, 1, 1))
    assert np.isfinite(loss).all()
    assert np.isfinite(tape.gradient(loss, first)).all()


def test_a_lone_pair_has_no_loss():
    first, second = np.random.default_rng(0).normal(size=(2, 1, 4))
    np.testing.assert_allclose(uae.nt_xent(first, second), 0, atol=1e-12)


def test_crops_are_those_of_tensorflow():
    x = images(1, shape=(9, 6, 3), dtype="float64")
    # of 9 × 6 pixels, 6 × 4 from (2, 1) on
    views = drawn(PLAIN, 1, (9, 6, 3))
    np.testing.assert_array_equal(PLAIN.apply(x, views), x)
    one = tf.constant([2 / 3], tf.float64)
    crop = views._replace(rows=_resize(one, one, 9), columns=_resize(one * 0 + 0.5, one, 6))
    expected = tf.image.resize(x[:, 2:8, 1:5], (9, 6))
    np.testing.assert_allclose(PLAIN.apply(x, crop), expected, atol=1e-6)


def test_crops_have_the_areas_and_ratios_that_are_asked_for():
    augmentation = uae.ViewAugmentation(min_area=0.25, color_jitter_strength=0)
    size = 40
    ramp = np.broadcast_to(np.linspace(0, 1, size)[:, None, None], (size, size, 1))
    x = np.stack([ramp, ramp.transpose(1, 0, 2)])
    views = augmentation.draw(key(), 300, tf.TensorShape((size, size, 1)), tf.float64)
    seen = augmentation.apply(tf.constant(x)[:, None], views).numpy()
    heights = np.ptp(seen[0, :, :, 0, 0], axis=1)
    widths = np.ptp(seen[1, :, 0, :, 0], axis=1)
    areas, ratios = heights * widths, widths / heights
    assert 0.21 < areas.min() < 0.3
    assert 0.9 < areas.max() < 1.001
    assert 0.72 < ratios.min() < 0.8
    assert 1.25 < ratios.max() < 1.39
    flipped = seen[1, :, 0, -1, 0] < seen[1, :, 0, 0, 0]
    assert 0.4 < flipped.mean() < 0.6


def test_colors_by_hand():
    x = images(1, dtype="float64")
    augmentation = uae.ViewAugmentation(min_area=1.0, flip_probability=0, grayscale_probability=0)
    views = drawn(augmentation, 64)
    luma = np.array([0.299, 0.587, 0.114])
    for row in range(64):
        y = x[0]
        for step in range(5):
            matrix = views.colors[row, step].numpy()
            y = np.clip(y @ matrix + views.contrast[row, step] * np.mean(y @ luma), 0, 1)
        one = tf.nest.map_structure(lambda each, row=row: each[row], views)
        np.testing.assert_allclose(augmentation.apply(x[0], one), y, atol=1e-12)
    changed = np.abs(views.colors - np.eye(3)).max(axis=(1, 2, 3)) > 1e-9
    assert 0.65 < changed.mean() < 0.95  # probability 0.8
    # white stays gray, and what adds to the contrast takes as much away
    sums = np.sum(views.colors, axis=2) + views.contrast.numpy()[..., None]
    brightness = sums[np.abs(sums - 1).max(axis=2) > 1e-9]
    assert 0.6 <= brightness.min() < 0.75
    assert 1.25 < brightness.max() <= 1.4
    np.testing.assert_allclose(np.ptp(sums, axis=2), 0, atol=1e-12)


def test_saturation_and_hue_have_known_answers():
    third = _hue(tf.constant([1 / 3, 0.0], tf.float64), 3).numpy()
    np.testing.assert_allclose(third, [np.roll(np.eye(3), 1, axis=1), np.eye(3)], atol=1e-12)
    x = images(4, dtype="float64")
    gray = x @ _saturate(tf.constant([0.0], tf.float64), 3).numpy()[0]
    np.testing.assert_allclose(gray, np.repeat(tf.image.rgb_to_grayscale(x), 3, -1), atol=1e-4)


@pytest.mark.parametrize("channels", [1, 3])
def test_views_stay_within_bounds_and_depend_on_the_seed_alone(channels):
    augmentation = uae.ViewAugmentation(bounds=(-1, 3), color_jitter_strength=1.0)
    x = 4 * images(16, shape=(8, 8, channels)) - 1
    views = augmentation(x, seed=3).numpy()
    assert views.min() >= -1
    assert views.max() <= 3
    assert np.abs(views - x).mean() > 0.1
    np.testing.assert_array_equal(views, augmentation(x, seed=3))
    assert (views != augmentation(x, seed=4).numpy()).mean() > 0.5
    unit = uae.ViewAugmentation(color_jitter_strength=1.0)((x + 1) / 4, seed=3)
    np.testing.assert_allclose(4 * unit - 1, views, atol=1e-5)


def test_views_take_no_image_of_another_scale():
    eight_bit = (255 * images(2)).astype("uint8")
    views = uae.ViewAugmentation()
    message = r"of ViewAugmentation holds integers, but .* / 255\) or set bounds=\(0, 255\)"
    with pytest.raises(ValueError, match=message):
        views(eight_bit, 0)
    with pytest.raises(ValueError, match=message):  # also where values are not known
        tf.data.Dataset.from_tensors(eight_bit).map(lambda x: views(x, 0))
    for other in (eight_bit.astype("float32"), images(2) - 0.5):
        with pytest.raises(ValueError, match=r"`images` of ViewAugmentation must lie inside"):
            views(other, 0)
        with pytest.raises(tf.errors.InvalidArgumentError, match="must lie inside"):
            list(tf.data.Dataset.from_tensors(other).map(lambda x: views(x, 0)))


def test_views_of_integers_are_those_of_reals():
    eight_bit = (255 * images(2)).astype("uint8")
    views = uae.ViewAugmentation(bounds=(0, 255))
    expected = views(eight_bit.astype("float32"), 0)
    np.testing.assert_array_equal(views(eight_bit, 0), expected)
    assert views(eight_bit, 0).dtype == tf.float32
    criterion = uae.Contrastive(pairs=2, augmentation=views)
    np.testing.assert_array_equal(
        criterion.views(eight_bit), criterion.views(eight_bit.astype("float32"))
    )


@pytest.fixture(scope="module")
def network():
    """Smooth and in double precision, so that f can be compared with finite differences."""
    rng = np.random.default_rng(0)
    model = keras.Sequential(
        [
            keras.Input(SHAPE, dtype="float64"),
            layers.Conv2D(4, 3, activation="tanh", name="stem", dtype="float64"),
            layers.BatchNormalization(dtype="float64"),
            layers.Flatten(dtype="float64"),
            layers.Dense(5, use_bias=False, dtype="float64"),
        ]
    )
    model.set_weights([0.3 * rng.normal(size=each.shape) for each in model.weights])
    model.layers[1].set_weights(0.5 + rng.random((4, 4)))
    return model


def test_criterion_by_hand(network):
    x, z = images(2, 0, dtype="float64"), images(2, 1, dtype="float64")
    criterion = uae.Contrastive(network, pairs=PAIRS, temperature=0.3, kappa=0.25, seed=7)

    def loss(sample):
        views = criterion.views(sample[None])[0]
        assert views.shape == (2 * PAIRS, *SHAPE)
        # each view as `apply` makes it alone
        every = criterion.augmentation.draw(key(7), 2 * PAIRS, tf.TensorShape(SHAPE), tf.float64)
        for row in range(2 * PAIRS):
            one = tf.nest.map_structure(lambda each, row=row: each[row], every)
            np.testing.assert_allclose(
                views[row], criterion.augmentation.apply(sample, one), atol=1e-12
            )
        projections = network(views, training=False).numpy()
        return loss_by_hand(projections[:PAIRS], projections[PAIRS:], 0.3).mean()

    expected = [loss(z[i]) - loss(x[i]) + 0.25 for i in range(2)]
    np.testing.assert_allclose(criterion(x, z), expected, rtol=1e-8)
    assert np.abs(np.array(expected) - 0.25).min() > 1e-2  # or the test says nothing
    np.testing.assert_array_equal(criterion(x, x), 0.25)


def test_criterion_of_a_sample_depends_on_nothing_else(network):
    x, z = images(4, 0, dtype="float64"), images(4, 1, dtype="float64")
    criterion = uae.Contrastive(network, pairs=PAIRS)
    values = criterion(x, z).numpy()
    np.testing.assert_allclose(criterion(x[::-1], z[::-1])[::-1], values, rtol=1e-9)
    np.testing.assert_allclose(criterion(x[2:3], z[2:3]), values[2:3], rtol=1e-9)
    other = uae.Contrastive(network, pairs=PAIRS, seed=1)(x, z).numpy()
    assert np.abs(other - values).min() > 1e-3


def test_gradient_of_the_criterion_is_that_of_finite_differences(network):
    x = images(2, dtype="float64") * 0.2 + 0.4  # colors are clipped where they leave the bounds
    z = tf.constant(x + 0.01 * images(2, 1, dtype="float64"))
    jitter = uae.ViewAugmentation(color_jitter_strength=0.2)
    criterion = uae.Contrastive(network, pairs=PAIRS, augmentation=jitter)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = criterion(x, z)
    gradient = tape.gradient(value, z).numpy()
    direction = gradient / np.sqrt(np.sum(gradient**2, axis=(1, 2, 3), keepdims=True))
    step = 1e-6
    rise = (criterion(x, z + step * direction) - criterion(x, z - step * direction)) / (2 * step)
    np.testing.assert_allclose(rise, np.sum(gradient * direction, axis=(1, 2, 3)), rtol=1e-6)


def test_the_attack_finds_examples_and_leaves_the_statistics_alone(network):
    x = images(6, dtype="float64")
    before = [each.numpy() for each in network.variables]
    attack = uae.MinMaxAttack(
        network, criterion=uae.Contrastive(pairs=PAIRS), similarity="conv", steps=6, dtype="float64"
    )
    assert isinstance(attack.similarity, MINE)
    assert attack.source is not None
    assert attack.source.name == "stem"
    found = attack.generate(x, verbose=0)
    assert found.success.any()
    judged = uae.Contrastive(network, pairs=PAIRS)(x, found.x).numpy()
    np.testing.assert_allclose(judged[found.success], found.criterion[found.success], atol=1e-9)
    assert (judged[found.success] <= 0).all()
    for variable, value in zip(network.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_batches_are_smaller_by_as_much_as_a_sample_has_views(network):
    few, many = (
        uae.MinMaxAttack(network, criterion=uae.Contrastive(pairs=pairs)) for pairs in (16, 128)
    )
    assert few.auto_batch_size(SHAPE) == 8 * many.auto_batch_size(SHAPE)
    assert many.auto_batch_size(SHAPE) == 64


def test_settings_survive_json():
    augmentation = uae.ViewAugmentation(min_area=0.5, bounds=(0, 255))
    criterion = uae.Contrastive(
        pairs=4, temperature=0.1, augmentation=augmentation, kappa=0.5, seed=3
    )
    revived = keras.saving.deserialize_keras_object(
        json.loads(json.dumps(keras.saving.serialize_keras_object(criterion)))
    )
    assert revived == criterion
    assert repr(revived) == repr(criterion)
    assert hash(revived.augmentation) == hash(augmentation)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda _: uae.nt_xent([[1.0]], [[1.0]], 0), "`temperature` of nt_xent.*temperature=0"),
        (lambda _: uae.Contrastive(pairs=1), "`pairs` of Contrastive.*Received: pairs=1"),
        (lambda _: uae.Contrastive(temperature=0), "`temperature` of Contrastive.*temperature=0"),
        (lambda _: uae.Contrastive(kappa=-1), "`kappa` of Contrastive.*Received: kappa=-1"),
        (lambda _: uae.Contrastive(seed=0.5), "`seed` of Contrastive.*Received: seed=0.5"),
        (lambda _: uae.Contrastive(augmentation="crop"), "`augmentation` of Contrastive.*'crop'"),
        (lambda _: uae.ViewAugmentation(min_area=0), "`min_area` of ViewAug.*min_area=0"),
        (lambda _: uae.ViewAugmentation(max_ratio=0.9), "`max_ratio` of ViewAug.*max_ratio=0.9"),
        (
            lambda _: uae.ViewAugmentation(flip_probability=2),
            "`flip_probability` of ViewAug.*flip_probability=2",
        ),
        (lambda _: uae.ViewAugmentation()(images(2, shape=(4, 4, 2)), 0), r"\(4, 4, 2\)"),
        # also where the samples lie in there: their examples need not
        (lambda attack: attack(images(2), (0, 255)), r"bounds=\(0, 255\)\)\. Received.*\(0, 1\)"),
        (lambda attack: attack(images(2), model=vectors()), r"`x` of .* must have the shape"),
        (lambda attack: attack(images(2), model=maps()), r"must give projections.*\(2, 8, 8, 3\)"),
    ],
)
def test_bad_settings_are_refused(make, message, network):
    def attack(x, bounds=(0, 1), model=network):
        criterion = uae.Contrastive(pairs=2)
        attack = uae.PGDAttack(model, criterion=criterion, bounds=bounds, dtype="float64")
        return attack.generate(x, verbose=0)

    with pytest.raises(ValueError, match=message):
        make(attack)


def vectors():
    return keras.Sequential([keras.Input((4,)), layers.Dense(2)])


def maps():
    return keras.Sequential([keras.Input(SHAPE), layers.Conv2D(3, 1)])
