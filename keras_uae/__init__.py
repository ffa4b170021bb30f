"""Unsupervised adversarial examples (UAEs) for Keras: find them fast, train on them."""

from typing import TYPE_CHECKING, Any

from keras_uae import _startup

# At once, since it registers the classes that a saved model may hold. The command, which answers
# --help and refuses arguments in less time than TensorFlow takes, imports it when it needs it.
if TYPE_CHECKING or not _startup.is_command():
    from keras_uae._library import *  # noqa: F403
    from keras_uae._library import __all__  # noqa: F401
else:

    def __getattr__(name: str) -> Any:
        if name.startswith("_"):  # no name of the library's, but perhaps a module
            raise AttributeError(name)
        return getattr(_startup.import_library(), name)
