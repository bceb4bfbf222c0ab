"""What `skin-tune watch` costs beside a run with many trials, and how soon its page has a new epoch."""

import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import numpy as np
import psutil

from benchmarks.rows import Row
from skin_tune.results.store.schema import now
from skin_tune.results.store.writer import ExperimentWriter

_METRIC = "val_balanced_acc"
_APART_SECONDS = 20
_RARE = 2000
"""The number from which on epochs end so far apart."""

Moments = dict[int, float]
"""Seconds of the clock, by epoch."""


def measure(trials: int = 500, epochs: int = 30, seconds: int = 60) -> list[Row]:
    """Share of a core, and seconds until a page has a new epoch.

    A run with so many epochs writes its store once in a few seconds: at most a twentieth of its time goes there.
    That is what epochs wait for that end every second.
    """
    with tempfile.TemporaryDirectory() as folder:
        storage = Path(folder)
        writer = ExperimentWriter(storage, "neck", "big")
        for trial in range(trials):
            _write_trial(writer, f"big-{trial:03d}", epochs)
        writer.flush()
        server = subprocess.Popen(
            [sys.executable, "-m", "skin_tune", "watch", "--storage", storage], stdout=subprocess.PIPE, text=True
        )
        try:
            assert server.stdout is not None
            address = server.stdout.readline().split()[0]
            share, ended, written, told = _follow(writer, server.pid, address, seconds)
        finally:
            server.terminate()
            server.wait()
        writer.close()
    from_store = max(told[epoch] - at for epoch, at in written.items())
    busy, rare = (
        [told[epoch] - at for epoch, at in ended.items() if (epoch < _RARE) is often] for often in (True, False)
    )
    store = f"a store of {trials} trials x {epochs} epochs"
    return [
        Row(f"skin-tune watch, a page open, an epoch a second in {store}", 100 * share, "%", "<= 5", share <= 0.05),
        Row("from that store to the page, longest of 65 epochs", from_store, "s", "<= 3", from_store <= 3),
        Row("from an epoch's end to the page, 20 s apart, longest of 5", max(rare), "s", "<= 3", max(rare) <= 3),
        Row("from an epoch's end to the page, 1 s apart, median", statistics.median(busy), "s", "-", True),
    ]


def _write_trial(writer: ExperimentWriter, name: str, epochs: int) -> None:
    rng = np.random.default_rng(int(name[-3:]))
    rates = {"learning_rate": float(10 ** rng.uniform(-5, -2)), "dropout_prob": float(rng.uniform(0, 0.6))}
    config = {**rates, "backbone": "resnet50", "train_loss": "cb", "epochs": epochs}
    hyper_parameters = {f"config/{key}": value for key, value in config.items()}
    writer.update_trial(name, status="completed", started_at=now(), ended_at=now(), pack_id="p", **hyper_parameters)
    for epoch in range(1, epochs + 1):
        _add_epoch(writer, name, epoch, float(rng.uniform(0.3, 0.8)))


def _add_epoch(writer: ExperimentWriter, trial: str, epoch: int, score: float) -> None:
    metrics = {"epoch": epoch, "train_loss": 1.0, _METRIC: score, "val_macro_f1": score, "images": 1000}
    writer.update_trial(trial, epochs=epoch, seconds=60.0 * epoch, gpu_seconds=60.0 * epoch)
    writer.add_epoch(trial, metrics)
    writer.record_best(trial, metrics, None)


def _follow(
    writer: ExperimentWriter, process: int, address: str, seconds: int
) -> tuple[float, Moments, Moments, Moments]:
    """The server's share of a core; when each new epoch ended, when it was in the store, and when a page had it."""
    ended: Moments = {}
    written: Moments = {}
    told: Moments = {}
    over = threading.Event()
    page = threading.Thread(target=_page, args=(address, over, told))
    _news(address, "")  # what it has to read first is no part of what it costs beside a run
    page.start()
    time.sleep(3)
    server = psutil.Process(process)
    started, spent = time.monotonic(), sum(server.cpu_times()[:2])
    for epoch in range(1, seconds + 1):
        _add_epoch(writer, "big-000", 1000 + epoch, 0.5)
        writer.update_trial("big-000", status="running")
        ended[1000 + epoch] = time.monotonic()
        until = started + epoch
        while time.monotonic() < until:  # as a run does: what has changed is written now and then
            if writer.due():
                _flush(writer, ended, written)
            time.sleep(0.05)
    share = (sum(server.cpu_times()[:2]) - spent) / (time.monotonic() - started)
    for epoch in range(_RARE, _RARE + 5):
        _flush(writer, ended, written)
        time.sleep(_APART_SECONDS)
        _add_epoch(writer, "big-000", epoch, 0.5)
        ended[epoch] = time.monotonic()
        while not writer.due():
            time.sleep(0.05)
    _flush(writer, ended, written)
    time.sleep(3)
    over.set()
    page.join()
    return share, ended, written, told


def _flush(writer: ExperimentWriter, ended: Moments, written: Moments) -> None:
    writer.flush()
    for epoch in ended:
        written.setdefault(epoch, time.monotonic())


def _page(address: str, over: threading.Event, told: Moments) -> None:
    """Ask as the page does, and note when each epoch of the trial that runs was first told."""
    version = ""
    while not over.wait(1):
        news = _news(address, version)
        if news is None:
            continue
        version = news["version"]
        for trial in news["trials"]:
            if trial["id"] == "big-000":
                for epoch, _ in trial["points"]:
                    told.setdefault(epoch, time.monotonic())


def _news(address: str, version: str) -> dict[str, Any] | None:
    with urlopen(f"{address}experiment.json?region=neck&name=big&since={version}") as answer:
        return None if answer.status == 204 else json.load(answer)
