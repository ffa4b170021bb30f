"""SimCLR on several devices at once: two parts of a CPU, in a process of their own."""

import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import experiments
import numpy as np
import tensorflow as tf

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, 2 * [tf.config.LogicalDeviceConfiguration()])
import keras

import keras_uae as uae
from experiments import contrastive_training as training
from keras import layers
from models.simclr import SimCLR

def model():
    start = keras.initializers.GlorotUniform
    encoder = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3, strides=2,
        kernel_initializer=start(1)), layers.Flatten()])
    head = keras.Sequential([keras.Input((36,)), layers.Dense(6, kernel_initializer=start(2))])
    return SimCLR(encoder, head)

x = np.random.default_rng(0).random((37, 8, 8, 1), dtype=np.float32)
pair = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
training._strategy = lambda: pair
batches, steps = training._batches(uae.UAEAugmentation(x, [], batch_size=12, shuffle=False))
assert steps == 3  # the last image would leave a device without any
with pair.scope():
    shared = model()
    shared.compile(keras.optimizers.SGD(0.1))
shared.fit(batches.take(1), verbose=0)

# each device compares the views of its own six images, and the step is the mean of both
alone = model()
with tf.GradientTape() as tape:
    losses = []
    for part in (x[:6], x[6:12]):
        first, second = tf.split(alone(alone.views(part, 0), training=True), 2)
        losses.append(tf.reduce_mean(uae.nt_xent(first, second)))
    loss = tf.add_n(losses) / 2
keras.optimizers.SGD(0.1).apply(tape.gradient(loss, alone.trainable_weights),
                                alone.trainable_weights)
for ours, theirs in zip(shared.get_weights(), alone.get_weights(), strict=True):
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
"""


@pytest.mark.slow
def test_step_on_two_devices_is_the_mean_of_theirs():
    root = Path(__file__).parents[3]
    subprocess.run([sys.executable, "-c", PROGRAM], cwd=root, check=True, timeout=600)
