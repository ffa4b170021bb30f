"""What an attack takes as a model, and how it is saved with the attack."""

import inspect
import re
from collections.abc import Callable
from typing import Any

import keras

from keras_uae._model_layers import CallableModel


def attacked_model(owner: str, model: keras.Model | Callable[..., Any]) -> keras.Model:
    """A model as it is, a function of Keras layers as one.

    Raises:
        ValueError: It is neither, is not built, takes strings, or asks for more than its input.
    """
    if not isinstance(model, keras.Model):
        if not callable(model) or isinstance(model, type):
            raise ValueError(
                f"`model` of {owner} must be a built keras.Model, or a callable of Keras "
                f"layers. Received: model={model!r}."
            )
        return CallableModel(model)
    if not model.built:
        raise ValueError(
            f"`model` of {owner} must be a keras.Model that is built: give it an Input, or "
            f"call it once on a batch. A model that has a train_step only is attacked as the "
            f"function that it is: {owner}(lambda x: model.decoder(model.encoder(x))). "
            f"Received: model={model!r}."
        )
    inputs = getattr(model, "inputs", None) or []
    if len(inputs) == 1 and inputs[0].dtype == "string":
        raise ValueError(
            f"`model` of {owner} must take numbers, in which small steps can be made: of a text or "
            f"of categories attack what follows their Embedding or one-hot codes, {owner}(lambda "
            f"codes: …), with these codes of all samples as x. "
            f"Received: model={model.name!r}, whose input is of strings."
        )
    more = [
        each.name
        for each in list(inspect.signature(model.call).parameters.values())[1:]
        if each.default is each.empty
        and each.kind in (each.POSITIONAL_OR_KEYWORD, each.KEYWORD_ONLY)
        and each.name != "training"
    ]
    if more:
        arguments = ", ".join(f"{name}=…" for name in more)
        raise ValueError(
            f"`model` of {owner} must be called on its input alone, but asks for more: attack the "
            f"function {owner}(lambda x: model(x, {arguments})). "
            f"Received: model={model.name!r}, whose call has no default of {more}."
        )
    return model


def serialized_model(model: keras.Model, owner: str) -> dict[str, Any]:
    """The configuration of an attacked model.

    Raises:
        NotImplementedError: A part of it has no `get_config`.
    """
    try:
        # Keras marks what it meets again, and copies a configuration that holds another: a model
        # beside its attack is one and the same after loading if it has been met before
        keras.saving.serialize_keras_object(model)
        return keras.saving.serialize_keras_object(model)
    except NotImplementedError as error:
        # one line, where Keras prints a page about what may be a layer deep in the model
        part = re.search(r"Object (\w+)", str(error))
        raise NotImplementedError(
            f"Give {part[1] if part else type(model).__name__} a `get_config` to save {owner} of "
            f"it, or save the UAEs alone (found.save): `generate` needs none. "
            f"Received: model={model.name!r}."
        ) from None
