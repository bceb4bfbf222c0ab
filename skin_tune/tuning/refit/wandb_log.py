"""The wandb run of a refit: its epochs, its test figures and, where it is asked for, its model."""

from collections.abc import Mapping, Sequence

from skin_tune.results.report.card_facts import CardFacts
from skin_tune.results.store.notes import read_note
from skin_tune.training.checkpoint import load_run
from skin_tune.tuning.refit.model_artifact import artifact_files, artifact_metadata, upload_seconds
from skin_tune.tuning.refit.plan import Member, RefitPlan
from skin_tune.tuning.tracking.wandb_artifacts import CHAMPION, artifact_name
from skin_tune.tuning.tracking.wandb_client import WandbLog, WandbProcess


class RefitLog:
    """The epochs of a refit, those before an interruption included, and its wandb run.

    The epochs of a combination are those of its members, one after the other.
    """

    def __init__(self, plan: RefitPlan):
        self._plan = plan
        self.epochs: dict[int, Mapping[str, float]] = {}
        for member in plan.members:
            last = plan.checkpoints_of(member.model) / "last.pt"
            for metrics in load_run(last)["history"] if last.is_file() else ():
                self._keep(member, metrics)
        self._facts: CardFacts | None = None
        self._status = ""
        self._process = WandbProcess(plan.paths.storage, plan.request.wandb)
        self._wandb = WandbLog(self._process, plan.region, plan.request.experiment)
        self._wandb.on_restart(self._start_again)
        self._start()

    @property
    def seconds(self) -> float:
        return sum(row["epoch_seconds"] for row in self.epochs.values())

    def add(self, member: Member, metrics: Mapping[str, float]) -> Mapping[str, float]:
        """Log an epoch of a member; returns its metrics with its number among all epochs."""
        numbered = self._keep(member, metrics)
        self._wandb.log(self._plan.model, numbered)
        return numbered

    def result(self, facts: CardFacts) -> None:
        """Log the test figures and, where it is asked for, the model; the files of the refit are written."""
        self._facts = facts
        self._wandb.test(self._plan.model, facts.metrics, facts.confusion, self._plan.pack.classes)
        if self._plan.request.wandb_artifacts:
            name = artifact_name(self._plan.region, self._plan.request.experiment)
            files, metadata = artifact_files(self._plan), artifact_metadata(self._plan, facts)
            self._wandb.artifact(self._plan.model, name, files, metadata)

    def close(self, status: str) -> str:
        """Close the wandb run, unless the refit was interrupted and will continue it; messages about the run."""
        if status != "interrupted":
            self._status = status
            self._wandb.end(self._plan.model, {"status": status})
        uploads = self._facts is not None and self._plan.request.wandb_artifacts
        return self._process.close(upload_seconds(self._plan) if uploads else 0.0)

    def _keep(self, member: Member, metrics: Mapping[str, float]) -> Mapping[str, float]:
        number = member.epochs_before + int(metrics["epoch"])
        self.epochs[number] = {**metrics, "epoch": number}
        return self.epochs[number]

    def _start(self) -> None:
        self._wandb.start(self._plan.model, self._plan.hyper_parameters, list(self.epochs.values()))

    def _start_again(self, lost: Sequence[str]) -> None:
        """Send again what a writer of the run that was killed may not have written."""
        if not lost:
            return
        self._start()
        if self._facts is not None:
            self.result(self._facts)
        if self._status:
            self._wandb.end(self._plan.model, {"status": self._status})


def log_complete(plan: RefitPlan, facts: CardFacts) -> str:
    """Log the model of a refit that is complete, where it is asked for and was not done; messages about the run."""
    if not plan.request.wandb_artifacts:
        return ""
    noted = read_note(plan.paths.wandb_state(plan.region, plan.request.experiment, plan.model))
    if isinstance(name := noted.get("artifact"), str):
        return f"wandb: artifact {name}:{CHAMPION} was logged before"
    log = RefitLog(plan)
    log.result(facts)
    return log.close("completed")
