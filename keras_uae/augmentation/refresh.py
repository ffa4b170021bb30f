"""RefreshUAEs: a callback that makes the UAEs anew while the model trains."""

from typing import Annotated, Any

import keras
import numpy as np

from keras_uae._checks import Integer
from keras_uae._inputs import as_labels
from keras_uae._settings import keep
from keras_uae.attacks.base import Attack
from keras_uae.augmentation.dataset import UAEAugmentation


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

    augmentation: UAEAugmentation
    attack: Attack
    refresh_every: int
    seed: int
    verbose: int | str

    def __init__(
        self,
        augmentation: UAEAugmentation,
        attack: Attack,
        *,
        refresh_every: Annotated[int, Integer(1)] = 1,
        seed: Annotated[int, Integer(0)] = 0,
        verbose: int | str = 0,
    ):
        super().__init__()
        keep(self, RefreshUAEs.__init__, locals())
        rows = sum(map(len, augmentation.found))
        if rows != len(augmentation.x):
            raise ValueError(
                "`augmentation` of RefreshUAEs must hold one set of as many UAEs as originals, "
                f"{len(augmentation.x)}. Received: augmentation with {rows} rows found."
            )
        self._labels = labels_of(augmentation, attack, "RefreshUAEs")  # refused now, not later
        self.success_rates: dict[int, float] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget the previous `fit`."""
        self.success_rates = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the epoch of the augmentation and, when it is time, its UAEs."""
        self.augmentation.epoch = epoch
        if epoch > 0 and epoch % self.refresh_every == 0:
            seed = derived_seed(self.seed, epoch)
            found = self.attack.generate(
                self.augmentation.x, seed=seed, verbose=self.verbose, **self._labels
            )
            self.augmentation.replace(found)
            self.success_rates[epoch] = found.success_rate


def labels_of(augmentation: UAEAugmentation, attack: Any, owner: str) -> dict[str, Any]:
    """The labels of an augmentation as an argument of `generate`, if the attack takes any.

    Without them the model's own class would stand in, and a targeted attack would have no target.
    """
    criterion: Any = getattr(attack, "criterion", None)
    if augmentation.y is None or not getattr(criterion, "takes_labels", False):
        return {}
    labels = as_labels(owner, augmentation.y)
    criterion.check_labels(labels, augmentation.x, owner)
    return {"y": labels}


def derived_seed(seed: int, number: int) -> int:
    """The seed of attack `number` of a run."""
    return int(np.random.default_rng((seed, number)).integers(2**31))
