#!/usr/bin/env bash
# Packages: pillow 13.0.0, pillow-heif 1.8.1.
# Guess: Image.open gives the stored pixels, and ImageOps.exif_transpose turns them upright, for every format.
# What happens: right for JPEG, PNG, WebP and AVIF. TIFF is turned by Image.open already. A HEIC file with the orientation in
#     its EXIF alone lies on its side, and pillow-heif has set the tag to 1, so that exif_transpose leaves it so; what the
#     file said is in `info["original_orientation"]`.
# Why it matters: boxes of faces are in the coordinates of the stored or of the upright photo. Code that was right for a year
#     of JPEGs cuts the wrong part of a TIFF or a HEIC, and a crop of a cheek is graded as a forehead.
# Seen:
#     JPEG: stored as (64, 32), opened as (64, 32), tag 6, original not told; transposed (32, 64)
#     PNG: stored as (64, 32), opened as (64, 32), tag 6, original not told; transposed (32, 64)
#     WEBP: stored as (64, 32), opened as (64, 32), tag 6, original not told; transposed (32, 64)
#     AVIF: stored as (64, 32), opened as (64, 32), tag 6, original not told; transposed (32, 64)
#     TIFF: stored as (64, 32), opened as (32, 64), tag 6, original not told; transposed (32, 64)
#     HEIF: stored as (64, 32), opened as (64, 32), tag 1, original 6; transposed (64, 32)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python pillow==13.0.0 pillow-heif==1.8.1
bin/python - <<'END'
import io
import sys

import pillow_heif
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()
sizes = {}
for name in ("JPEG", "PNG", "WEBP", "AVIF", "TIFF", "HEIF"):
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    file = io.BytesIO()
    Image.new("RGB", (64, 32), "white").save(file, name, exif=exif)
    opened = Image.open(file)
    tag = opened.getexif().get(0x0112)
    upright = ImageOps.exif_transpose(opened)
    sizes[name] = (opened.size, upright.size)
    original = opened.info.get("original_orientation", "not told")
    print(f"{name}: stored as (64, 32), opened as {opened.size}, tag {tag}, original {original}; transposed {upright.size}")
turned = ((64, 32), (32, 64))
expected = dict.fromkeys(("JPEG", "PNG", "WEBP", "AVIF"), turned) | {"TIFF": ((32, 64),) * 2, "HEIF": ((64, 32),) * 2}
sys.exit(sizes != expected)
END
