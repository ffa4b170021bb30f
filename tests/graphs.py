"""What the graph of an attack is made of."""

from collections import Counter

import tensorflow as tf

from keras_uae.base import Attack
from tests import tiny_models


def operations(attack: Attack) -> tuple[Counter[str], Counter[str]]:
    """How often each operation occurs in the body of the loop, and outside of all loops.

    The attacked model is one on images of `tiny_models.SHAPE`, with convolutions.
    """
    graph = attack._compiled.get_concrete_function(
        tf.zeros((2, *tiny_models.SHAPE)),
        tf.range(2, dtype=tf.int64),
        tf.constant(0, tf.int64),
        trace=False,
    ).graph.as_graph_def()
    bodies = [
        Counter(node.op for node in function.node_def)
        for function in graph.library.function
        if "while_body" in function.signature.name
    ]
    (inside,) = [body for body in bodies if body["Conv2D"]]
    return inside, Counter(node.op for node in graph.node)
