#!/usr/bin/env bash
# Packages: pillow 13.0.0 (with LittleCMS 2.19), numpy 2.4.6.
# Guess: ImageCms.buildTransform converts each grey level by the curve of the profile, right to a level or so at 8 bits.
# What happens: LittleCMS "optimises" a transform by replacing it with a table that is interpolated. For a grey profile of
#     gamma 1 dark levels are up to ten off: level 2 becomes 12, not the 22 of Flags.NOOPTIMIZE and of the formula of
#     sRGB. Flags.HIGHRESPRECALC does not mend it.
# Why it matters: linear grey scans and polarised-light photos are dark. Their shadows, which pores and wrinkles are, come out
#     flatter than those of other devices, and the device is often what the grade goes with.
# Seen:
#     sRGB by formula:    [ 0 13 22 28 34 38 42 46]
#     NONE              : [ 0  6 12 19 25 31 37 43], at most 9.7 levels off
#     HIGHRESPRECALC    : [ 0  7 15 22 30 37 42 45], at most 6.7 levels off
#     NOOPTIMIZE        : [ 0 13 22 28 34 38 42 46], at most 0.5 levels off
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python pillow==13.0.0 numpy==2.4.6
bin/python - <<'END'
import io
import struct
import sys

import numpy as np
from PIL import Image, ImageCms


def linear_grey_profile():
    """A valid ICC profile, version 2, of grey with gamma 1."""
    white = struct.pack(">3i", 63190, 65536, 54061)
    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"grey\0" + bytes(78) + bytes(1),
        b"cprt": b"text" + bytes(4) + b"none\0" + bytes(3),
        b"wtpt": b"XYZ " + bytes(4) + white,
        b"kTRC": b"curv" + bytes(4) + struct.pack(">IHH", 1, 256, 0),
    }
    table, data = struct.pack(">I", len(tags)), b""
    for name, tag in tags.items():
        table += name + struct.pack(">II", 128 + 4 + 12 * len(tags) + len(data), len(tag))
        data += tag + bytes(-len(tag) % 4)
    size = 128 + len(table) + len(data)
    head = struct.pack(">I4xI", size, 0x02400000) + b"mntrGRAYXYZ " + struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp"
    return head.ljust(68, b"\0") + white.ljust(60, b"\0") + table + data


ramp = np.arange(256, dtype=np.uint8)[None]
linear = ramp[0] / 255
formula = 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
profile, srgb = ImageCms.ImageCmsProfile(io.BytesIO(linear_grey_profile())), ImageCms.createProfile("sRGB")
off = {}
print(f"sRGB by formula:    {formula[:8].round().astype(int)}")
for name in ("NONE", "HIGHRESPRECALC", "NOOPTIMIZE"):
    transform = ImageCms.buildTransform(profile, srgb, "L", "RGB", flags=ImageCms.Flags[name])
    got = np.asarray(ImageCms.applyTransform(Image.fromarray(ramp), transform))[0, :, 0]
    off[name] = np.abs(got - formula).max()
    print(f"{name:18}: {got[:8]}, at most {off[name]:.1f} levels off")
sys.exit(not (off["NOOPTIMIZE"] < 1.5 and off["NONE"] > 5 and off["HIGHRESPRECALC"] > 5))
END
