"""What the graph of an attack is made of."""

from collections import Counter
from typing import Any

import tensorflow as tf

from keras_uae.attacks.base import Attack
from tests import tiny_models


def operations(attack: Attack) -> tuple[Counter[str], Counter[str]]:
    """How often each operation occurs in an iteration of the loop, and outside of all loops.

    The attacked model is one on images of `tiny_models.SHAPE`, with convolutions.
    """
    graph = attack._compiled.get_concrete_function(
        tf.zeros((2, *tiny_models.SHAPE)),
        tf.range(2, dtype=tf.int64),
        tf.constant(0, tf.int64),
        trace=False,
    ).graph.as_graph_def()
    functions = {each.signature.name: each for each in graph.library.function}
    bodies = [each for name, each in functions.items() if "while_body" in name]
    calls = [node for body in bodies for node in body.node_def if "PartitionedCall" in node.op]
    called = [functions[call.attr["f"].func.name] for call in calls]
    (iteration,) = [each for each in called if "iterate" in each.signature.name]
    # inlined, it would be part of a cycle: see `loop.repeat`
    assert iteration.attr["_noinline"].b
    return (
        Counter(node.op for node in iteration.node_def),
        Counter(node.op for node in graph.node),
    )


def all_operations(function: Any) -> Counter[str]:
    """How often each operation occurs in a concrete function and all that it calls."""
    graph = function.graph.as_graph_def()
    found = Counter(node.op for node in graph.node)
    for each in graph.library.function:
        found.update(node.op for node in each.node_def)
    return found
