"""What UAEs are compared with: Gaussian augmentation (GA) of section 4.4.

Projected gradient descent is `PGDAttack`. The other baselines need no code of their own: L2-UAE is
`MinMaxAttack.from_preset("l2_uae", …)`, and the duplicate control, as many samples and steps
without perturbation, is `UAEAugmentation(x, x)`.
"""

from typing import Any

import numpy as np

from keras_uae._checks import check_integer, check_number, check_samples
from keras_uae.attacks.data_space import DataSpace, check_any_bounds, data_bounds


def gaussian_noise(
    x: Any, sigma: float, *, seed: int = 0, bounds: Any = (0.0, 1.0), units: str = "range"
) -> np.ndarray:
    """Every sample plus Gaussian noise, clipped to the data space.

    Args:
        x: Array `(n, ...)` inside `bounds`.
        sigma: Float ≥ 0, standard deviation, see `units`.
        seed: Integer ≥ 0; the noise of a sample depends on it and on the sample's place alone.
            Defaults to `0`.
        bounds: Lowest and highest value of the data, as of `MinMaxAttack`. Defaults to `(0, 1)`.
        units: "range": σ is a fraction of high − low; "data": in the units of the data. Defaults
            to `"range"`.

    Returns:
        Float32 array like `x`.

    Example:

        >>> model.fit(uae.UAEAugmentation(x, uae.gaussian_noise(x, 0.01)))
    """
    owner = "gaussian_noise"
    bounds = check_any_bounds(owner, "bounds", bounds)
    sigma = check_number(owner, "sigma", sigma, 0)
    rng = np.random.default_rng(check_integer(owner, "seed", seed, 0))
    if isinstance(bounds, str):
        x = check_samples(owner, x, bounds=(-np.inf, np.inf))
        bounds = data_bounds([x], bounds)
    space = DataSpace.of(bounds, units, None, np.shape(x)[1:], "float32")
    x = check_samples(owner, x, bounds=space.limits())
    deviation = np.asarray(sigma * space.unit, np.float32)
    noise = rng.standard_normal(x.shape, np.float32) * deviation
    return np.clip(x + noise, *bounds, dtype=np.float32)
