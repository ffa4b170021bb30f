"""RefreshUAEs: a callback that makes the UAEs anew while the model trains."""

from typing import Annotated, Any

import keras
import numpy as np

from keras_uae._checks import Integer
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
        # those of the augmentation, where the attack asks for any: without, the model's own class
        # would stand in for them, and a targeted attack would have no target
        criterion: Any = getattr(attack, "criterion", None)
        wanted = getattr(criterion, "takes_labels", False)
        self._labels = augmentation.y if wanted else None
        if self._labels is not None:  # refused now, not amid the training
            criterion.check_labels(self._labels, augmentation.x, "RefreshUAEs")
        self.success_rates: dict[int, float] = {}

    def on_train_begin(self, logs: Any = None) -> None:
        """Forget the previous `fit`."""
        self.success_rates = {}

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        """Set the epoch of the augmentation and, when it is time, its UAEs."""
        self.augmentation.epoch = epoch
        if epoch > 0 and epoch % self.refresh_every == 0:
            seed = derived_seed(self.seed, epoch)
            labels: dict[str, Any] = {} if self._labels is None else {"y": self._labels}
            found = self.attack.generate(
                self.augmentation.x, seed=seed, verbose=self.verbose, **labels
            )
            self.augmentation.replace(found)
            self.success_rates[epoch] = found.success_rate


def derived_seed(seed: int, number: int) -> int:
    """The seed of attack `number` of a run."""
    return int(np.random.default_rng((seed, number)).integers(2**31))
