"""A network in the place of the loop's ResNet-18, for tests that are not about what it learns."""

from torch import nn

from benchmarks.opponents.recipe import Recipe


def build_tiny(recipe: Recipe, classes: int) -> nn.Module:
    """Eight channels of 3x3, their means, a classifier."""
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(8, classes),
    )
