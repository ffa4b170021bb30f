"""What the models of a comparison are trained on: the originals, and one addition as large."""

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import keras
import numpy as np

from keras_uae._checks import check_choice
from keras_uae._inputs import as_array, shape_fits
from keras_uae.attacks import Attack, MinMaxAttack
from keras_uae.attacks.inspection import is_generator
from keras_uae.comparison.noise import KINDS
from keras_uae.results import UAEs

DEFAULT_EPSILONS = (0.02, 0.05, 0.1, 1.0)
NOISES = ("gaussian", "shuffled")
# settings of the attack on a classifier: as like its sample as can be, and of another class
SUPERVISED = {"criterion": "misclassification", "objective": "maximize"}
_BATCH = 1024


@dataclass(frozen=True)
class Adversarial:
    """An arm that adds UAEs of the model that was trained on the originals, of the same seed.

    Args:
        make_attack: Function of a model and the settings below that returns an attack. Defaults to
            `MinMaxAttack`.
        name: What tables call it. Defaults to the settings that are given.
        noise: Names of the kinds of noise that it is compared with, each of the L2 norm of the
            UAE of the same sample: "gaussian", "uniform", "signs", or "shuffled", δ's own values on
            other features. Defaults to `("gaussian", "shuffled")`.
        **settings: Settings of the attack. Without `bounds`, those of the comparison.

    Example:

        >>> uae.Adversarial(epsilon=0.05)
        >>> uae.Adversarial(uae.PGDAttack, epsilon=0.1, name="PGD")
    """

    make_attack: Callable[..., Attack]
    name: str
    noise: tuple[str, ...]
    settings: dict[str, Any] = field(default_factory=dict)

    def __init__(
        self,
        make_attack: Callable[..., Attack] = MinMaxAttack,
        *,
        name: str = "",
        noise: Sequence[str] = NOISES,
        **settings: Any,
    ):
        if not callable(make_attack) or isinstance(make_attack, Attack):
            raise ValueError(
                "`make_attack` of Adversarial must be a class of attacks, or a function of a model "
                "that returns one, since every seed has a model of its own: Adversarial(lambda "
                f"model: MinMaxAttack(model)). Received: make_attack={make_attack!r}."
            )
        for each in noise:
            check_choice("Adversarial", "noise", each, KINDS)
        if not name:
            attack = "UAE" if make_attack is MinMaxAttack else called(make_attack)
            shown = (f"{_SYMBOLS.get(key, key)} = {_short(each)}" for key, each in settings.items())
            name = ", ".join([attack, *shown])
        # frozen, and with settings as keywords
        object.__setattr__(self, "make_attack", make_attack)
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "noise", tuple(noise))
        object.__setattr__(self, "settings", settings)

    def attack(self, model: keras.Model, bounds: Any) -> Attack:
        """The attack on `model`, within `bounds` unless it has its own."""
        settings = dict(self.settings)
        if takes(self.make_attack, "bounds"):
            settings.setdefault("bounds", bounds)
        attack = self.make_attack(model, **settings)
        if not isinstance(attack, Attack):
            raise ValueError(
                f"`make_attack` of Adversarial must return an attack. Received: {attack!r}."
            )
        return attack


@dataclass(frozen=True)
class Augmented:
    """An arm that adds an augmented copy of every sample.

    Args:
        function: Function of samples, or of samples and a `seed`, that returns as many of the same
            shape; or a Keras layer or model of random layers, which is called in training mode and
            draws by the seed of the comparison, also where it has one of its own.
        name: What tables call it. Defaults to the name of the function.

    Example:

        >>> uae.Augmented(keras.layers.RandomFlip("horizontal"), name="flip")
        >>> uae.Augmented(lambda x, seed: uae.gaussian_noise(x, 0.01, seed=seed), name="noise")
    """

    function: Callable[..., Any]
    name: str = ""

    def __post_init__(self) -> None:
        if not callable(self.function):
            raise ValueError(
                "`function` of Augmented must be a function of samples, or a Keras layer. "
                f"Received: function={self.function!r}."
            )
        object.__setattr__(self, "name", self.name or called(self.function))

    def draw(self, x: np.ndarray, seed: int) -> np.ndarray:
        """The augmented samples.

        Raises:
            ValueError: They are not as many, or of another shape, or not finite.
        """
        keras.utils.set_random_seed(seed)
        if isinstance(self.function, keras.Layer):
            layer: Any = self.function
            generators = filter(is_generator, layer.variables)
            for number, state in enumerate(generators):  # they have counted what was drawn before
                state.assign([np.random.default_rng((seed, number)).integers(2**31), 0])
            parts = [
                keras.ops.convert_to_numpy(layer(np.asarray(x[i : i + _BATCH]), training=True))
                for i in range(0, len(x), _BATCH)
            ]
            found = np.concatenate(parts)
        else:
            given = {"seed": seed} if takes(self.function, "seed") else {}
            found = as_array("Augmented", self.name, self.function(x, **given))
        if found.shape != x.shape or not np.isfinite(found).all():
            raise ValueError(
                f"`function` of Augmented must return as many finite samples of the same shape, "
                f"{x.shape}. Received: {self.name!r}, which returns shape {found.shape}."
            )
        return np.asarray(found, np.float32)


@dataclass(frozen=True)
class Given:
    """An arm that adds what was made before, the same in all seeds.

    Args:
        found: `UAEs`, an array with a sample for each original, or `Shards`.
        name: What tables call it. Defaults to `"given"`.

    Example:

        >>> uae.comparison.Given(found, name="made before")
    """

    found: Any
    name: str = "given"

    def samples(self, x: np.ndarray) -> np.ndarray:
        """The samples that it adds to `x`."""
        found: Any = self.found.x if isinstance(self.found, UAEs) else self.found
        if callable(getattr(found, "samples", None)):  # shards
            found = found.samples()
            found = found[np.arange(len(found))]
        found = as_array("Given", "found", found)
        if found.shape != x.shape:
            raise ValueError(
                f"`found` of Given must have a sample for each original, shape {x.shape}. "
                f"Received: found of shape {found.shape}."
            )
        return np.asarray(found, np.float32)


Arm = Adversarial | Augmented | Given


@dataclass(frozen=True)
class Row:
    """A training of a comparison: what it adds to the originals, and what it is judged by.

    Attributes:
        name: Its key in the records.
        label: What tables call it.
        arm: Its arm; `None` of the originals and of the duplicates.
        noise: The kind of noise, of a row that adds noise of the size of its arm's UAEs.
        controls: Names of the rows that it is compared with.
    """

    name: str
    label: str
    arm: Arm | None = None
    noise: str = ""
    controls: tuple[str, ...] = ()

    @property
    def attacks(self) -> bool:
        """Whether UAEs have to be found for it."""
        return isinstance(self.arm, Adversarial)


ORIGINAL = Row("original", "original")
DUPLICATES = Row("duplicates", "duplicates")


def are_classes(y: np.ndarray | None) -> bool:
    """Whether targets are classes: an integer for each sample."""
    return y is not None and y.dtype.kind in "iu" and y.size == len(y)


def check_default_arms(model: keras.Model, x: np.ndarray, y: np.ndarray | None) -> None:
    """Raise ValueError if `default_arms` know no attack on a model."""
    output = getattr(model, "output_shape", None)  # of several a list, which the attack names
    if are_classes(y) or not isinstance(output, tuple) or shape_fits(x.shape, output):
        return
    targets = "None" if y is None else f"of shape {y.shape} and dtype {y.dtype}"
    raise ValueError(
        "`arms` of compare must be given where the model does not give back the shape of its input "
        "and `y` are no classes, integers (n,): Augmented(function), Given(samples), or "
        "Adversarial(criterion=function of (x, z)). The classes of one-hot rows are "
        "y.argmax(axis=1), for a model compiled with 'sparse_categorical_crossentropy'. "
        f"Received: arms=None, y {targets}, and a model with output shape {output}."
    )


def default_arms(
    y: np.ndarray | None = None, epsilons: Sequence[float] | None = None
) -> tuple[Adversarial, ...]:
    """UAEs of the default attack at several sizes ε; with classes `y`, those that leave theirs."""
    settings: dict[str, Any] = SUPERVISED if are_classes(y) else {}
    return tuple(
        Adversarial(epsilon=epsilon, name=f"UAE, ε = {epsilon:g}", **settings)
        for epsilon in epsilons or DEFAULT_EPSILONS
    )


def rows_of(arms: Arm | Sequence[Arm]) -> dict[str, Row]:
    """All rows of a comparison by name: the originals, the control, and those of every arm.

    Raises:
        ValueError: An arm is none, or two have one name.
    """
    rows = {row.name: row for row in (ORIGINAL, DUPLICATES)}
    for arm in arms if isinstance(arms, (list, tuple)) else [arms]:
        if not isinstance(arm, Arm):
            raise ValueError(
                "`arms` of compare must be Adversarial(…), Augmented(function) or Given(samples) "
                f"each. Received: {arm!r}."
            )
        noise = arm.noise if isinstance(arm, Adversarial) else ()
        names = {kind: f"{arm.name} / {kind}" for kind in noise}
        controls = (DUPLICATES.name, *names.values())
        found = [Row(arm.name, arm.name, arm, controls=controls)]
        found += [Row(name, KINDS[kind].label, arm, kind) for kind, name in names.items()]
        for row in found:
            if row.name in rows:
                raise ValueError(
                    "`arms` of compare must have different names; give name=. "
                    f"Received: {row.name!r} twice."
                )
            rows[row.name] = row
    return rows


_SYMBOLS = {"epsilon": "ε", "step_size": "α", "steps": "T"}


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def called(function: Any) -> str:
    name = getattr(function, "__name__", "") or getattr(function, "name", "")
    return name.strip("<>") or type(function).__name__


def takes(function: Callable[..., Any], name: str) -> bool:
    """Whether a function, or a class of attacks, takes an argument of that name."""
    if isinstance(function, type) and issubclass(function, Attack):
        return name in function.settings()
    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    # **kwargs take any: a fit that hands them on to model.fit would train for one epoch
    keywords = any(each.kind is each.VAR_KEYWORD for each in parameters.values())
    return name in parameters or keywords
