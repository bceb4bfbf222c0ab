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
from skin_tune.results.store.tables import ExperimentWriter

_METRIC = "val_balanced_acc"

Moments = dict[int, float]
"""Seconds of the clock, by epoch."""


def measure(trials: int = 500, epochs: int = 30, seconds: int = 60) -> list[Row]:
    """Share of a core, and seconds until a page has a new epoch, while one ends every second.

    A run with so many epochs writes its store once in a few seconds: at most a twentieth of its time goes there.
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
    delays = [told[epoch] - at for epoch, at in written.items()]
    median, worst = statistics.median(delays), max(delays)
    whole = statistics.median(told[epoch] - at for epoch, at in ended.items())
    beside = f"beside a store of {trials} trials x {epochs} epochs, one new epoch a second"
    return [
        Row(f"skin-tune watch, one page open, {beside}", 100 * share, "% of a core", "<= 5", share <= 0.05),
        Row("from the store to a page that is open, median", median, "s", "<= 3", median <= 3),
        Row("from the store to a page that is open, longest", worst, "s", "<= 3", worst <= 3),
        Row(
            "from the end of such an epoch to that page, its wait for the store included, median", whole, "s", "-", True
        ),
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
