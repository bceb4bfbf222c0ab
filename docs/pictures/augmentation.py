"""Draws augmentation.jpg, an artificial face under each method: `python docs/pictures/augmentation.py`."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

from skin_tune.config import AUGMENTATION_METHODS, TrialConfig
from skin_tune.data.loading.augmentation import augment, resize
from skin_tune.data.loading.randoms import RANDOMS_PER_DRAW
from skin_tune.data.synthetic.dataset import CAMERAS
from skin_tune.data.synthetic.face import draw_face, draw_photo
from skin_tune.regions import CATALOGUE

SIDE, DRAWS, MARGIN, LABEL = 80, 6, 3, 170
OUT = Path(__file__).with_name("augmentation.jpg")
ROWS = {
    "as it is": (),
    **{name.replace("_", " "): (name,) for name in AUGMENTATION_METHODS},
    "the default": TrialConfig.augmentation_methods,
    "all": AUGMENTATION_METHODS,
}


def face() -> torch.Tensor:
    """An artificial face, float32 [1, 3, SIDE, SIDE] in [0, 1]."""
    rng = np.random.default_rng(0)
    grades = {view.key: 3 for region in CATALOGUE.values() for view in region.views}
    photo, _ = draw_photo(rng, draw_face(rng, grades), CAMERAS["01"], turn=0.0)
    side = min(photo.size)
    left, top = (photo.width - side) // 2, (photo.height - side) // 2
    square = photo.crop((left, top, left + side, top + side))
    return resize(torch.from_numpy(np.array(square))[None], SIDE)


def main() -> None:
    step = SIDE + MARGIN
    picture = Image.new("RGB", (LABEL + DRAWS * step, len(ROWS) * step), "white")
    pen, font = ImageDraw.Draw(picture), ImageFont.load_default(15)
    randoms = torch.rand(DRAWS, RANDOMS_PER_DRAW, generator=torch.Generator().manual_seed(3))
    for row, (name, methods) in enumerate(ROWS.items()):
        pen.text((MARGIN, row * step + SIDE / 2), name, "black", font, anchor="lm")
        images = augment(face().expand(DRAWS, -1, -1, -1), randoms, methods)
        levels = (images * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
        for column, pixels in enumerate(levels):
            picture.paste(Image.fromarray(pixels), (LABEL + column * step, row * step))
    picture.save(OUT, quality=80, optimize=True)


if __name__ == "__main__":
    main()
