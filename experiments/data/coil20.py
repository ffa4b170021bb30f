"""COIL-20: 20 objects on a turntable, a grey image every 5 degrees, here at 20×20 pixels.

The concrete autoencoder and the paper scale the processed 128×128 images to 20×20. Here a pixel is
the mean of the area that it covers, whatever the size of the original, so that a thin line does
not depend on where it falls between the samples.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from experiments.data.tabular import DataSet, Raw, Source, class_indices, damaged, read_matlab

SIDE = 20
OBJECTS, VIEWS = 20, 72


def shrink(images: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Scale square images `(n, size, size)` to `(n, side, side)` by the mean over areas."""
    size = images.shape[1]
    edges = np.arange(side + 1)[:, None] * (size / side)
    pixels = np.arange(size)
    # length of pixel j that lies inside of [edge i, edge i + 1]
    overlap = np.minimum(pixels + 1, edges[1:]) - np.maximum(pixels, edges[:-1])
    weights = np.maximum(overlap, 0) * (side / size)
    return np.clip(weights @ images @ weights.T, 0, images.max())


def read_images(paths: Sequence[Path]) -> Raw:
    """Read the 1440 PNG files of 128×128 pixels."""
    # Imported here: only this data set needs it, to read images.
    import tensorflow as tf

    images = []
    for path in paths:
        try:
            image = tf.io.decode_png(path.read_bytes(), channels=1).numpy()[..., 0]
        except tf.errors.OpError as error:
            raise damaged(path, error.message.splitlines()[0]) from None
        if image.shape != (128, 128):
            raise damaged(path, f"{image.shape} pixels where there should be (128, 128)")
        images.append(shrink(image[None] / 255)[0])
    y = np.repeat(np.arange(OBJECTS), len(paths) // OBJECTS)
    return Raw(np.array(images, np.float32)[..., None], y, 0)


def read_matrix(paths: Sequence[Path]) -> Raw:
    """Read the 1440 images of 32×32 pixels that the ASU repository has made one file of."""
    x, y = read_matlab(paths[0], 32 * 32)
    x = x.astype(np.float64)
    if x.min() < 0 or x.max() > 1:
        raise damaged(paths[0], f"pixels from {x.min()} to {x.max()}, not in [0, 1]")
    images = x.reshape(-1, 32, 32).swapaxes(1, 2)  # MATLAB goes down the columns
    x = shrink(images).astype(np.float32)[..., None]
    return Raw(x, class_indices(paths[0], y, OBJECTS), 0)


_CAVE = "http://www.cs.columbia.edu/CAVE/databases/SLAM_coil-20_coil-100/coil-20"

COIL20 = DataSet(
    name="coil20",
    description="Grey images of 20 objects in 72 views each, 20x20 pixels in [0, 1].",
    homepage="https://www.cs.columbia.edu/CAVE/software/softlib/coil-20.php",
    citation="Nene, S. A., Nayar, S. K. and Murase, H. (1996). Columbia Object Image Library "
    "(COIL-20). Technical Report CUCS-005-96.",
    classes=tuple(f"object_{number}" for number in range(1, OBJECTS + 1)),
    shape=(SIDE, SIDE, 1),
    sources=(
        Source(
            variant="proc",
            files=tuple(
                f"obj{number}__{view}.png"
                for number in range(1, OBJECTS + 1)
                for view in range(VIEWS)
            ),
            read=read_images,
            rows=(OBJECTS * VIEWS, 0),
            urls=(f"{_CAVE}/coil-20-proc.zip",),
            folder="coil-20-proc",
        ),
        Source(
            variant="matlab",
            files=("COIL20.mat",),
            read=read_matrix,
            rows=(OBJECTS * VIEWS, 0),
            urls=("https://jundongl.github.io/scikit-feature/files/datasets/COIL20.mat",),
        ),
    ),
)
