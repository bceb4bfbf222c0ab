"""A trial as a TensorBoard run: its hyper-parameters and the metrics of its epochs, in event files.

tensorboard is an extra: it is imported when the first file is written.
"""

import time
from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from skin_tune.errors import ExperimentError
from skin_tune.storage.files import Location, is_local
from skin_tune.text.numbers import none_if_nan

_FILES = "events.out.tfevents.*"


def check_tensorboard(storage: Location) -> None:
    """Raise ExperimentError where event files cannot be written: below a bucket, or without tensorboard."""
    if not is_local(storage):
        raise ExperimentError(
            f"--tensorboard writes event files to a folder, and --storage {str(storage)!r} is a bucket; "
            "give a folder that the machines share, or --no-tensorboard"
        )
    if find_spec("tensorboard") is None:
        raise ExperimentError(
            "--tensorboard needs tensorboard, not installed here: pip install 'skin-tune[tensorboard]'"
        )


class TrialEvents:
    """The event files of one trial. Each epoch is written once, whichever run of the experiment does it.

    `name` is that of the trial in the HPARAMS tab, `config` its hyper-parameters, None for what is dead; `history` are
    its epochs in the store. Without any, files that are in `folder` are of another trial, and are removed.

    The HPARAMS tab is built from what the trials say of themselves: of lists for the whole experiment, which the format
    has, too, TensorBoard takes one, and hides hyper-parameters that are dead in the trial that wrote it.
    """

    def __init__(self, folder: Path, name: str, config: Mapping[str, Any], history: Iterable[Mapping[str, Any]]):
        from tensorboard.plugins.hparams.summary_v2 import hparams_pb
        from tensorboard.summary.writer.event_file_writer import EventFileWriter

        epochs = list(history)
        if not epochs:
            for file in folder.glob(_FILES):
                file.unlink()
        self._written = _epochs_in(folder)
        begun = any(folder.glob(_FILES))
        self._writer = EventFileWriter(str(folder))
        if not begun:
            live = {key: value for key, value in config.items() if value is not None}
            self._add(hparams_pb(live, trial_id=name))
        for metrics in epochs:
            self.log(metrics)

    def log(self, metrics: Mapping[str, Any]) -> None:
        """Write an epoch's metrics, of which TensorBoard keeps seven digits; gaps are left out."""
        from tensorboard.compat.proto.summary_pb2 import Summary

        epoch = metrics["epoch"]
        if epoch in self._written:
            return
        figures = {key: value for key, value in metrics.items() if key not in ("epoch", "trial_id")}
        values = [
            Summary.Value(tag=key, simple_value=value)
            for key, value in figures.items()
            if none_if_nan(value) is not None
        ]
        self._add(Summary(value=values), epoch)
        self._written.add(epoch)

    def end(self, succeeded: bool) -> None:
        """Say that the trial is over."""
        from tensorboard.compat.proto.summary_pb2 import Summary
        from tensorboard.plugins.hparams import api_pb2, metadata, plugin_data_pb2

        status = api_pb2.STATUS_SUCCESS if succeeded else api_pb2.STATUS_FAILURE
        ended = plugin_data_pb2.SessionEndInfo(status=status, end_time_secs=time.time())
        about = metadata.create_summary_metadata(plugin_data_pb2.HParamsPluginData(session_end_info=ended))
        value = Summary.Value(tag=metadata.SESSION_END_INFO_TAG, metadata=about, tensor=metadata.NULL_TENSOR)
        self._add(Summary(value=[value]))

    def close(self) -> None:
        self._writer.close()

    def _add(self, summary: Any, step: int = 0) -> None:
        from tensorboard.compat.proto.event_pb2 import Event

        self._writer.add_event(Event(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()  # what is there when this process is killed is whole


def _epochs_in(folder: Path) -> set[int]:
    """The epochs that are in event files already."""
    from tensorboard.backend.event_processing.event_accumulator import SCALARS, EventAccumulator

    if not any(folder.glob(_FILES)):
        return set()
    events = EventAccumulator(str(folder), size_guidance={SCALARS: 0}).Reload()
    return {scalar.step for tag in events.Tags()[SCALARS] for scalar in events.Scalars(tag)}
