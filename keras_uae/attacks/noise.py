"""What UAEs are compared with: Gaussian augmentation (GA) of section 4.4.

Projected gradient descent is `PGDAttack`. The other baselines need no code of their own: L2-UAE is
`MinMaxAttack.from_preset("l2_uae", …)`, and the duplicate control, as many samples and steps
without perturbation, is `UAEAugmentation(x, x)`.
"""

from typing import Any

import numpy as np

from keras_uae._checks import check_bounds, check_integer, check_number, check_samples


def gaussian_noise(
    x: Any, sigma: float, *, seed: int = 0, bounds: tuple[float, float] = (0.0, 1.0)
) -> np.ndarray:
    """Every sample plus Gaussian noise, clipped to the data space.

    Args:
        x: Array `(n, ...)` inside `bounds`.
        sigma: Float ≥ 0, standard deviation, in the units of the data.
        seed: Integer ≥ 0; the noise of a sample depends on it and on the sample's place alone.
            Defaults to `0`.
        bounds: Pair of floats, lowest and highest value of the data. Defaults to `(0, 1)`.

    Returns:
        Float32 array like `x`.

    Example:

        >>> model.fit(uae.UAEAugmentation(x, uae.gaussian_noise(x, 0.01)))
    """
    bounds = check_bounds("gaussian_noise", "bounds", bounds)
    x = check_samples("gaussian_noise", x, bounds=bounds)
    sigma = check_number("gaussian_noise", "sigma", sigma, 0)
    rng = np.random.default_rng(check_integer("gaussian_noise", "seed", seed, 0))
    noise = rng.standard_normal(x.shape, np.float32)
    return np.clip(x + np.float32(sigma) * noise, *bounds, dtype=np.float32)
