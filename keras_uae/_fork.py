"""A process that was forked from one in which TensorFlow works: it would wait for ever."""

import os

try:
    from tensorflow.python.eager.context import context_safe
except ImportError:  # it moved; then nobody is warned

    def context_safe() -> None:
        return None


class _Fork:
    after_use = False

    def before(self) -> None:
        self.after_use = self.after_use or bool(getattr(context_safe(), "_initialized", False))


_fork = _Fork()
_child = _Fork()


def _note() -> None:
    _child.after_use = _fork.after_use


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_fork.before, after_in_child=_note)


def check_not_forked(owner: str) -> None:
    """Raise RuntimeError in a process whose parent had used TensorFlow before the fork."""
    if _child.after_use:
        raise RuntimeError(
            f"{owner} cannot run in a process that was forked after TensorFlow had begun to work: "
            f"its threads are not there, and it would wait for ever. Start the process anew, with "
            f'multiprocessing.get_context("spawn") for example.'
        )
