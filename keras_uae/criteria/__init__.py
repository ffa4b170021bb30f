"""Attack criteria f_x: z is an adversarial example of x where f_x(z) ≤ 0."""

from typing import Any

import keras

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


def get(criterion: Any, model: keras.Model, owner: str = "MinMaxAttack") -> Criterion:
    """A criterion bound to `model`: `None` stands for `Reconstruction()`."""
    if criterion is None:
        criterion = Reconstruction()
    if not isinstance(criterion, Criterion):
        if not callable(criterion) or isinstance(criterion, type):
            raise ValueError(
                f"`criterion` of {owner} must be a Criterion or a callable f(x, z) that gives "
                f"one value a sample. Received: criterion={criterion!r}."
            )
        criterion = FunctionCriterion(function=criterion)
    return criterion.bind(model)
