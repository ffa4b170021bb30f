"""The supervised criterion, and what changes where an attack is given labels."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_uae as uae
from keras_uae.results import UAEs
from tests import tiny_models

COUNT, DIMENSION, CLASSES = 6, 5, 4
Y = np.array([0, 3, 1, 2, 2, 0])


@pytest.fixture
def linear():
    model = keras.Sequential(
        [keras.Input((DIMENSION,), dtype="float64"), keras.layers.Dense(CLASSES, dtype="float64")]
    )
    rng = np.random.default_rng(0)
    model.set_weights([rng.normal(size=(DIMENSION, CLASSES)), rng.normal(size=CLASSES)])
    return model


@pytest.fixture
def pairs():
    return np.random.default_rng(1).uniform(size=(2, COUNT, DIMENSION))


@pytest.fixture(scope="module")
def classifier():
    keras.utils.set_random_seed(1)
    inputs = keras.Input(tiny_models.SHAPE)
    maps = keras.layers.Conv2D(tiny_models.MAPS, 3, activation="tanh")(inputs)
    outputs = keras.layers.Dense(CLASSES)(keras.layers.Flatten()(maps))
    return keras.Model(inputs, outputs, name="classifier")


def logits(model, z):
    matrix, bias = model.get_weights()
    return z @ matrix + bias


@pytest.mark.parametrize("kappa", [0, 0.7])
@pytest.mark.parametrize("targeted", [False, True])
def test_margin_by_hand(linear, pairs, targeted, kappa):
    x, z = pairs
    expected = []
    for row, label in zip(logits(linear, z), Y, strict=True):
        others = max(np.delete(row, label))
        margin = others - row[label] if targeted else row[label] - others
        expected.append(margin + kappa)
    criterion = uae.Misclassification(linear, targeted=targeted, kappa=kappa)
    np.testing.assert_allclose(criterion(x, z, Y), expected, rtol=1e-12)


def test_without_labels_the_class_of_x_is_left(linear, pairs):
    x, z = pairs
    criterion = uae.Misclassification(linear)
    classes = logits(linear, x).argmax(axis=1)
    np.testing.assert_array_equal(criterion(x, z), criterion(x, z, classes))
    assert (criterion(x, x).numpy() >= 0).all()


def test_the_gradient_is_that_of_two_logits(linear, pairs):
    x, z = (tf.constant(each) for each in pairs)
    with tf.GradientTape() as tape:
        tape.watch(z)
        value = uae.Misclassification(linear)(x, z, Y)
    matrix = linear.get_weights()[0]
    values = logits(linear, pairs[1])
    values[np.arange(COUNT), Y] = -np.inf
    expected = (matrix[:, Y] - matrix[:, values.argmax(axis=1)]).T
    np.testing.assert_allclose(tape.gradient(value, z), expected, rtol=1e-12)


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_logits_of_any_size(scale):
    model = keras.Sequential([keras.Input((CLASSES,)), keras.layers.Rescaling(scale)])
    z = np.random.default_rng(0).normal(size=(COUNT, CLASSES)).astype("float32")
    value = uae.Misclassification(model)(z, z, Y).numpy()
    others = np.where(np.eye(CLASSES, dtype=bool)[Y], -np.inf, z).max(axis=1)
    np.testing.assert_allclose(value / scale, z[np.arange(COUNT), Y] - others, rtol=1e-5)


def test_half_precision_logits():
    model = keras.Sequential([keras.Input((CLASSES,)), keras.layers.Activation("linear")])
    half = keras.Sequential(
        [keras.Input((CLASSES,)), keras.layers.Activation("linear", dtype="mixed_float16")]
    )
    z = np.float16(np.random.default_rng(0).normal(size=(COUNT, CLASSES))).astype("float32")
    expected = uae.Misclassification(model)(z, z, Y)
    np.testing.assert_array_equal(uae.Misclassification(half)(z, z, Y), expected)


@pytest.mark.parametrize("targeted", [False, True])
def test_a_tie_gives_no_other_class(targeted):
    model = keras.Sequential([keras.Input((CLASSES,)), keras.layers.Activation("linear")])
    z = np.ones((1, CLASSES), "float32")
    value = uae.Misclassification(model, targeted=targeted)(z, z, [1])
    assert 0 < value < 1e-5


@pytest.mark.parametrize("name", ["generate", "call", "criterion"])
def test_labels_in_a_column_are_those_in_a_row(classifier, name):
    x = tiny_models.images(12)
    y = classifier(x).numpy().argmax(axis=1)
    attack = ATTACKS["pgd"](classifier)
    run = {
        "generate": lambda y: attack.generate(x, y, verbose=0).x,
        "call": lambda y: attack(x, y=y),
        "criterion": lambda y: uae.Misclassification(classifier)(x, x, y),
    }[name]
    np.testing.assert_array_equal(run(y[:, None]), run(y))


def test_no_example_leaves_a_class_that_there_is_not(classifier):
    x = tiny_models.images(12)
    y = np.full(12, 100)
    with pytest.raises(ValueError, match=r"must be in \[0, \d\].*from 100 to 100"):
        uae.Misclassification(classifier)(x, x, y)
    np.testing.assert_array_equal(ATTACKS["pgd"](classifier)(x, y=y), x)


ATTACKS = {
    "pgd": lambda model, **settings: uae.PGDAttack(
        model, criterion=uae.Misclassification(**settings), steps=8, epsilon=0.5
    ),
    "minmax": lambda model, **settings: uae.MinMaxAttack(
        model, criterion=uae.Misclassification(**settings), objective="maximize", steps=8,
        step_size=0.1, epsilon=0.5,
    ),
}  # fmt: skip


def margin(model, z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Greatest other logit minus that of y."""
    values = model(z).numpy()
    own = values[np.arange(len(z)), y]
    values[np.arange(len(z)), y] = -np.inf
    return values.max(axis=1) - own


@pytest.mark.parametrize("name", ATTACKS)
def test_examples_leave_their_class(classifier, name):
    x = tiny_models.images(20)
    y = classifier(x).numpy().argmax(axis=1)
    found = ATTACKS[name](classifier).generate(x, y, verbose=0)
    assert found.success.mean() > 0.5
    assert (margin(classifier, found.x, y)[found.success] >= 0).all()
    np.testing.assert_array_equal(found.x[~found.success], x[~found.success])
    assert np.abs(found.x - x).max() <= 0.5 + 1e-6
    # the class that the model gives is the label here, so none is needed
    assert_same(found, ATTACKS[name](classifier).generate(x, verbose=0))


@pytest.mark.parametrize("name", ATTACKS)
def test_examples_reach_their_target(classifier, name):
    x = tiny_models.images(20)
    y = (classifier(x).numpy().argmax(axis=1) + 1) % CLASSES
    found = ATTACKS[name](classifier, targeted=True).generate(x, y, verbose=0)
    assert found.success.any()
    assert (margin(classifier, found.x, y)[found.success] <= 0).all()


@pytest.mark.parametrize("name", ATTACKS)
def test_labels_stay_with_their_samples(classifier, name):
    x, y = tiny_models.images(7), np.arange(7) % CLASSES
    attack = ATTACKS[name](classifier)
    whole = attack.generate(x, y, batch_size=7, verbose=0)
    in_batches = attack.generate(x, y, batch_size=3, verbose=0)
    np.testing.assert_array_equal(whole.success, in_batches.success)
    np.testing.assert_allclose(whole.x, in_batches.x, atol=1e-4)
    np.testing.assert_allclose(attack(x, y=y), whole.x, atol=1e-4)
    backwards = attack.generate(x[::-1], y[::-1], index=np.arange(7)[::-1], verbose=0)
    np.testing.assert_allclose(backwards.x[::-1], whole.x, atol=1e-4)
    other = attack.generate(x, (y + 1) % CLASSES, batch_size=7, verbose=0)
    assert (other.x != whole.x).any()


def test_a_mutual_information_that_is_maximised_ends_higher(classifier):
    x = tiny_models.images(12)
    y = classifier(x).numpy().argmax(axis=1)
    attacks = {
        objective: uae.MinMaxAttack(
            classifier,
            criterion=uae.Misclassification(),
            similarity="gaussian",
            objective=objective,
            steps=30,
            step_size=0.05,
            initial_multiplier=3.0,
        )
        for objective in ("minimize", "maximize")
    }
    found = {name: attack.generate(x, y, verbose=0) for name, attack in attacks.items()}
    both = found["minimize"].success & found["maximize"].success
    assert both.sum() >= 6
    assert (found["maximize"].similarity > found["minimize"].similarity)[both].all()


def test_an_attack_with_labels_is_saved_with_its_criterion(classifier):
    x, y = tiny_models.images(5), np.arange(5) % CLASSES
    attack = ATTACKS["pgd"](classifier, targeted=True, kappa=0.1)
    copy = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(attack))
    copy.model.set_weights(classifier.get_weights())
    assert copy.criterion == attack.criterion
    assert_same(copy.generate(x, y, verbose=0), attack.generate(x, y, verbose=0))


BAD_LABELS = {
    "too many": (np.arange(COUNT + 1) % CLASSES, r"shape \(6,\).*shape \(7,\)"),
    "one-hot": (np.eye(CLASSES)[Y], r"shape \(6,\).*shape \(6, 4\)"),
    "not whole": (Y + 0.5, r"one integer a sample.*dtype float64"),
    "negative": (Y - 1, r"in \[0, 3\].*from -1 to 2"),
    "too great": (Y + 1, r"in \[0, 3\].*from 1 to 4"),
    "one for all": (3, r"shape \(6,\).*shape \(\)"),
    "none": ([], r"shape \(6,\).*shape \(0,\)"),
    "objects": (np.array([None] * COUNT), r"shape \(6,\).*dtype object"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_cannot_be(classifier, case):
    y, message = BAD_LABELS[case]
    with pytest.raises(ValueError, match=r"`y` of PGDAttack.generate must.*" + message):
        ATTACKS["pgd"](classifier).generate(tiny_models.images(COUNT), y, verbose=0)


def test_a_target_is_needed_and_a_reconstruction_takes_none(classifier):
    x = tiny_models.images(COUNT)
    with pytest.raises(ValueError, match=r"`y` of PGDAttack.generate must.*Received: y=None"):
        ATTACKS["pgd"](classifier, targeted=True).generate(x, verbose=0)
    with pytest.raises(ValueError, match=r"`y` of Misclassification must.*Received: y=None"):
        ATTACKS["pgd"](classifier, targeted=True)(x)
    with pytest.raises(ValueError, match=r"`y` of PGDAttack.generate.*Reconstruction uses no"):
        uae.PGDAttack(tiny_models.dense()).generate(x, Y, verbose=0)


def test_a_model_that_is_no_classifier(classifier):
    x = tiny_models.images(COUNT)
    attack = uae.PGDAttack(tiny_models.dense(), criterion=uae.Misclassification())
    with pytest.raises(ValueError, match=r"must be a classifier.*shape \(2, 6, 6, 1\)"):
        attack.generate(x, verbose=0)
    with pytest.raises(ValueError, match=r"`kappa` of Misclassification"):
        uae.Misclassification(classifier, kappa=-1)
    with pytest.raises(ValueError, match=r"`targeted` of Misclassification"):
        uae.Misclassification(classifier, targeted=1)
    with pytest.raises(ValueError, match=r"`model` of Misclassification.*Received: model=None"):
        uae.Misclassification()(x, x, Y)


def assert_same(a: UAEs, b: UAEs) -> None:
    for name in ("x", "success", "criterion", "similarity", "iteration"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)
