"""From raw samples to a split to learn from: missing values, scaling, training and test part.

`clean` lets nothing of the test part into the training part. `published` does what the published
code does (IBM/UAE, setup_concrete.py), for comparison; it differs in this and nothing else:

- A missing value becomes the mean of its class over all samples, test samples included, in which
  those not filled in yet count as the marker −100000. `clean`: the mean of the training samples.
- Features are scaled by the minimum and maximum of training and test samples together, images by
  those of all pixels. `clean`: those of the training samples, test values beyond them become 0 or
  1; images are in [0, 1] as they are.
- Without an official split, the first four fifths of the shuffled samples are the training part,
  by a shuffle that was not seeded; here `seed` fixes it. `clean`: equal shares of each class.
"""

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

from experiments.data.tabular import Raw

PROTOCOLS = ("clean", "published")
MARKER = -100_000.0

Arrays = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def prepare(raw: Raw, *, protocol: str, seed: int) -> Arrays:
    """Return x_train, y_train, x_test and y_test, float32 in [0, 1] and int64."""
    published, images = protocol == "published", raw.x.ndim > 2
    train, test = split(raw, stratified=not published, seed=seed)
    x = raw.x.astype(np.float64)
    if np.isnan(x).any():
        fill = SimpleImputer(keep_empty_features=True)  # 0 where no sample has the feature
        x = fill_as_published(x, raw.y) if published else fill.fit(x[train]).transform(x)
    if published or not images:
        columns = x.reshape(-1, 1) if images else x
        scaler = MinMaxScaler(clip=True).fit(columns if published else columns[train])
        x = scaler.transform(columns).reshape(x.shape)
    x = x.astype(np.float32)
    return x[train], raw.y[train], x[test], raw.y[test]


def split(raw: Raw, *, stratified: bool, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the training and of the test samples."""
    rows = np.arange(len(raw.x))
    if raw.train:
        return rows[: raw.train], rows[raw.train :]
    count = len(rows) * 4 // 5
    if stratified:
        train, test = train_test_split(
            rows, train_size=count, test_size=len(rows) - count, stratify=raw.y, random_state=seed
        )
        return train, test
    shuffled = np.random.default_rng(seed).permutation(rows)
    return shuffled[:count], shuffled[count:]


def fill_as_published(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Replace what is missing, in the order of the file, by means of the class with markers in."""
    missing = np.isnan(x)
    x = np.where(missing, MARKER, x)
    for row, feature in np.argwhere(missing):
        x[row, feature] = x[y == y[row], feature].mean()
    return x
