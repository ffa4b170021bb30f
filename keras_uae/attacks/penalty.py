"""PenaltyAttack: the attack with a fixed weight c, found by binary search (Algorithm 3)."""

from collections.abc import Callable
from typing import Annotated, Any

import keras

from keras_uae._checks import Integer, Number, Seed
from keras_uae._settings import register
from keras_uae.attacks.base import AnyCriterion, Attacked, Epsilon, Steps
from keras_uae.attacks.data_space import Bounds, Frozen, Units
from keras_uae.attacks.minmax import minmax
from keras_uae.attacks.multiplier import LOWER, UPPER, Bisection
from keras_uae.attacks.similarity_attack import (
    InitialRadius,
    Objective,
    SimilarityAttack,
    StepRule,
    StepSize,
)


@register
class PenaltyAttack(SimilarityAttack):
    """Finds examples as `MinMaxAttack` does, but with c held fixed and searched for (Algorithm 3).

    For every sample of its own it solves, by projected gradient descent for one c after the other,

        min over δ of  c·f_x⁺(x + δ) + I(x, x + δ)
        with |δ| ≤ ε and x + δ inside the data space

    and returns the best iterate of all. Each c is ten times the one before until there is an
    example, and then bisects between the last c that gave one and the last that did not. B searches
    of T iterations take B·(T + 1) passes of the model. As in the program of
    Carlini and Wagner, from which the paper takes the search, δ starts anew with every c, and only
    what this c has found decides on the next. (In Algorithm 3 as printed, an example found with any
    c does, so that c would fall to its lower bound after the first one.)

    Args:
        search_steps: Integer B ≥ 1, values of c. Defaults to `9`.
        steps: Integer T ≥ 1, iterations for each of them. Defaults to `1000`.
        initial_multiplier: Float in [1e-3, 1e9], the first c. Defaults to `1e-3`.
        model, criterion, similarity, objective: As of `MinMaxAttack`.
        step_size, epsilon, initial_radius, seed: As of `MinMaxAttack`.
        step_rule: As of `MinMaxAttack`, for each c anew. Defaults to `"max"`.
        bounds, units, frozen_features, attacked: As of `MinMaxAttack`.

    Call arguments and results are those of `MinMaxAttack`; `iteration` counts through all searches,
    `multiplier` is the c that would come next.

    Example:

        >>> attack = uae.PenaltyAttack(
        ...     classifier, criterion=uae.Misclassification(), objective="maximize", steps=100
        ... )
        >>> found = attack.generate(x_test, y_test)

    Reference:
        [Hsu et al., 2022](https://arxiv.org/abs/2103.01895), Algorithm 3.
    """

    search_steps: int

    def __init__(
        self,
        model: keras.Model | Callable[..., Any],
        *,
        criterion: AnyCriterion = None,
        similarity: Any = "auto",
        objective: Objective = "minimize",
        step_size: StepSize = 0.01,
        epsilon: Epsilon = 1.0,
        steps: Steps = 1000,
        search_steps: Annotated[int, Integer(1)] = 9,
        bounds: Bounds = (0.0, 1.0),
        units: Units = "range",
        frozen_features: Frozen = None,
        attacked: Attacked = None,
        initial_radius: InitialRadius = 0.2,
        initial_multiplier: Annotated[float, Number(LOWER, UPPER)] = LOWER,
        step_rule: StepRule = "max",
        seed: Seed = 0,
        **kwargs: Any,
    ):
        super().__init__(model, locals(), **kwargs)

    run = minmax

    @property
    def iterations(self) -> int:
        return (self.steps + 1) * self.search_steps - 1

    @property
    def multiplier_rule(self) -> Bisection:
        return Bisection(self.steps, self.initial_multiplier)
