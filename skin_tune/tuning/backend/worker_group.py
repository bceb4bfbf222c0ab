"""A trial on several workers: the same Trainer in each process of a Ray Train worker group.

Starting a group takes half a minute, so it outlives its trial as a reused actor does: its workers ask for one order
after the other. An order is a Tune config to train for one more epoch.
"""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import ray
import ray.train
import ray.train.torch
import torch
from ray import tune
from ray.train import FailureConfig, RunConfig, ScalingConfig

from skin_tune.data.pack.format import Pack
from skin_tune.errors import CheckpointError, ConfigError, PackError, StoreError
from skin_tune.storage.scratch import ScratchFolder
from skin_tune.text.escaping import one_line
from skin_tune.training.checkpoint import BackgroundSaver
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from skin_tune.tuning.backend.lost_workers import WorkersLostError, reason_of
from skin_tune.tuning.backend.resources import TrialResources
from skin_tune.tuning.trial.context import REGION, TRIAL_ID, Settings, WeightsTable
from skin_tune.tuning.trial.epochs import build_trainer, epoch_result, failure_result, next_epoch

_Result = TypeVar("_Result")


_CLOSING_SECONDS = 20
"""How long a group that is told to end may take to give its workers back, before it is ended by force."""


@dataclass(frozen=True)
class Order:
    """The next task of the workers."""

    number: int
    """From 1; a worker that has carried out one asks for what comes after it."""
    config: dict[str, Any]


class DistributedTrial(tune.Trainable):
    """TuneTrial on several workers: an epoch a step, carried out by a group that stays for the next trial."""

    def setup(
        self,
        config: dict[str, Any],
        settings: Settings,
        weights: WeightsTable,
        resources: TrialResources,
        max_failures: int,
    ) -> None:
        self._group = start_group(settings, weights, resources, max_failures)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        return True

    def step(self) -> dict[str, Any]:
        result: dict[str, Any] = ray.get(self._group.carry_out.remote(self.config))
        return result

    def cleanup(self) -> None:
        close_group(self._group)


class GroupOfWorkers:
    """A group outside a Tune run."""

    def __init__(self, settings: Settings, weights: WeightsTable, resources: TrialResources, max_failures: int):
        self._resources = resources
        self._group = start_group(settings, weights, resources, max_failures)

    def train_epoch(self, config: Mapping[str, Any]) -> Mapping[str, Any]:
        """As `Workers.train_epoch`."""
        try:
            result: Mapping[str, Any] = ray.get(self._group.carry_out.remote(dict(config)))
        except ray.exceptions.RayError as error:
            raise WorkersLostError(reason_of(error)) from None
        return result

    def run(self, function: Callable[..., _Result], *arguments: Any) -> _Result:
        """As `Workers.run`: where a worker was, as the group has ended."""
        self.close()
        task = ray.remote(num_cpus=self._resources.cpus, num_gpus=self._resources.gpus, max_retries=0)(function)
        try:
            result: _Result = ray.get(task.remote(*arguments))
        except ray.exceptions.RayError as error:
            raise WorkersLostError(reason_of(error)) from None
        return result

    def close(self) -> None:
        """End the group; its workers' resources are free on return."""
        group, self._group = self._group, None
        if group is not None:
            close_group(group)


def start_group(settings: Settings, weights: WeightsTable, resources: TrialResources, max_failures: int) -> Any:
    """A handle on a new WorkerGroup actor."""
    # Ray finds the dashboard, through which it frees a dead group's workers, by this variable.
    runtime_env = {"env_vars": {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}}
    threads = resources.workers + 3  # all may wait at once: the workers, a trial, and one that closes the group
    group = ray.remote(num_cpus=0, max_concurrency=threads, runtime_env=runtime_env)(WorkerGroup)
    return group.remote(settings, weights, resources, max_failures)


def close_group(group: Any) -> None:
    """End a group; its workers' resources are free on return."""
    try:
        ray.get(group.close.remote(), timeout=_CLOSING_SECONDS)
    except (ray.exceptions.RayError, TimeoutError):
        ray.kill(group)


class WorkerGroup:
    """The actor between a trial and its workers: it starts them with Ray Train and hands them orders.

    Where a worker dies, Ray Train replaces the whole group. The new one asks for orders as the first did, is given the
    one that is under way, and takes it up from the trial's last checkpoint.
    """

    def __init__(self, settings: Settings, weights: WeightsTable, resources: TrialResources, max_failures: int):
        self._settings, self._resources, self._max_failures = settings, resources, max_failures
        self._changed = threading.Condition()
        self._order: Order | None = None
        self._begun = 0
        self._failures: Counter[tuple[str, str]] = Counter()
        self._reason = "a worker's process died"
        self._result: dict[str, Any] | None = None
        self._closed = False
        arguments = {
            "group": ray.get_runtime_context().current_actor,
            "settings": settings,
            "weights": weights,
            "cpus": resources.cpus,
        }
        self._fit = threading.Thread(target=self._run, args=(arguments,), daemon=True)
        self._fit.start()

    def carry_out(self, config: dict[str, Any]) -> dict[str, Any]:
        """Have the workers train `config` for one more epoch; what the trial reports of it."""
        with self._changed:
            self._order = Order(self._order.number + 1 if self._order else 1, config)
            self._result = None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._result is not None or self._closed)
            if self._result is None:
                raise WorkersLostError(f"the workers of {config[TRIAL_ID]} ended: {self._reason}")
            return self._result

    def order_after(self, number: int, rank: int) -> Order | None:
        """The next order for a worker that has carried out `number` of them; None where the group is to end."""
        with self._changed:
            while not self._closed:
                order = self._order if self._result is None else None
                if order and order.number > number and (rank > 0 or self._may_begin(order)):
                    return order
                self._changed.wait()
            return None

    def deliver(self, number: int, result: dict[str, Any]) -> None:
        """The result of an order; only the first one counts."""
        with self._changed:
            if self._order is not None and self._order.number == number and self._result is None:
                self._result = result
                self._changed.notify_all()

    def lost(self, reason: str) -> None:
        """A worker is about to end, and all of the group with it."""
        self._reason = reason

    def close(self) -> None:
        """End the workers, and return when their resources are free."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._fit.join()

    def _may_begin(self, order: Order) -> bool:
        """Whether an order has been begun less often than is allowed; if not, its trial fails."""
        trial = (order.config[REGION], order.config[TRIAL_ID])
        if self._begun == order.number:
            self._failures[trial] += 1
        self._begun = order.number
        if self._failures[trial] <= self._max_failures:
            return True
        error = WorkersLostError(f"its workers were lost {self._failures[trial]} times: {self._reason}")
        self._result = failure_result(error, 0)
        self._changed.notify_all()
        return False

    def _run(self, arguments: dict[str, Any]) -> None:
        try:
            run_workers(arguments, self._resources)
        except Exception as error:
            self._reason = one_line(error)
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def run_workers(arguments: dict[str, Any], resources: TrialResources) -> None:
    """Have `resources.workers` processes of one torch.distributed group serve until they are told to end."""
    each = {"CPU": float(resources.cpus), **({"GPU": resources.gpus} if resources.gpus else {})}
    with ScratchFolder("ray") as notes:  # what Ray writes down for itself
        ray.train.torch.TorchTrainer(
            _serve,
            train_loop_config=arguments,
            scaling_config=ScalingConfig(
                num_workers=resources.workers, use_gpu=resources.gpus > 0, resources_per_worker=each
            ),
            run_config=RunConfig(
                name="workers",
                storage_path=str(notes),
                failure_config=FailureConfig(max_failures=-1),  # what a trial may lose is counted by its orders
            ),
        ).fit()


def _serve(arguments: dict[str, Any]) -> None:
    """The loop of each worker: one order after the other, in step with the others of its group."""
    group, settings, weights = arguments["group"], arguments["settings"], arguments["weights"]
    context = ray.train.get_context()
    rank, world_size = context.get_world_rank(), context.get_world_size()
    torch.set_num_threads(arguments["cpus"])
    packs: dict[str, Pack] = {}
    trainer: Trainer | None = None
    saver = BackgroundSaver()
    trial, number = ("", ""), 0
    while order := ray.get(group.order_after.remote(number, rank)):
        number, region = order.number, order.config[REGION]
        setting = settings[region]
        try:
            if region not in packs:
                packs[region] = setting.open_pack()
            restored = trainer is None or trial != (region, order.config[TRIAL_ID])
            if trainer is None or restored:
                trainer, trial = None, (region, order.config[TRIAL_ID])
                device = ray.train.torch.get_device()
                trainer = build_trainer(
                    order.config, setting, packs[region], weights, device=device, rank=rank, world_size=world_size
                )
            if restored and trainer.epoch:
                result = epoch_result(trainer, order.config, setting)
            else:
                result = next_epoch(trainer, saver, order.config, setting)
        except (ConfigError, CheckpointError, TrainingDivergedError) as error:  # all ranks raise it alike
            result = failure_result(error, trainer.epoch - 1 if trainer else 0)
            trainer = None
        except Exception as error:  # the other ranks would wait for this one for ever
            if isinstance(error, StoreError | PackError | torch.OutOfMemoryError):
                epochs = trainer.epoch - 1 if trainer else 0
                ray.get(group.deliver.remote(number, failure_result(error, epochs)))
            ray.get(group.lost.remote(one_line(error)))
            raise
        if rank == 0:
            ray.get(group.deliver.remote(number, result))
