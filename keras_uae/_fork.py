"""A process that was forked from one in which TensorFlow works: it would wait for ever."""

import os
from dataclasses import dataclass

import tensorflow as tf


@dataclass
class _History:
    used: bool = False  # TensorFlow had begun to work when this process last forked
    forked: bool = False  # this process comes of such a fork

    def before_fork(self) -> None:
        threads = tf.config.threading
        count = threads.get_inter_op_parallelism_threads()
        try:
            threads.set_inter_op_parallelism_threads(count + 1)
            threads.set_inter_op_parallelism_threads(count)
            self.used = False
        except RuntimeError:  # it can be set until the work begins, which nothing else tells
            self.used = True

    def in_child(self) -> None:
        self.forked = self.forked or self.used


_history = _History()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_history.before_fork, after_in_child=_history.in_child)


def check_not_forked(owner: str) -> None:
    """Raise RuntimeError in a process whose parent had used TensorFlow before the fork."""
    if _history.forked:
        raise RuntimeError(
            f"{owner} cannot run in a process that was forked after TensorFlow had begun to work: "
            f"its threads are not there, and it would wait for ever. Start the process anew, with "
            f'multiprocessing.get_context("spawn") for example.'
        )
