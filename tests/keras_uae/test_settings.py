"""A setting stands in one place: its annotation is the check, and every check speaks alike."""

import inspect
from typing import Annotated, get_args, get_origin, get_type_hints

import keras
import pytest

import keras_uae as uae
from keras_uae import similarity
from keras_uae._checks import Choice, Integer, Number, OrNone, checked, checks_of
from keras_uae._settings import Settings
from keras_uae.selection import ConcreteFeatureSelector
from tests import tiny_models


def settings_classes():
    """All classes of settings of the package, whoever exports them."""
    found, waiting = [], [Settings]
    while waiting:
        waiting += (subclasses := waiting.pop().__subclasses__())
        found += [each for each in subclasses if each.__module__.startswith("keras_uae")]
    return found


MAKERS = {
    **{
        cls: lambda cls=cls, **settings: cls(tiny_models.convolutional(), **settings)
        for cls in (uae.MinMaxAttack, uae.PenaltyAttack, uae.PGDAttack)
    },
    **{
        cls: cls
        for cls in settings_classes()
        if cls.__name__ not in ("Criterion", "Similarity", "FeatureMap", "FunctionCriterion")
    },
    uae.ConcreteSelect: lambda **settings: uae.ConcreteSelect(**{"features": 2, **settings}),
    uae.AnnealTemperature: uae.AnnealTemperature,
    uae.StopWhenSelected: uae.StopWhenSelected,
    ConcreteFeatureSelector: lambda **settings: ConcreteFeatureSelector(**settings).fit(
        [[0.0, 1.0], [1.0, 0.5], [0.5, 0.0]]
    ),
    uae.UAEAugmentation: lambda **settings: uae.UAEAugmentation(
        tiny_models.images(2), tiny_models.images(2), **settings
    ),
}


def bad_value(check):
    """A value that a check refuses."""
    if isinstance(check, OrNone):
        return bad_value(check.check)
    if isinstance(check, (Number, Integer)):
        return float("nan") if check.low == -float("inf") else check.low - 1
    if isinstance(check, Choice):
        return "no such name"
    return ["neither", "a number", "nor a pair"]


def annotated(cls):
    return cls if issubclass(cls, Settings) else cls.__init__


CASES = [(cls, name) for cls in MAKERS for name in checks_of(annotated(cls))]


@pytest.mark.parametrize(("cls", "name"), CASES, ids=lambda item: getattr(item, "__name__", item))
def test_a_bad_value_is_named_with_its_owner_and_what_came(cls, name):
    bad = bad_value(checks_of(annotated(cls))[name])
    with pytest.raises(ValueError, match="must be") as info:
        MAKERS[cls](**{name: bad})
    assert f"`{name}` of {cls.__name__} must be" in str(info.value)
    assert f"Received: {name}={bad!r}" in str(info.value)


@pytest.mark.parametrize("cls", MAKERS, ids=lambda cls: cls.__name__)
def test_every_default_passes_its_own_check(cls):
    for name, check in checks_of(annotated(cls)).items():
        default = inspect.signature(cls).parameters[name].default
        if default is not inspect.Parameter.empty:
            check(cls.__name__, name, default)


@pytest.mark.parametrize("cls", MAKERS, ids=lambda cls: cls.__name__)
def test_an_annotation_holds_one_check(cls):
    for name, hint in get_type_hints(annotated(cls), include_extras=True).items():
        if get_origin(hint) is Annotated:
            assert sum(callable(each) for each in get_args(hint)[1:]) == 1, name


def test_values_come_back_as_plain_numbers():
    import numpy as np

    assert type(similarity.Gaussian(floor=np.float32(0.25)).floor) is float
    assert type(similarity.MINE(steps=np.int64(3)).steps) is int
    attack = uae.PGDAttack(tiny_models.dense(), epsilon=np.float32(0.5), bounds=[0, 1])
    assert type(attack.epsilon) is float
    assert attack.bounds == (0.0, 1.0)


def test_a_value_without_a_check_passes_as_it_is():
    def function(a: Annotated[int, Integer(0)], b: object): ...

    thing = object()
    assert checked("function", function, {"a": 3, "b": thing}) == {"a": 3, "b": thing}


class Loud(uae.MinMaxAttack):
    """A user's attack with a setting more."""

    def __init__(self, model, *, gain: Annotated[float, Number(0)] = 1.0, **settings):
        super().__init__(model, **settings)
        self.gain = gain


def test_a_subclass_adds_settings_of_its_own():
    attack = Loud(tiny_models.convolutional(), gain=2.0, steps=3)
    assert (attack.gain, attack.steps) == (2.0, 3)
    assert {"gain", "steps", "criterion"} <= set(attack.settings())
    config = keras.saving.serialize_keras_object(attack)["config"]
    assert (config["gain"], config["steps"]) == (2.0, 3)
    assert "gain=2.0" in repr(attack)
