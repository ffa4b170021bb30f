"""Projected gradient descent of other libraries, on the model and with the settings of ours.

Both know classifiers only and ascend on a loss: the clean samples stand where they expect labels,
and the loss is minus the squared error of the reconstruction. Both loop in Python, and compute the
gradients of the weights only to throw them away. So they are timed twice: with the Keras model as
it is, and with the best that can be done for them without touching their code, one graph with the
weights as constants.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

# How far the loss that an attack gains may be from what ours gains: the starts are other draws
TOLERANCE = 0.05


@dataclass(frozen=True)
class Task:
    """What all are asked to do: L∞ attack `model` at `x`, from a random start in the ball."""

    model: keras.Model
    x: np.ndarray
    epsilon: float
    step_size: float
    steps: int

    def loss(self, z: np.ndarray) -> float:
        """Mean squared error of x and what the model makes of z."""
        return float(np.mean((self.model.predict_on_batch(z) - self.x) ** 2))

    def as_is(self) -> Callable[..., tf.Tensor]:
        """The Keras model, its output flattened."""

        return lambda x, training=False: _rows(self.model(x, training=training))

    def frozen(self) -> Callable[..., tf.Tensor]:
        """The model as one graph with its weights as constants, its output flattened."""
        parts = (self.model.trainable_variables, self.model.non_trainable_variables)
        weights = [[variable.numpy() for variable in part] for part in parts]

        def forward(x: tf.Tensor, training: bool = False) -> tf.Tensor:
            constants = ([tf.constant(value) for value in part] for part in weights)
            output, _ = self.model.stateless_call(*constants, x, training=training)
            return _rows(output)

        return tf.function(forward, autograph=False)


def _rows(output: tf.Tensor) -> tf.Tensor:
    return tf.reshape(output, [tf.shape(output)[0], -1])


FORMS: dict[str, Callable[[Task], Callable[..., tf.Tensor]]] = {
    "Keras model": Task.as_is,
    "frozen graph": Task.frozen,
}


class Peer(NamedTuple):
    """An attack of another library: `run` does all of the task, from NumPy to NumPy arrays."""

    package: str  # name and version, and the form of the model
    run: Callable[[], np.ndarray]
    gradients: list[None]  # an entry for each that it has asked for


def art(task: Task, model: Callable[..., tf.Tensor]) -> Peer:
    """The adversarial robustness toolbox.

    Its TensorFlow form keeps tensors from step to step; the general one converts each step to
    NumPy. Unasked, it evaluates the model twice more after the loop to log the success.
    """
    evasion = importlib.import_module("art.attacks.evasion")
    classification = importlib.import_module("art.estimators.classification")
    gradients: list[None] = []

    class Counting(classification.TensorFlowV2Classifier):  # type: ignore[name-defined]
        def loss_gradient(self, *args: Any, **kwargs: Any) -> Any:
            gradients.append(None)
            return super().loss_gradient(*args, **kwargs)

    clean = task.x.reshape(len(task.x), -1)
    estimator = Counting(
        model,
        nb_classes=clean.shape[1],
        input_shape=task.x.shape[1:],
        loss_object=lambda clean, output: -tf.reduce_sum((clean - output) ** 2),
        clip_values=(0.0, 1.0),
    )
    attack = evasion.ProjectedGradientDescent(
        estimator,
        norm=np.inf,
        eps=task.epsilon,
        eps_step=task.step_size,
        max_iter=task.steps,
        num_random_init=1,
        batch_size=len(task.x),
        verbose=False,
    )
    package = f"ART {version('adversarial-robustness-toolbox')}"
    return Peer(package, lambda: attack.generate(task.x, clean), gradients)


def foolbox(task: Task, model: Callable[..., tf.Tensor]) -> Peer:
    """Foolbox, by `run`: calling the attack would also clip again and evaluate its success."""
    fb = importlib.import_module("foolbox")
    gradients: list[None] = []

    class Reconstruction(fb.attacks.LinfProjectedGradientDescentAttack):  # type: ignore[name-defined]
        def get_loss_fn(self, model: Any, labels: Any) -> Callable[[Any], Any]:
            return lambda inputs: -(labels - model(inputs)).square().sum()

        def value_and_grad(self, *args: Any, **kwargs: Any) -> Any:
            gradients.append(None)
            return super().value_and_grad(*args, **kwargs)

    # named here, or foolbox asks a deprecated function of TensorFlow for it
    device = "/GPU:0" if tf.config.list_physical_devices("GPU") else "/CPU:0"
    wrapped = fb.TensorFlowModel(model, bounds=(0, 1), device=device)
    attack = Reconstruction(abs_stepsize=task.step_size, steps=task.steps, random_start=True)

    def run() -> np.ndarray:
        x = tf.constant(task.x)
        clean = fb.Misclassification(tf.reshape(x, [len(task.x), -1]))
        return attack.run(wrapped, x, clean, epsilon=task.epsilon).numpy()

    return Peer(f"foolbox {version('foolbox')}", run, gradients)


PEERS: dict[str, Callable[[Task, Callable[..., tf.Tensor]], Peer]] = {
    "ART": art,
    "foolbox": foolbox,
}


def prepare(task: Task, ours: np.ndarray) -> tuple[list[Peer], list[dict[str, Any]], list[str]]:
    """The peers that do the task as we do, the figures of the check, and why others are left out.

    `ours` is what our own attack makes of x in as many steps.
    """
    peers, checks, skipped = [], [], []
    for name, make in PEERS.items():
        try:
            for form, give in FORMS.items():
                peer = make(task, give(task))
                peer = peer._replace(package=f"{peer.package}, {form}")
                checks.append({"name": peer.package, **check(task, peer, ours)})
                peers.append(peer)
        except Exception as error:  # whatever another library does, ours is still timed
            skipped.append(f"{name} skipped: {error or type(error).__name__}")
    return peers, checks, skipped


def check(task: Task, peer: Peer, ours: np.ndarray) -> dict[str, Any]:
    """What the peer did in one run.

    A `ValueError` says that it was not T steps inside the ball and the bounds, or that it did not
    change the loss as ours did.
    """
    before = len(peer.gradients)
    z = peer.run()
    figures: dict[str, Any] = {
        "steps": len(peer.gradients) - before,
        "largest_change": float(np.abs(z - task.x).max()),
        "loss_clean": task.loss(task.x),
        "loss_ours": task.loss(ours),
        "loss": task.loss(z),
    }
    gained = figures["loss"] - figures["loss_clean"]
    expected = figures["loss_ours"] - figures["loss_clean"]
    if figures["steps"] != task.steps:
        raise ValueError(f"{figures['steps']} steps instead of {task.steps}")
    rounding = 1e-5
    if figures["largest_change"] > task.epsilon + rounding or not 0 <= z.min() <= z.max() <= 1:
        raise ValueError(f"outside of the ball, largest change {figures['largest_change']:.4f}")
    if abs(gained - expected) > TOLERANCE * abs(expected):
        raise ValueError(f"changed the loss by {gained:+.5f}, ours by {expected:+.5f}")
    return figures
