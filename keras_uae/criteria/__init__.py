"""Attack criteria f_x: z is an adversarial example of x where f_x(z) ≤ 0."""

from typing import Any

from keras_uae.criteria.base import Criterion
from keras_uae.criteria.contrastive import Contrastive, nt_xent
from keras_uae.criteria.function import FunctionCriterion
from keras_uae.criteria.misclassification import Misclassification
from keras_uae.criteria.reconstruction import Reconstruction
from keras_uae.criteria.views import ViewAugmentation

__all__ = [
    "Contrastive",
    "Criterion",
    "FunctionCriterion",
    "Misclassification",
    "Reconstruction",
    "ViewAugmentation",
    "get",
    "nt_xent",
]


def get(owner: str, name: str, value: Any) -> Criterion:
    """The criterion that a setting stands for: `None` is `Reconstruction()`."""
    if value is None:
        return Reconstruction()
    if isinstance(value, Criterion):
        return value
    if not callable(value) or isinstance(value, type):
        raise ValueError(
            f"`{name}` of {owner} must be a Criterion or a callable f(x, z) that gives one value a "
            f"sample. Received: {name}={value!r}."
        )
    return FunctionCriterion(function=value)
