"""UAEAugmentation: samples and their UAEs as one data set for `model.fit`."""

import gc
import itertools
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Self

import keras
import numpy as np
import tensorflow as tf

from keras_uae._checks import (
    By,
    Choice,
    Integer,
    check_boolean,
    check_finite,
    check_integer,
    checked,
)
from keras_uae._datasets import Data, read_data, warn_of_shuffling
from keras_uae._inputs import as_array
from keras_uae.augmentation.arrays import (
    beside,
    check_array,
    check_labels,
    check_weights,
    is_streamed,
)
from keras_uae.results import UAEs

TARGETS = ("self", "clean")
# Bytes from which on `as_one_epoch` first lets go of what the last one copied: it is in reference
# cycles of TensorFlow, which Python would find late
_LARGE = 2**26


def epoch_order(size: int, seed: int, epoch: int) -> np.ndarray:
    """The order of `size` rows in an epoch: a permutation that depends on nothing else.

    Example:

        >>> uae.epoch_order(4, seed=0, epoch=1)  # four places, the same every time
    """
    return np.random.default_rng((seed, epoch)).permutation(size)


class UAEAugmentation(keras.utils.PyDataset):
    """The originals followed by their UAEs, as batches `(input, target)` for `fit`, in float32.

    Batch `index` is a pure function of `(seed, epoch, index)`, the same for any `workers`. Pass
    `shuffle=False` to `fit`: its default permutes whole batches again, from global randomness.
    No array is copied: a batch gathers its rows, from memory-mapped files too.
    `UAEAugmentation(x, x)` is the duplicate control: as many samples and steps, no perturbation.

    The attribute `epoch` is the order of the next pass: 0 at first, one more after every pass that
    Keras ends (under a distribution strategy it makes one before the first epoch). Set it to k
    before `fit(initial_epoch=k)` in a new process; `RefreshUAEs` sets it at every epoch. For
    `steps_per_epoch` use `as_tf_dataset()`: Keras reads this one across the borders of its epochs.

    Args:
        x: Real array `(n, ...)`, the originals, or a tensor, frame or list. Cast to float32 but not
            scaled. Or a batched `tf.data.Dataset` or `keras.utils.PyDataset`, which is read once
            into memory; what it has beside the samples counts as `y` and `sample_weight` if they
            are not given (but not the samples once more: pairs `(x, x)` are `x` alone).
        found: `UAEs` or an array `(m, ...)`, or a list of these (several rounds, several examples
            per sample); `[]` means originals only. "clean" targets and `y` require m = n.
        y: Array `(n, ...)`, the targets of the rows and of their UAEs. Integers and booleans keep
            their dtype, other numbers become float32. Defaults to `None`.
        batch_size: Integer, the rows of a batch; the last one may be smaller. Defaults to `32`.
        target: "self" (x+δ → x+δ, the paper) or "clean" (x+δ → x). Defaults to `"self"`.
        shuffle: Boolean, whether `epoch_order` permutes the rows. Defaults to `True`.
        seed: Integer ≥ 0 of the orders. Defaults to `0`.
        targets: Boolean, whether batches have targets. Those of `False` are inputs alone, for a
            `train_step` that takes nothing else: of `as_tf_dataset()` the tensor itself, of this
            data set `(input,)`, since Keras makes a tuple of it. Defaults to `True`.
        sample_weight: Real array `(n,)`, the weights of the rows and of their UAEs, as third part
            of a batch. Requires m = n. Defaults to `None`.
        **kwargs: `workers` and the other arguments of `keras.utils.PyDataset`.

    Raises:
        ValueError: A setting or an array is not as above, or an array is not finite in float32.

    Example:
        >>> data = UAEAugmentation(x_train, attack.generate(x_train), batch_size=128)
        >>> model.fit(data, epochs=30, shuffle=False)

    Reference:
        Hsu et al., AAAI 2022, sections 3.5 and 4.1, supplement 6.15.
    """

    batch_size: int
    target: str
    shuffle: bool
    seed: int
    targets: bool

    def __init__(
        self,
        x: Any,
        found: Any,
        y: Any = None,
        *,
        batch_size: Annotated[int, Integer(1)] = 32,
        target: Annotated[str, Choice(TARGETS)] = "self",
        shuffle: Annotated[bool, By(check_boolean)] = True,
        seed: Annotated[int, Integer(0)] = 0,
        targets: Annotated[bool, By(check_boolean)] = True,
        sample_weight: Any = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        data = Data(x) if is_streamed(x) else read_data("UAEAugmentation", x)
        self.x = check_array("x", data.x)
        settings = {"batch_size": batch_size, "target": target, "shuffle": shuffle, "seed": seed}
        settings["targets"] = targets
        for name, value in checked("UAEAugmentation", UAEAugmentation.__init__, settings).items():
            setattr(self, name, value)
        if self.targets:
            y, sample_weight = beside(data, y, sample_weight)
        elif y is not None or sample_weight is not None or self.target != "self":
            raise ValueError(
                "`targets` of UAEAugmentation must be True where `y`, `target` or `sample_weight` "
                f"is given. Received: targets={targets!r}."
            )
        self.y = None if y is None else check_labels(y, len(self.x))
        self.sample_weight = (
            None if sample_weight is None else check_weights(sample_weight, len(self.x))
        )
        if self.y is not None and self.target != "self":
            raise ValueError(
                "`target` of UAEAugmentation must be left alone when `y` gives the targets. "
                f"Received: target={target!r}."
            )
        self._pass = self._plan((self.x, *self._check_found(found)), epoch=0)
        self._within_pass = False
        if self.found and self._needs_pairs:
            warn_of_shuffling("UAEAugmentation", x, self.x)

    @classmethod
    def from_shards(
        cls, directory: str | os.PathLike, x: Any = None, y: Any = None, **settings: Any
    ) -> Self:
        """Stream the shards that `keras-uae generate` wrote: a batch reads its rows from disk.

        Args:
            directory: Directory of complete shards. All files are read once, to compare their
                SHA-256 sums: about a second for 1.5 GB.
            x: The originals, as of the class; may be memory-mapped. Their SHA-256 sums must be
                those of the attacked samples. Defaults to `None`: the UAEs alone.
            y: As of the class.
            **settings: The other arguments of the class.

        Raises:
            ValueError: A shard is missing, damaged or of another run, or `x` is not what was
                attacked.
        """
        from keras_uae.sharding.reader import Shards

        shards = Shards(directory)
        samples = shards.samples()
        if x is None:
            if settings.get("target", "self") != "self":
                raise ValueError(
                    "`x` of UAEAugmentation.from_shards must be given for clean targets. "
                    "Received: x=None."
                )
            return cls(samples, [], y, **settings)
        data = read_data("UAEAugmentation.from_shards", x)
        x = data.x
        if settings.get("targets", True):
            y, settings["sample_weight"] = beside(data, y, settings.get("sample_weight"))
        if x.shape != samples.shape or shards.changed_inputs(lambda a, b: x[a:b]):
            raise ValueError(
                f"`x` of UAEAugmentation.from_shards must be the samples that were attacked, of "
                f"shape {samples.shape}. Received: others, of shape {x.shape}."
            )
        return cls(x, samples, y, **settings)

    @property
    def num_batches(self) -> int:
        """Number of batches in an epoch, the last and perhaps smaller one included."""
        return math.ceil(len(self._pass.order) / self.batch_size)

    def __len__(self) -> int:
        return self.num_batches

    @property
    def found(self) -> tuple[np.ndarray, ...]:
        """The sets of UAEs in use, an array each."""
        return self._pass.parts[1:]

    @property
    def in_memory(self) -> bool:
        """Whether no samples are streamed from shards."""
        return not any(is_streamed(part) for part in self._pass.parts)

    @property
    def epoch(self) -> int:
        """The epoch whose order the next pass takes."""
        return self._pass.epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        epoch = check_integer("UAEAugmentation", "epoch", epoch, 0)
        self._pass = self._plan(self._pass.parts, epoch)

    def on_epoch_begin(self) -> None:
        """Note that a pass has begun; with `workers > 1` its first batches are already read."""
        self._within_pass = True

    def on_epoch_end(self) -> None:
        """Move on to the next epoch, unless this is the call that Keras makes before the first."""
        if self._within_pass:
            self.epoch += 1
        self._within_pass = False

    def __getitem__(self, index: int) -> "Batch":
        return self._batch(self._pass, index)

    def replace(self, found: Any) -> None:
        """Put `found` in place of the sets in use, at once for readers on other threads.

        Raises:
            ValueError: `found` is not valid, or has not as many rows as the sets in use.
        """
        parts = (self.x, *self._check_found(found))
        rows, expected = (sum(map(len, each[1:])) for each in (parts, self._pass.parts))
        if rows != expected:  # Keras counts the batches once, when `fit` begins
            raise ValueError(
                f"`found` of UAEAugmentation.replace must have {expected} rows, as many as the "
                f"sets in use. Received: found of {rows} rows."
            )
        self._pass = self._plan(parts, self.epoch)

    def as_tf_dataset(self) -> tf.data.Dataset:
        """The same batches as a `tf.data.Dataset`: iterate it once more for the next epoch.

        An iteration takes the order and the UAEs of the moment when its first batch is asked for,
        keeps to them, and moves `epoch` on by one. So `fit(ds, epochs=n, shuffle=False)` sees
        epochs 0 to n − 1, and `RefreshUAEs` works as with the data set itself (but not after
        `repeat()`, which reads ahead of it).
        """

        def one_pass() -> Iterator[Batch]:
            current = self._pass
            self.epoch = current.epoch + 1
            for index in range(self.num_batches):
                yield self._batch(current, index)

        parts = self._rows(np.arange(0), np.empty((0, *self.x.shape[1:]), np.float32))
        spec = tf.nest.map_structure(lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), parts)
        dataset = tf.data.Dataset.from_generator(one_pass, output_signature=spec)
        # without a known length Keras warns, in the first epoch, that the data ran out
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(self.num_batches))
        return dataset.prefetch(tf.data.AUTOTUNE)

    def as_one_epoch(self, steps: int) -> tf.data.Dataset:
        """The batches of so many steps, pass after pass, as one long epoch for `fit`.

        TensorFlow gathers them, without Python between two steps and without the 30 ms that Keras
        takes between two epochs: small models train several times as fast. Callbacks see one epoch.
        All samples are copied: what `replace` or `RefreshUAEs` changes is not seen. `epoch` stays
        where it is.

        Args:
            steps: Integer, training steps; `epochs * len(data)` are so many epochs.

        Raises:
            ValueError: The samples are streamed from shards, or `steps` is no positive integer.

        Example:

            >>> data = uae.UAEAugmentation(x, found, batch_size=64)
            >>> history = autoencoder.fit(data.as_one_epoch(5 * len(data)), shuffle=False)
        """
        owner = "UAEAugmentation.as_one_epoch"
        steps, current = check_integer(owner, "steps", steps, 1), self._pass
        if not self.in_memory:
            raise ValueError(
                f"`x` of {owner} must be in memory; read shards by fit(data, epochs=…). "
                "Received: samples that are streamed from shards."
            )
        if sum(part.nbytes for part in current.parts) > _LARGE:
            gc.collect()
        rows = np.concatenate([np.arange(len(part)) for part in current.parts])
        columns = self._rows(rows, np.concatenate(current.parts, dtype=np.float32))
        # targets may be the inputs themselves, which are then gathered once
        arrays = {id(each): each for each in tf.nest.flatten(columns)}
        keys = tf.nest.map_structure(id, columns)
        with tf.device("CPU:0"):  # where batches are gathered; `tf.constant` would copy twice
            tensors = {key: tf.convert_to_tensor(each) for key, each in arrays.items()}
        del columns, arrays

        def orders() -> Iterator[np.ndarray]:
            for epoch in itertools.count(current.epoch):
                yield self._plan(current.parts, epoch).order

        def gathered(rows: tf.Tensor) -> Any:
            found = {key: tf.gather(each, rows) for key, each in tensors.items()}
            return tf.nest.map_structure(lambda key: found[key], keys)

        passes = tf.data.Dataset.from_generator(
            orders, output_signature=tf.TensorSpec((None,), tf.int64)
        )
        batches = passes.flat_map(
            lambda order: tf.data.Dataset.from_tensor_slices(order).batch(self.batch_size)
        )
        dataset = batches.take(steps).map(gathered)
        # without a known length Keras warns that the data ran out
        dataset = dataset.apply(tf.data.experimental.assert_cardinality(steps))
        return dataset.prefetch(tf.data.AUTOTUNE)

    @property
    def _needs_pairs(self) -> bool:
        """Whether row i of the UAEs is to be that of sample i, whose target or weight it takes."""
        given = (self.y, self.sample_weight)
        return self.target == "clean" or any(each is not None for each in given)

    def _check_found(self, found: Any) -> list[np.ndarray]:
        several = isinstance(found, (list, tuple))
        arrays = []
        for number, item in enumerate(found if several else [found]):
            name = f"found[{number}]" if several else "found"
            array = item.x if isinstance(item, UAEs) else item
            array = array if is_streamed(array) else as_array("UAEAugmentation", name, array)
            if array.shape == self.x.shape[:1]:
                raise ValueError(
                    f"`{name}` of UAEAugmentation must hold samples like `x`: labels come last, "
                    f"UAEAugmentation(x, found, y). Received: {name} of shape {array.shape}."
                )
            array = check_array(name, array)
            if array.shape[1:] != self.x.shape[1:]:
                raise ValueError(
                    f"`{name}` of UAEAugmentation must hold samples of shape {self.x.shape[1:]}, "
                    f"like `x`. Received: {name} of shape {array.shape}."
                )
            if len(array) != len(self.x) and self._needs_pairs:
                raise ValueError(
                    f"`{name}` of UAEAugmentation must have {len(self.x)} rows, one for each of "
                    f"`x`, unless target='self', y=None and sample_weight=None. "
                    f"Received: {name} of {len(array)} rows."
                )
            arrays.append(array)
        return arrays

    def _plan(self, parts: tuple[np.ndarray, ...], epoch: int) -> "_Pass":
        size = sum(map(len, parts))
        order = epoch_order(size, self.seed, epoch) if self.shuffle else np.arange(size)
        return _Pass(epoch, order, parts)

    def _batch(self, current: "_Pass", index: int) -> "Batch":
        if not 0 <= index < self.num_batches:
            raise IndexError(
                f"`index` of UAEAugmentation must be in [0, {self.num_batches - 1}]. "
                f"Received: index={index}."
            )
        rows = current.order[index * self.batch_size : (index + 1) * self.batch_size]
        starts = np.cumsum([0, *map(len, current.parts)])
        owner = np.searchsorted(starts, rows, side="right") - 1
        rows = rows - starts[owner]  # within the part that owns them
        inputs = np.empty((len(rows), *self.x.shape[1:]), np.float32)
        for number, part in enumerate(current.parts):
            if (mine := owner == number).any():
                inputs[mine] = part[rows[mine]]
        if any(is_streamed(part) for part in current.parts):
            check_finite("UAEAugmentation", inputs, name="shards")
        return self._rows(rows, inputs)

    def _rows(self, rows: np.ndarray, inputs: np.ndarray) -> "Batch":
        """The batch of `inputs`, which are the rows `rows` or examples of them."""
        if not self.targets:
            return inputs
        targets = inputs
        if self.y is not None:
            kept = self.y.dtype.kind in "iub"
            targets = np.asarray(self.y[rows], self.y.dtype if kept else np.float32)
        elif self.target == "clean":
            targets = np.asarray(self.x[rows], np.float32)
        if self.sample_weight is None:
            return inputs, targets
        return inputs, targets, np.asarray(self.sample_weight[rows], np.float32)


Batch = np.ndarray | tuple[np.ndarray, ...]


@dataclass(frozen=True, eq=False)
class _Pass:
    """What one pass reads. Swapped whole, so that no thread sees half of a change."""

    epoch: int
    order: np.ndarray
    parts: tuple[np.ndarray, ...]
