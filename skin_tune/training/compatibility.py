"""Whether a config can be trained, and on a pack."""

from skin_tune.config import TrialConfig
from skin_tune.config.choices import is_timm
from skin_tune.data.loading.sampling import draws_per_class
from skin_tune.data.pack.format import Pack
from skin_tune.errors import ConfigError
from skin_tune.metrics import SELECTION_METRICS
from skin_tune.training.worst_group import check_groups

_LEAST_IMAGES_PER_WORKER = 4
"""A global batch can be half of `batch_size`, and batch normalisation of a worker's own share needs two images."""


def check_compatibility(config: TrialConfig, pack: Pack, workers: int = 1, *, include_val: bool = False) -> None:
    """Raise ConfigError where `config` asks more of `pack` than it holds, or cannot be dealt out to `workers`."""
    if workers > 1 and config.batch_size < _LEAST_IMAGES_PER_WORKER * workers:
        raise ConfigError(
            f"batch_size={config.batch_size} is below {_LEAST_IMAGES_PER_WORKER} images for each of {workers} workers"
        )
    if config.train_loss == "sord" and not pack.info.ordinal:
        raise ConfigError(
            f"train_loss=sord needs classes with an order, and those of pack {str(pack.path)!r} are nominal; "
            "take another loss, such as logit_adjustment"
        )
    if config.image_size > pack.info.size:
        raise ConfigError(f"image_size={config.image_size} is larger than the pack's {pack.info.size}")
    counts = pack.class_counts(*train_splits(include_val))
    if config.batch_size > counts.sum():
        raise ConfigError(f"batch_size={config.batch_size} is larger than the training set of {counts.sum()} images")
    if counts.any() and config.batch_size > (images := draws_per_class(config, counts).sum()):
        raise ConfigError(f"batch_size={config.batch_size} is larger than an epoch of {images} images")
    if not include_val and not len(pack.indices("val")):
        raise ConfigError(f"pack {str(pack.path)!r} has no validation image; prepare it with another --split-seed")


def check_metric(metric: str, pack: Pack | None = None) -> None:
    """Raise ConfigError where a model cannot be chosen by `metric`, or not on the validation split of `pack`."""
    if metric not in SELECTION_METRICS:
        raise ConfigError(f"metric {metric!r} is not one of {', '.join(SELECTION_METRICS)}")
    if pack is not None:
        check_groups(metric, pack)


def check_network(config: TrialConfig) -> None:
    """Raise ConfigError where timm is not there, or has no network that fits `config`; torchvision's always do."""
    if is_timm(config.backbone):
        from skin_tune.model.timm_backbone import check_timm_network  # loads torch: not before the checks above

        check_timm_network(config)


def train_splits(include_val: bool) -> tuple[str, ...]:
    """The splits of a pack that are trained on."""
    return ("train", "val") if include_val else ("train",)
