"""How an attack weighs its criterion: c by gradient ascent (Algorithm 1) or bisection (3)."""

from typing import Any, NamedTuple, Protocol

import tensorflow as tf

# Algorithm 3: where c is searched
LOWER, UPPER = 1e-3, 1e9


class MultiplierRule(Protocol):
    """What the loop asks of a rule for c. Its state is a nest of tensors `(batch, ...)`."""

    def start(self, batch: tf.Tensor, dtype: tf.DType) -> Any:
        """The state before the first iteration; `batch` is the shape `(batch,)`."""

    def move(self, t: tf.Tensor) -> tf.Tensor:
        """The number of the step that led to the iterate of look t (from 0); 0 of δ₀."""

    def update(
        self, now: Any, violation: tf.Tensor, t: tf.Tensor
    ) -> tuple[tf.Tensor, Any, tf.Tensor | None]:
        """c of look t (from 0), the next state, and whether δ starts anew after it.

        `violation` is f⁺ of the iterate, 0 where it is an example.
        """

    def value(self, now: Any) -> tf.Tensor:
        """c `(batch,)`."""


class GradientAscent(NamedTuple):
    """Steps 8 and 9 of Algorithm 1: c ← max(0, (1 − β/t^¼)·c + β·f⁺), t counted from 1."""

    step_size: float  # β
    initial: float  # c₀

    def start(self, batch: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
        return tf.fill(batch, tf.constant(self.initial, dtype))

    def move(self, t: tf.Tensor) -> tf.Tensor:
        return t

    def update(
        self, now: tf.Tensor, violation: tf.Tensor, t: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor, None]:
        decay = 1 - self.step_size * tf.cast(t + 1, now.dtype) ** -0.25
        c = tf.maximum(decay * now + self.step_size * tf.stop_gradient(violation), 0)
        return c, c, None

    def value(self, now: tf.Tensor) -> tf.Tensor:
        return now


class Interval(NamedTuple):
    """The state of `Bisection`, a row for each sample."""

    c: tf.Tensor
    lower: tf.Tensor
    upper: tf.Tensor
    hit: tf.Tensor  # whether this c has given an example


class Bisection(NamedTuple):
    """Algorithm 3: a c for `steps` steps, looked at once more; then a smaller one if it gave one.

    A greater one if not: ten times as great until one has given an example, from then on halfway
    between the last that did and the last that did not.
    """

    steps: int
    initial: float

    def start(self, batch: tf.Tensor, dtype: tf.DType) -> Interval:
        c, lower, upper = (
            tf.fill(batch, tf.constant(value, dtype)) for value in (self.initial, LOWER, UPPER)
        )
        return Interval(c, lower, upper, tf.fill(batch, False))

    def move(self, t: tf.Tensor) -> tf.Tensor:
        search, step = t // (self.steps + 1), t % (self.steps + 1)
        return tf.where(step > 0, search * self.steps + step, 0)

    def update(
        self, now: Interval, violation: tf.Tensor, t: tf.Tensor
    ) -> tuple[tf.Tensor, Interval, tf.Tensor]:
        hit = now.hit | ((violation <= 0) & (self.move(t) > 0))
        upper = tf.where(hit, tf.minimum(now.upper, now.c), now.upper)
        lower = tf.where(hit, now.lower, tf.maximum(now.lower, now.c))
        c = tf.where(upper < UPPER, (lower + upper) / 2, now.c * 10)
        over = tf.equal((t + 1) % (self.steps + 1), 0)
        following = Interval(c, lower, upper, tf.zeros_like(hit))
        same = now._replace(hit=hit)
        return (
            now.c,
            Interval(*(tf.where(over, *pair) for pair in zip(following, same, strict=True))),
            over,
        )

    def value(self, now: Interval) -> tf.Tensor:
        return now.c
