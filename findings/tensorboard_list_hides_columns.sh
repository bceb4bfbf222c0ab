#!/usr/bin/env bash
# Packages: tensorboardX 2.6.5 (PyTorch's add_hparams and Ray's TBXLoggerCallback write the same), tensorboard 2.21.0.
# Guess: the HPARAMS tab has a column for each hyper-parameter that any run has written.
# What happens: each run also writes a list of hyper-parameters and metrics, meant for the whole experiment. TensorBoard takes
#     the first of these lists that it finds and shows its columns alone. Without any list it goes through the runs, and shows
#     all.
# Why it matters: where hyper-parameters depend on others (gamma on the loss), the run whose list is taken hides those that
#     it does not have: no column, no filter, no parallel coordinates.
# Seen:
#     with the lists of add_hparams: ['gamma', 'loss']
#     without: ['gamma', 'loss', 'smoothing']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python tensorboardX==2.6.5 tensorboard==2.21.0 numpy==2.4.6 protobuf==7.36.2
bin/python - 2>/dev/null <<'END'
import json
import sys
import urllib.request

from tensorboard import default, program
from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams


def columns(folder, first):
    """Names in the HPARAMS tab; `first` is 0 with the list that hparams makes, 1 without."""
    for run, values in {"a": {"loss": "ce", "smoothing": 0.1}, "b": {"loss": "focal", "gamma": 2.0}}.items():
        with SummaryWriter(f"{folder}/{run}") as writer:
            for summary in hparams(values, {"accuracy": 0.5})[first:]:
                writer.file_writer.add_summary(summary)
            writer.add_scalar("accuracy", 0.5, 1)
    board = program.TensorBoard(plugins=default.get_plugins())
    board.configure(argv=["", "--logdir", folder, "--load_fast", "false", "--port", "0"])
    url, kind = board.launch(), {"Content-Type": "application/json"}
    ask = urllib.request.Request(f"{url}data/plugin/hparams/experiment", b'{"hparamsLimit": 0}', kind)
    return sorted(about["name"] for about in json.load(urllib.request.urlopen(ask))["hparamInfos"])


listed, unlisted = columns("listed", 0), columns("unlisted", 1)
print(f"with the lists of add_hparams: {listed}\nwithout: {unlisted}")
sys.exit(not (len(listed) == 2 and unlisted == ["gamma", "loss", "smoothing"]))
END
