"""The command `keras-uae`. What it needs beside the library is the extra `cli`."""

import os
import sys

from keras_uae._startup import INTERRUPTED
from keras_uae.cli.streams import discard, patient_consoles, plain_streams


def main() -> None:
    """Run the command that `sys.argv` names."""
    plain_streams()
    try:
        _run()
    except KeyboardInterrupt:  # before a command has begun
        _end("interrupted.", INTERRUPTED)
    except OSError as error:  # of --help, for example
        from keras_uae.cli.outcome import code_of

        discard(sys.stdout)
        _end(f"The output cannot be written: {error.strerror}.", code_of(error))
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except OSError:
                discard(stream)


def _run() -> None:
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        sys.exit(f"keras-uae needs {error.name}: pip install 'keras-uae[cli]'")
    patient_consoles()  # those of the help, too
    if os.environ.get("KERAS_BACKEND"):  # another one is refused at sight
        import keras_uae._backend  # noqa: F401
    from keras_uae.cli.app import app

    app()


def _end(message: str, code: int) -> None:
    print(f"keras-uae: {message}", file=sys.stderr)
    sys.exit(code)
