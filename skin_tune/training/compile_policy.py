"""Whether a network is worth compiling; without torch, for whoever plans trials."""

from skin_tune.config import TrialConfig

PAYS_FROM = 1_000_000
"""Images of 224 px that one process must be about to train on. An H200 had waited long enough for a ResNet-50 after
607,000 (docs/performance.md); a graph of smaller images takes as long to make, and saves less with each."""


def compiling_pays(images: float, image_size: int) -> bool:
    """Whether a process that trains on so many images of `image_size` pixels gets back what compiling costs."""
    return images * (image_size / 224) ** 2 >= PAYS_FROM


def wants_compiling(config: TrialConfig, *, on_gpu: bool, workers: int, pays: bool) -> bool:
    """Whether a config is trained compiled: never by several workers, and by `auto` on a GPU alone, where it `pays`.

    Workers normalise over all of their images together, and send gradients while others are still computed: a compiled
    backbone is one piece, in which neither has its place.
    """
    if workers > 1 or config.compile == "off":
        return False
    return config.compile == "on" or (on_gpu and pays)
