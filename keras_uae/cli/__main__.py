"""`python -m keras_uae.cli` is `keras-uae`."""

from keras_uae.cli import main

main()
