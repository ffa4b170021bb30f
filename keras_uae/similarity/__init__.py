"""What the attack minimises or maximises: mutual information, or a plain distance."""

from typing import Any

import keras

from keras_uae._checks import check_choice
from keras_uae.similarity.base import Similarity
from keras_uae.similarity.distances import L2, Cosine, ReconstructionLoss
from keras_uae.similarity.donsker_varadhan import donsker_varadhan
from keras_uae.similarity.features import (
    BivariateSampling,
    Convolution,
    FeatureMap,
    Output,
    Pixels,
    RandomSampling,
    starts_with_convolution,
)
from keras_uae.similarity.gaussian import Gaussian, gaussian_mutual_information
from keras_uae.similarity.mine import MINE
from keras_uae.similarity.transport import FeatureScattering

__all__ = [
    "L2",
    "MINE",
    "BivariateSampling",
    "Convolution",
    "Cosine",
    "FeatureMap",
    "FeatureScattering",
    "Gaussian",
    "Output",
    "Pixels",
    "RandomSampling",
    "ReconstructionLoss",
    "Similarity",
    "donsker_varadhan",
    "gaussian_mutual_information",
    "get",
]

NAMES = (
    "auto",
    "conv",
    "random",
    "bivariate",
    "gaussian",
    "l2",
    "cosine",
    "feature_scattering",
    "reconstruction_loss",
)


def get(similarity: Any, model: keras.Model) -> Similarity:
    """The similarity that a name stands for with this model; an object is returned as it is.

    Args:
        similarity: A `Similarity`, or "auto" ("conv" where the first layer with weights is a
            convolution, otherwise "random": the rule of section 3.1), "conv" and "random" (MINE
            on feature maps or random projections), "bivariate" ("random" by its exact law, faster),
            "gaussian" (the closed form of "random"), "l2", "cosine" and "feature_scattering"
            (Table 13: on feature maps where there are any, otherwise on the input),
            "reconstruction_loss" (L2-UAE).
        model: The attacked model.
    """
    if isinstance(similarity, Similarity):
        return similarity
    check_choice("MinMaxAttack", "similarity", similarity, NAMES)
    convolutional = starts_with_convolution(model)
    maps: FeatureMap = Convolution() if convolutional else Pixels()
    if similarity == "auto":
        similarity = "conv" if convolutional else "random"
    return {
        "conv": MINE(features=Convolution()),
        "random": MINE(features=RandomSampling()),
        "bivariate": MINE(features=BivariateSampling()),
        "gaussian": Gaussian(),
        "l2": L2(features=maps),
        "cosine": Cosine(features=maps),
        "feature_scattering": FeatureScattering(features=maps),
        "reconstruction_loss": ReconstructionLoss(),
    }[similarity]
