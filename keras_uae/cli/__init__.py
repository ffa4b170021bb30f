"""The command `keras-uae`. What it needs beside the library is the extra `cli`."""

import sys


def main() -> None:
    """Run the command that `sys.argv` names."""
    try:
        import rich  # noqa: F401
        import typer  # noqa: F401
    except ImportError as error:
        sys.exit(f"keras-uae needs {error.name}: pip install 'keras-uae[cli]'")
    from keras_uae._allocator import keep_freed_memory
    from keras_uae.cli.app import app

    keep_freed_memory()
    app()
