"""Class-balanced weights, without torch: whoever only shows them need not wait for it."""

import numpy as np
import numpy.typing as npt

from skin_tune.errors import ConfigError


def class_weights(counts: npt.ArrayLike, beta: float) -> npt.NDArray[np.float64]:
    """Weight of each class [K]: (1 - beta) / (1 - beta^n), normalised to sum to K.

    `counts` are the images per class [K] of the original training split, before any oversampling; `beta` is in [0, 1).
    Cui et al. 2019, "Class-Balanced Loss Based on Effective Number of Samples", eq. 9. Raises ConfigError for a class
    without images, whose weight would be infinite.
    """
    images = np.asarray(counts, dtype=np.float64)
    if not (images > 0).all():
        raise ConfigError(
            f"class-balanced weights need an image of every class, not counts {images.astype(int).tolist()}"
        )
    if not 0 <= beta < 1:
        raise ConfigError(f"beta={beta!r} is outside [0, 1)")
    # 1 - beta^n, exact also where beta is so near 1 that the power rounds to 1.
    effective = -np.expm1(images * np.log(beta)) if beta > 0 else np.ones_like(images)
    weights = (1 - beta) / effective
    return weights * len(weights) / weights.sum()
