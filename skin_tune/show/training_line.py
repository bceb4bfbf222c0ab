"""The live line of one training."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from skin_tune.text.wording import duration
from skin_tune.tuning.tracking.live_line import live_line

_SHOWN = ("train_loss", "val_balanced_acc", "val_macro_f1")


@contextmanager
def training_line(begin: str) -> Iterator[Callable[[Mapping[str, float], int], None]]:
    """A live line over epochs on a terminal, a line per epoch in a log: call it with (metrics, epochs).

    It says what is being done before the first epoch, at first `begin`, and after the last.
    """
    with live_line(begin) as line:

        def update(metrics: Mapping[str, float], epochs: int) -> None:
            epoch, heard_at = int(metrics["epoch"]), time.monotonic()
            scores = "  ".join(f"{name} {metrics[name]:.3f}" for name in _SHOWN if name in metrics)
            told = f"epoch {epoch}/{epochs}  {scores}"
            to_come = (epochs - epoch) * metrics.get("epoch_seconds", 0.0)

            def text(width: int) -> str:
                left = f"about {duration(max(0.0, to_come - (time.monotonic() - heard_at)))} left"
                whole = f"{told} | {left}"
                return whole if len(whole) <= width else f"epoch {epoch}/{epochs} | {left}"

            if not line.live:
                line.say(told)
            line.follow(text if epoch < epochs else lambda width: told)

        yield update
