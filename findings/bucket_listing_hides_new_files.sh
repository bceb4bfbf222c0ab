#!/usr/bin/env bash
# Packages: s3fs 2026.9.0, moto 5.2.5 (a bucket on this machine).
# Guess: a listing may be kept for a moment, but `exists` and `open` ask the bucket.
# What happens: s3fs keeps listings without end, and answers `exists`, `isfile`, `glob` and `cat_file` from them: a file that
#     another process wrote into a folder that was listed once does not exist for the rest of this one's life. `find` alone
#     does see it. `use_listings_cache=False`, or `invalidate_cache()` before each question, puts it right.
# Why it matters: a driver lists the runs' folder, a worker writes its checkpoint there, and the driver waits for it for ever
#     or takes the trial for one without a checkpoint.
# Seen:
#     exists: False, isfile: False, glob: ['old'], ls: ['old']
#     cat_file: FileNotFoundError, find: ['new', 'old']
#     use_listings_cache=False: exists: True, glob: ['new', 'old']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python s3fs==2026.9.0 "moto[s3,server]==5.2.5"
AWS_CONFIG_FILE=none AWS_SHARED_CREDENTIALS_FILE=none bin/python - <<'END'
import logging
import sys

from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

logging.getLogger("werkzeug").setLevel("ERROR")
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
options = {"key": "k", "secret": "s", "endpoint_url": f"http://{host}:{port}", "skip_instance_cache": True}
driver, worker = S3FileSystem(**options), S3FileSystem(**options)
without = S3FileSystem(**options, use_listings_cache=False)


def names(paths):
    return sorted(path.rpartition("/")[2] for path in paths)


driver.mkdir("bucket")
driver.pipe_file("bucket/run/old", b"epoch 1")
for bucket in (driver, without):
    bucket.ls("bucket/run")
worker.pipe_file("bucket/run/new", b"epoch 2")
stale = {
    "exists": driver.exists("bucket/run/new"),
    "isfile": driver.isfile("bucket/run/new"),
    "glob": names(driver.glob("bucket/run/*")),
    "ls": names(driver.ls("bucket/run")),
}
try:
    content = driver.cat_file("bucket/run/new")
except FileNotFoundError as error:
    content = type(error).__name__
found_all = names(driver.find("bucket/run"))
fresh = {"exists": without.exists("bucket/run/new"), "glob": names(without.glob("bucket/run/*"))}
print(", ".join(f"{name}: {found}" for name, found in stale.items()))
print(f"cat_file: {content}, find: {found_all}")
print("use_listings_cache=False:", ", ".join(f"{name}: {found}" for name, found in fresh.items()))
server.stop()
holds = list(stale.values()) == [False, False, ["old"], ["old"]] and list(fresh.values()) == [True, ["new", "old"]]
sys.exit(not (holds and content == "FileNotFoundError" and found_all == ["new", "old"]))
END
