"""augment_in_rounds: UAEs of the model that was trained on UAEs (supplement 6.15)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import keras

from keras_uae._checks import check_integer
from keras_uae.attacks.base import Attack
from keras_uae.augmentation.dataset import UAEAugmentation
from keras_uae.augmentation.refresh import derived_seed, labels_of
from keras_uae.results import UAEs


@dataclass(frozen=True, eq=False)
class Round:
    """A model of `augment_in_rounds` and the UAEs it was trained on.

    Attributes:
        number: Integer, 0 for the model trained on the originals alone.
        model: The trained model.
        found: Tuple of `number` sets of UAEs; set i was made against the model of round i.

    Example:

        >>> step = uae.Round(number=0, model=model, found=())
        >>> step.model.evaluate(x_test, x_test)
    """

    number: int
    model: keras.Model
    found: tuple[UAEs, ...]


def augment_in_rounds(
    build: Callable[[], keras.Model],
    fit: Callable[[keras.Model, UAEAugmentation], Any],
    make_attack: Callable[[keras.Model], Attack],
    x: Any,
    *,
    rounds: int = 2,
    seed: int = 0,
    verbose: int | str = 0,
    **settings: Any,
) -> Iterator[Round]:
    """Augment again and again: each round trains a new model on the UAEs of all models before it.

    Args:
        build: Function without arguments that returns a new, compiled model.
        fit: Function of a model and a `UAEAugmentation` that trains the one on the other.
        make_attack: Function of a trained model that returns an attack against it.
        x: The originals, as of `UAEAugmentation`. A data set is read once.
        rounds: Integer, how many times UAEs are made. Defaults to `2`.
        seed: Integer ≥ 0 of the orders, and of the attacks' seeds. Defaults to `0`.
        verbose: Passed on to the attacks. Defaults to `0`.
        **settings: Passed on to `UAEAugmentation`: `batch_size`, `target`, `y`, ... An attack whose
            criterion takes labels gets `y`.

    Returns:
        Iterator over `rounds` + 1 `Round`s, each computed when it is asked for.

    Raises:
        ValueError: A setting is not as above; raised by the call itself, before any training.

    Example:
        >>> def fit(model, data):
        ...     model.fit(data, epochs=30, shuffle=False)
        >>> for step in augment_in_rounds(build, fit, MinMaxAttack, x_train):
        ...     print(step.number, step.model.evaluate(x_test, x_test))

    Reference:
        Hsu et al., AAAI 2022, supplement 6.15.
    """
    rounds = check_integer("augment_in_rounds", "rounds", rounds, 1)
    originals = UAEAugmentation(x, [], seed=seed, **settings)  # for its checks, too
    x = originals.x
    settings |= {"y": originals.y, "sample_weight": originals.sample_weight}

    def iterate() -> Iterator[Round]:
        found: tuple[UAEs, ...] = ()
        for number in range(rounds + 1):
            model = build()
            fit(model, UAEAugmentation(x, found, seed=seed, **settings))
            yield Round(number, model, found)
            if number < rounds:
                attack = make_attack(model)
                round_seed = derived_seed(seed, number)
                labels = labels_of(originals, attack, "augment_in_rounds")
                found += (attack.generate(x, seed=round_seed, verbose=verbose, **labels),)

    return iterate()
