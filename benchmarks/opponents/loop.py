"""A hand-written training loop: plain PyTorch and torchvision, nothing of skin-tune."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from sklearn.metrics import recall_score
from torch import Tensor, nn
from torch.utils.data import DataLoader, Dataset, RandomSampler, Sampler, WeightedRandomSampler
from torchvision.models import resnet18
from torchvision.transforms import v2

from benchmarks.opponents.recipe import Recipe, decide, loss_of, loss_weights, rate_factor, trained_prior

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
_MAX_GRADIENT_NORM = 5.0
_WORKERS_BESIDE_A_GPU = 8


class Photos(NamedTuple):
    """Images of one split."""

    images: npt.NDArray[np.uint8]
    """[N, H, H, 3]"""
    labels: npt.NDArray[np.int64]
    """[N]"""


class Epoch(NamedTuple):
    """A network after an epoch."""

    number: int
    """From 1."""
    drawn: int
    """Images the epoch was trained on."""
    val_balanced_acc: float
    network: nn.Module
    """Trained on by the next epoch: copy what is to be kept."""


class _Augmented(Dataset[tuple[Tensor, int]]):
    def __init__(self, photos: Photos, transform: Any):
        self.photos, self.transform = photos, transform

    def __len__(self) -> int:
        return len(self.photos.labels)

    def __getitem__(self, row: int) -> tuple[Tensor, int]:
        image = torch.from_numpy(self.photos.images[row].copy()).permute(2, 0, 1)
        return self.transform(image), int(self.photos.labels[row])


def train_epochs(recipe: Recipe, train: Photos, val: Photos, classes: int) -> Iterator[Epoch]:
    """Train, and give the network after each epoch; an epoch that nobody asks for is not trained."""
    torch.manual_seed(recipe.seed)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    counts = np.bincount(train.labels, minlength=classes)
    weights = torch.tensor(loss_weights(recipe, counts), dtype=torch.float32, device=device)
    loader = training_loader(recipe, train, counts, device)
    network = build_network(recipe, classes).to(device, memory_format=torch.channels_last)
    optimizer = build_optimizer(recipe, network)
    steps = len(loader)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_factor(recipe, (step + 0.5) / steps))
    for number in range(1, recipe.epochs + 1):
        network.train()
        drawn = 0
        for batch, targets in loader:
            images = batch.to(device, memory_format=torch.channels_last, non_blocking=True)
            labels = targets.to(device, non_blocking=True)
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                logits = network(images)
            loss = loss_of(recipe, logits.float(), labels, weights)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            nn.utils.clip_grad_norm_(network.parameters(), _MAX_GRADIENT_NORM)
            optimizer.step()
            schedule.step()
            drawn += len(labels)
        yield Epoch(number, drawn, balanced_accuracy(val.labels, predict(recipe, network, val, counts)), network)


def build_network(recipe: Recipe, classes: int) -> nn.Module:
    """A ResNet-18 with dropout before its classifier."""
    network: nn.Module = resnet18(weights=None)
    network.fc = nn.Sequential(nn.Dropout(recipe.dropout), nn.Linear(512, classes))
    return network


def build_optimizer(recipe: Recipe, network: nn.Module) -> torch.optim.Optimizer:
    """AdamW without weight decay on biases and normalisation."""
    matrices = [parameter for parameter in network.parameters() if parameter.ndim > 1]
    vectors = [parameter for parameter in network.parameters() if parameter.ndim <= 1]
    groups: list[dict[str, Any]] = [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=recipe.learning_rate, weight_decay=recipe.weight_decay)


def training_loader(
    recipe: Recipe, train: Photos, counts: npt.NDArray[np.int64], device: torch.device
) -> DataLoader[tuple[Tensor, int]]:
    """Batches of an epoch as long as `train`, but for a last batch of one, which batch normalisation cannot take."""
    generator = torch.Generator().manual_seed(recipe.seed)
    dataset = _Augmented(train, transform(recipe, training=True))
    sampler: Sampler[int] = RandomSampler(dataset, generator=generator)
    if recipe.oversample:
        chances = (1 / counts[train.labels]).tolist()
        sampler = WeightedRandomSampler(chances, len(train.labels), generator=generator)
    return DataLoader(
        dataset,
        batch_size=recipe.batch_size,
        sampler=sampler,
        drop_last=len(train.labels) % recipe.batch_size == 1,
        num_workers=_WORKERS_BESIDE_A_GPU if device.type == "cuda" else 0,
        persistent_workers=device.type == "cuda",
        pin_memory=device.type == "cuda",
        generator=generator,
    )


def transform(recipe: Recipe, *, training: bool) -> Any:
    """From uint8 [3, H, H] to normalised float32 [3, image_size, image_size]."""
    size = (recipe.image_size, recipe.image_size)
    resize = [v2.Resize(size, antialias=True)]
    if training and recipe.augment:
        resize = [v2.RandomResizedCrop(size, scale=(0.5, 1.0), antialias=True), v2.RandomHorizontalFlip()]
    return v2.Compose([*resize, v2.ToDtype(torch.float32, scale=True), v2.Normalize(_MEAN, _STD)])


@torch.no_grad()
def predict(recipe: Recipe, network: nn.Module, photos: Photos, counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """The class of each photo [N]; `counts` [K] are the training images of each class."""
    device = next(network.parameters()).device
    network.eval()
    parts = []
    for images, _ in DataLoader(_Augmented(photos, transform(recipe, training=False)), 2 * recipe.batch_size):
        with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
            parts.append(network(images.to(device, memory_format=torch.channels_last)).float().cpu())
    return decide(torch.cat(parts).numpy(), trained_prior(recipe, counts) if recipe.adjusted else None)


def balanced_accuracy(labels: npt.NDArray[np.int64], predicted: npt.NDArray[np.int64]) -> float:
    """Mean recall over the classes that `labels` has."""
    return float(recall_score(labels, predicted, labels=np.unique(labels), average="macro", zero_division=0))
