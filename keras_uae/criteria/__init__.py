"""Attack criteria f_x: z is an adversarial example of x where f_x(z) ≤ 0."""

import inspect
from collections.abc import Callable
from typing import Any

import keras

from keras_uae._checks import check_choice
from keras_uae.criteria.base import Criterion
from keras_uae.criteria.contrastive import Contrastive, nt_xent
from keras_uae.criteria.function import FunctionCriterion
from keras_uae.criteria.misclassification import Misclassification
from keras_uae.criteria.reconstruction import Reconstruction
from keras_uae.criteria.self_reconstruction import SelfReconstruction
from keras_uae.criteria.views import ViewAugmentation

__all__ = [
    "CRITERIA",
    "Contrastive",
    "Criterion",
    "FunctionCriterion",
    "Misclassification",
    "Reconstruction",
    "SelfReconstruction",
    "ViewAugmentation",
    "get",
    "nt_xent",
]

CRITERIA: dict[str, Callable[[], Criterion]] = {
    "reconstruction": Reconstruction,
    "self_reconstruction": SelfReconstruction,
    "misclassification": Misclassification,
    "targeted_misclassification": lambda: Misclassification(targeted=True),
    "contrastive": Contrastive,
}
"""Criteria by name, with their defaults. A name added here is known everywhere at once."""


def get(criterion: Any, model: keras.Model | None = None) -> Criterion:
    """The criterion that a name, a callable or `None` stands for, bound to `model` if there is one.

    Args:
        criterion: A `Criterion`; a name of `CRITERIA`; a callable f(x, z) that gives one value a
            sample; or `None`, "reconstruction".
        model: The model to judge. Defaults to `None`: the criterion's own, or that of the attack.

    Example:

        >>> from keras_uae import criteria
        >>> criteria.get("reconstruction", autoencoder)(x, found.x)  # one value a sample
    """
    found = check_criterion("criteria.get", "criterion", criterion)
    return found if model is None else found.bind(model)


def check_criterion(owner: str, name: str, value: Any) -> Criterion:
    """The criterion that a setting stands for."""
    if value is None:
        value = "reconstruction"
    if isinstance(value, str):
        return CRITERIA[check_choice(owner, name, value, CRITERIA)]()
    if isinstance(value, Criterion):
        return value
    if not callable(value) or isinstance(value, type) or not _takes_two(value):
        raise ValueError(
            f"`{name}` of {owner} must be a Criterion, a name of one, or a callable f(x, z) that "
            f"gives one value a sample. Received: {name}={value!r}."
        )
    return FunctionCriterion(function=value)


def _takes_two(function: Callable[..., Any]) -> bool:
    """Whether a function can be called on two arguments, as far as it tells."""
    try:
        inspect.signature(function).bind(None, None)
    except TypeError:
        return False
    except ValueError:  # built in
        return True
    return True
