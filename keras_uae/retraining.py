"""UAEs that follow the model: refreshed while it trains, or made again round after round."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import keras
import numpy as np

from keras_uae.augmentation import UAEAugmentation
from keras_uae.checks import check_integer
from keras_uae.results import UAEs


class Attack(Protocol):
    """Anything that finds UAEs of samples against the model it holds, like `MinMaxAttack`."""

    def generate(self, x: Any, *, seed: Any, verbose: Any) -> UAEs:
        """One example for every row of `x`."""


class RefreshUAEs(keras.callbacks.Callback):
    """Regenerates the UAEs of a `UAEAugmentation` against the weights of the moment.

    It does so at the beginning of every epoch e > 0 that `refresh_every` divides, before the first
    batch is read, with a seed made from `(seed, e)`. Epoch 0 trains on the set that the
    augmentation came with; `UAEAugmentation(x, x)` is one to start from when there is none.
    `fit(initial_epoch=k)` continues a run exactly when `refresh_every` divides k.

    Args:
        augmentation: The `UAEAugmentation` being fitted, or whose `as_tf_dataset()` is; with as
            many rows found as originals.
        attack: Object with `generate(x, *, seed, verbose) -> UAEs`, against the model in training.
        refresh_every: Integer, epochs from one refresh to the next. Defaults to `1`.
        seed: Integer ≥ 0. Defaults to `0`.
        verbose: Passed on to the attack. Defaults to `0`.

    Attributes:
        success_rates: Attack success rate of each refresh of the last `fit`, by epoch.

    Raises:
        ValueError: A setting is not as above.

    Example:
        >>> refresh = RefreshUAEs(data, attack, refresh_every=5)
        >>> model.fit(data, epochs=30, shuffle=False, callbacks=[refresh])

    Reference:
        Hsu et al., AAAI 2022, section 3.5, whose UAEs are made once (as without this callback).
    """

    def __init__(
        self,
        augmentation: UAEAugmentation,
        attack: Attack,
        *,
        refresh_every: int = 1,
        seed: int = 0,
        verbose: int | str = 0,
    ):
        super().__init__()
        rows = sum(map(len, augmentation.found))
        if rows != len(augmentation.x):
            raise ValueError(
                "`augmentation` of RefreshUAEs must hold one set of as many UAEs as originals, "
                f"{len(augmentation.x)}. Received: augmentation with {rows} rows found."
            )
        self.augmentation = augmentation
        self.attack = attack
        self.refresh_every = check_integer("RefreshUAEs", "refresh_every", refresh_every, 1)
        self.seed = check_integer("RefreshUAEs", "seed", seed, 0)
        self.verbose = verbose
        self.success_rates: dict[int, float] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget the previous `fit`."""
        self.success_rates = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the epoch of the augmentation and, when it is time, its UAEs."""
        self.augmentation.epoch = epoch
        if epoch > 0 and epoch % self.refresh_every == 0:
            seed = _derived_seed(self.seed, epoch)
            found = self.attack.generate(self.augmentation.x, seed=seed, verbose=self.verbose)
            self.augmentation.replace(found)
            self.success_rates[epoch] = found.success_rate


@dataclass(frozen=True, eq=False)
class Round:
    """A model of `augment_in_rounds` and the UAEs it was trained on.

    Attributes:
        number: Integer, 0 for the model trained on the originals alone.
        model: The trained model.
        found: Tuple of `number` sets of UAEs; set i was made against the model of round i.
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
        x: Real array `(n, ...)`, the originals.
        rounds: Integer, how many times UAEs are made. Defaults to `2`.
        seed: Integer ≥ 0 of the orders, and of the attacks' seeds. Defaults to `0`.
        verbose: Passed on to the attacks. Defaults to `0`.
        **settings: Passed on to `UAEAugmentation`: `batch_size`, `target`, ...

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
    UAEAugmentation(x, [], seed=seed, **settings)  # for its checks

    def iterate() -> Iterator[Round]:
        found: tuple[UAEs, ...] = ()
        for number in range(rounds + 1):
            model = build()
            fit(model, UAEAugmentation(x, found, seed=seed, **settings))
            yield Round(number, model, found)
            if number < rounds:
                attack = make_attack(model)
                round_seed = _derived_seed(seed, number)
                found += (attack.generate(x, seed=round_seed, verbose=verbose),)

    return iterate()


def _derived_seed(seed: int, number: int) -> int:
    return int(np.random.default_rng((seed, number)).integers(2**31))
