#!/usr/bin/env bash
# Packages: s3fs 2026.9.0, universal-pathlib 0.3.10 (fsspec 2026.9.0).
# Guess: `isfile` is False where no file is, and raises where the bucket cannot be asked, as `exists`, `isdir` and `info` do.
# What happens: `isfile` of fsspec turns every error into False: no server, no permission, a broken connection. The other checks
#     raise, so that one path of a bucket that cannot be reached exists, raises and is no file at once.
# Why it matters: "if there is no checkpoint, begin anew": a network's hiccup of a second makes a resumed trial throw its
#     epochs away, or a finished model be trained again over the old one, without a word.
# Seen:
#     S3FileSystem.exists raises EndpointConnectionError
#     S3FileSystem.isdir raises EndpointConnectionError
#     S3FileSystem.info raises EndpointConnectionError
#     S3FileSystem.isfile gives False
#     UPath.exists raises EndpointConnectionError
#     UPath.is_file gives False
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python s3fs==2026.9.0 universal-pathlib==0.3.10
bin/python - <<'END'
import socket
import sys
from functools import partial

from s3fs import S3FileSystem
from upath import UPath

with socket.socket() as free:  # a port of this machine that nobody listens on
    free.bind(("127.0.0.1", 0))
    options = {
        "key": "k",
        "secret": "s",
        "endpoint_url": f"http://127.0.0.1:{free.getsockname()[1]}",
        "config_kwargs": {"retries": {"max_attempts": 0}},
    }
    bucket, path = S3FileSystem(**options), UPath("s3://bucket/run/last.pt", **options)
    names = ("exists", "isdir", "info", "isfile")
    checks = {f"S3FileSystem.{name}": partial(getattr(bucket, name), "bucket/run/last.pt") for name in names}
    checks |= {f"UPath.{name}": getattr(path, name) for name in ("exists", "is_file")}
    seen = {}
    for name, check in checks.items():
        try:
            seen[name] = f"gives {check()}"
        except Exception as error:
            seen[name] = f"raises {type(error).__name__}"
for name, what in seen.items():
    print(name, what)
silent = {name for name, what in seen.items() if what == "gives False"}
sys.exit(not ("S3FileSystem.isfile" in silent and seen["S3FileSystem.exists"].startswith("raises")))
END
