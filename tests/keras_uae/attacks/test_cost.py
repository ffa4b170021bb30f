"""What an attack costs, counted and not timed: passes of the model, graphs, tensors kept."""

import gc
from collections import Counter

import keras
import pytest
import tensorflow as tf

from keras_uae import MinMaxAttack, PGDAttack
from keras_uae.similarity import MINE, BivariateSampling, RandomSampling
from tests import tiny_models
from tests.graphs import all_operations, operations

STEPS = 6
SMALL = {"samples": 6, "dimension": 3}
ATTACKS = {
    "pgd": lambda model: PGDAttack(model, steps=STEPS),
    "mine_conv": lambda model: MinMaxAttack(model, steps=STEPS, similarity="conv"),
    "mine_random": lambda model: MinMaxAttack(
        model, steps=STEPS, similarity=MINE(features=RandomSampling(**SMALL), steps=3)
    ),
    "mine_bivariate": lambda model: MinMaxAttack(
        model, steps=STEPS, similarity=MINE(features=BivariateSampling(**SMALL), steps=3)
    ),
    "gaussian": lambda model: MinMaxAttack(model, steps=STEPS, similarity="gaussian"),
    "l2_uae": lambda model: MinMaxAttack.from_preset("l2_uae", model, steps=STEPS),
}


class Counted(keras.layers.Layer):
    """The identity; counts how often it really runs, forwards and backwards."""

    def __init__(self):
        super().__init__()
        self.passes = {name: tf.Variable(0) for name in ("forward", "backward")}

    def call(self, x):
        @tf.custom_gradient
        def identity(x):
            def gradient(upstream):
                self.passes["backward"].assign_add(1)
                return tf.identity(upstream)

            return tf.identity(x), gradient

        self.passes["forward"].assign_add(1)
        return identity(x)


@pytest.mark.parametrize("name", ATTACKS)
def test_t_iterations_are_t_forward_and_t_backward_passes(name):
    inputs = keras.Input(tiny_models.SHAPE)
    counted = Counted()
    model = keras.Model(inputs, tiny_models.convolutional()(counted(inputs)))
    attack = ATTACKS[name](model)
    x = tiny_models.images(4)
    attack.generate(x, verbose=0)
    for variable in counted.passes.values():
        variable.assign(0)
    attack.generate(x, verbose=0)  # does not look at the model once more
    # and a forward pass of x itself, which f_x is measured from, and of δ_T, which moves no
    # further; two examples and their x once more, since one layer is none of Keras'
    passes = {key: int(variable) for key, variable in counted.passes.items()}
    assert passes == {"forward": STEPS + 2 + 2, "backward": STEPS}


def test_a_first_look_is_eight_passes_of_two_samples():
    """Whether f draws noise or mixes samples need not be seen of the library's own criteria."""
    counted = Counted()
    model = keras.Sequential([keras.Input(tiny_models.SHAPE), counted])
    PGDAttack(model).check_model_takes(tiny_models.images(4), "a test")
    assert int(counted.passes["forward"]) == 8


def test_samples_of_another_shape_are_looked_at():
    inputs = keras.Input((None, None, 1))
    outputs = keras.layers.Conv2D(1, 3, padding="same", strides=2)(inputs)
    attack = PGDAttack(keras.Model(inputs, keras.layers.UpSampling2D()(outputs)), steps=STEPS)
    for _ in range(2):  # the last one, and one of before
        attack.generate(tiny_models.images(2)[:, :4, :4], verbose=0)
        with pytest.raises(ValueError, match=r"give back the shape.*\(3, 4, "):
            attack.generate(tiny_models.images(2)[:, :3, :4], verbose=0)


@pytest.mark.parametrize("name", ATTACKS)
def test_nothing_of_a_pass_is_computed_twice(name):
    inside, outside = operations(ATTACKS[name](tiny_models.convolutional()))
    # two convolutions: the estimator reads the first one's output, and calls nothing again
    assert (inside["Conv2D"], inside["Conv2DBackpropInput"]) == (2, 2)
    # of x and of δ_T
    assert (outside["Conv2D"], outside["Conv2DBackpropInput"]) == (4, 0)


@pytest.mark.parametrize("name", ATTACKS)
def test_the_loop_keeps_nothing_for_a_gradient_that_nobody_asks_for(name):
    """A tape around a loop makes it pile up the intermediates of all iterations."""
    attack = ATTACKS[name](tiny_models.convolutional())
    scale = tf.Variable(1.0)

    @tf.function
    def step(x):
        with tf.GradientTape() as tape:
            loss = tf.reduce_sum(attack(scale * x))
        return tape.gradient(loss, scale, unconnected_gradients=tf.UnconnectedGradients.ZERO)

    found = all_operations(step.get_concrete_function(tf.zeros((2, *tiny_models.SHAPE))))
    assert found["While"] + found["StatelessWhile"] > 0
    # map_fn, which draws δ₀, collects its results in a list; nothing else does
    assert found["TensorListPushBack"] == 0
    assert found["Conv2DBackpropInput"] == 2


@pytest.fixture(autouse=True, scope="module")
def _count_what_is_new():
    """What is there before these tests is not looked through, again and again."""
    gc.collect()
    gc.freeze()


def objects_alive(*kinds):
    """How many objects of which type there are, of those that are one of `kinds`."""
    gc.collect()
    found = Counter(map(type, gc.get_objects()))  # not one by one, of which there are millions
    return {each: count for each, count in found.items() if issubclass(each, kinds)}


@pytest.mark.parametrize("name", ATTACKS)
def test_calls_leave_no_graph_and_no_tensor_behind(name):
    attack = ATTACKS[name](tiny_models.convolutional())
    x = tiny_models.images(6)
    alive = []
    for _ in range(4):
        attack.generate(x, batch_size=4, verbose=0)
        alive.append(objects_alive(tf.Tensor, tf.Graph))
    assert alive[1] == alive[2] == alive[3]
    assert attack._compiled.experimental_get_tracing_count() == 1


# all that have gradients by hand, and one that has none
@pytest.mark.parametrize("name", ["mine_conv", "mine_random", "gaussian", "pgd"])
def test_an_attack_that_is_dropped_leaves_no_graph_behind(name):
    x = tf.constant(tiny_models.images(2))
    arguments = x, tf.range(2, dtype=tf.int64), tf.constant(0, tf.int64)

    def alive():
        """Graphs of functions, after an attack that was traced and dropped."""
        attack = ATTACKS[name](tiny_models.convolutional())
        attack._compiled.get_concrete_function(*arguments, trace=False)
        del attack
        return objects_alive(tf.Graph)

    alive()  # what TensorFlow and the similarity keep for these shapes
    assert alive() == alive()
