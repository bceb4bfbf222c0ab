"""What to say of a figure by which a trial was chosen: it is too good, and by how much."""

from skin_tune.text.numbers import figure

_LEAST = 0.0005
"""A difference that three places show as zero."""


def chosen_words(count: int, value: float, expected: float, *, less_is_better: bool = False) -> str:
    """``chosen as the best of 12, which flatters it by about 0.020: 0.500 is to be expected on ...``.

    `expected` is what `bias_corrected_winner` estimates of the best of `count`, whose figure is `value`.
    """
    flattery = expected - value if less_is_better else value - expected
    by = f"which flatters it by about {figure(flattery)}" if flattery >= _LEAST else "which hardly flatters it"
    return f"chosen as the best of {count}, {by}: {figure(expected)} is to be expected on people who did not choose it"
