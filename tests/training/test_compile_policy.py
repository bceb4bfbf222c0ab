import pytest

from skin_tune.config import TrialConfig
from skin_tune.training.compile_policy import compiling_pays, wants_compiling


@pytest.mark.parametrize(
    ("compile", "on_gpu", "pays", "workers", "wanted"),
    [
        ("auto", True, True, 1, True),
        ("auto", True, False, 1, False),
        ("auto", False, True, 1, False),
        ("on", False, False, 1, True),
        ("on", True, True, 2, False),
        ("off", True, True, 1, False),
    ],
)
def test_auto_compiles_on_a_gpu_where_it_pays(compile: str, on_gpu: bool, pays: bool, workers: int, wanted: bool):
    config = TrialConfig(compile=compile)
    assert wants_compiling(config, on_gpu=on_gpu, workers=workers, pays=pays) == wanted


@pytest.mark.parametrize(
    ("images", "size", "pays"),
    [(1_000_000, 224, True), (999_999, 224, False), (4_000_000, 112, True), (3e6, 112, False)],
)
def test_a_quarter_of_the_pixels_takes_four_times_the_images(images: float, size: int, pays: bool):
    assert compiling_pays(images, size) == pays
