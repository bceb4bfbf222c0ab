import math
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import balanced_accuracy_score, f1_score, log_loss

from skin_tune.config import AUGMENTATION_METHODS, TrialConfig
from skin_tune.errors import CheckpointError, ConfigError
from skin_tune.metrics import metrics_of, soft_macro_f1
from skin_tune.model.losses import class_balanced_weights
from skin_tune.training.checkpoint import load_checkpoint, resumable_config, save_checkpoint
from skin_tune.training.optimizer import schedule_factor
from skin_tune.training.trainer import Trainer, TrainingDivergedError
from tests.conftest import PackMaker


def small_config(**changes: object) -> TrialConfig:
    values = {
        "backbone": "resnet18",
        "weights": "none",
        "image_size": 32,
        "batch_size": 16,
        "epochs": 3,
        "learning_rate": 1e-3,
    }
    return TrialConfig.from_mapping({**values, **changes})


def tiny_config(**changes: object) -> TrialConfig:
    """Of a network that takes a tenth of the time, for what is the same with every network."""
    return small_config(**{"backbone": "timm/test_resnet", **changes})


def numbers(metrics: dict[str, float]) -> dict[str, float]:
    """Metrics without what depends on the clock."""
    return {name: value for name, value in metrics.items() if name not in ("epoch_seconds", "images_per_second")}


def test_training_learns_and_reports_every_metric_of_the_contract(make_pack: PackMaker):
    trainer = Trainer(small_config(epochs=4), make_pack())
    history = [trainer.run_epoch() for _ in range(4)]
    names = (
        "epoch train_loss train_acc val_loss val_acc val_balanced_acc val_macro_f1 val_mae val_within_one val_qwk "
        "val_recall_0 val_recall_1 val_recall_2 learning_rate images epoch_seconds images_per_second "
        "val_acc_adjusted val_balanced_acc_adjusted val_macro_f1_adjusted val_mae_adjusted val_within_one_adjusted "
        "val_qwk_adjusted val_soft_macro_f1_adjusted"
    )
    assert set(history[0]) == set(names.split())
    assert [metrics["epoch"] for metrics in history] == [1, 2, 3, 4]
    assert trainer.best_metrics["val_balanced_acc"] == max(metrics["val_balanced_acc"] for metrics in history) > 0.6
    assert trainer.finished


@pytest.mark.parametrize(
    ("loss", "oversample"), [("ce", "none"), ("cb", "none"), ("ce", "sqrt"), ("cb", "balanced"), ("focal", "none")]
)
def test_the_adjusted_metrics_are_those_of_probabilities_over_draws_times_weight(
    make_pack: PackMaker, loss: str, oversample: str
):
    pack = make_pack()
    trainer = Trainer(tiny_config(train_loss=loss, oversample=oversample, beta=0.99), pack)
    metrics = trainer.run_epoch()
    counts = pack.class_counts("train")
    assert trainer.targets.sum() == counts.sum()
    weight = class_balanced_weights(counts, 0.99).numpy() if loss == "cb" else np.ones(3)
    prior = trainer.targets * weight
    assert trainer.prior == pytest.approx(prior / prior.sum(), rel=1e-6)
    validation = trainer.validation
    assert validation is not None
    decided = (validation.probabilities / prior).argmax(axis=1)
    assert metrics["val_balanced_acc_adjusted"] == pytest.approx(balanced_accuracy_score(validation.labels, decided))
    assert metrics["val_macro_f1_adjusted"] == pytest.approx(f1_score(validation.labels, decided, average="macro"))
    without_prior = validation.probabilities / prior
    shares = without_prior / without_prior.sum(axis=1, keepdims=True)
    assert metrics["val_soft_macro_f1_adjusted"] == pytest.approx(soft_macro_f1(shares, validation.labels), rel=1e-5)


@pytest.mark.parametrize("metric", ["val_macro_f1_adjusted", "val_soft_macro_f1_adjusted"])
def test_the_adjusted_metric_can_choose_the_best_epoch(make_pack: PackMaker, metric: str):
    trainer = Trainer(tiny_config(train_loss="ce"), make_pack(), metric=metric)
    history = [trainer.run_epoch()[metric] for _ in range(3)]
    assert trainer.best_metrics[metric] == max(history)
    assert trainer.best_epoch == 1 + int(np.argmax(history))


def test_class_balanced_weights_come_from_the_counts_before_balancing(make_pack: PackMaker):
    # Recomputed from the balanced stream they would all be one, and the loss plain focal loss.
    pack = make_pack()
    trainer = Trainer(tiny_config(train_loss="cb", beta=0.99, oversample="balanced"), pack)
    assert trainer.targets.tolist() == [14, 14, 14]
    torch.testing.assert_close(trainer.loss.weight, class_balanced_weights([24, 12, 6], 0.99))
    trainer.run_epoch()
    torch.testing.assert_close(trainer.loss.weight, class_balanced_weights([24, 12, 6], 0.99))
    assert len(set(trainer.loss.weight.tolist())) == 3


@pytest.mark.parametrize(("epoch_images", "images"), [(0, 42), (20, 20), (-1, 72)])
def test_an_epoch_draws_as_many_images_as_it_says(make_pack: PackMaker, epoch_images: int, images: int):
    trainer = Trainer(tiny_config(oversample="balanced", epoch_images=epoch_images), make_pack())
    assert trainer.run_epoch()["images"] == images == trainer.targets.sum()


def test_the_same_seed_gives_the_same_numbers_and_another_seed_others(make_pack: PackMaker):
    pack = make_pack()
    first, second, other = (Trainer(tiny_config(seed=seed), pack).run_epoch() for seed in (5, 5, 6))
    assert numbers(first) == numbers(second)
    assert first["train_loss"] != other["train_loss"]


@pytest.mark.parametrize("optimizer", ["adamw", "adam", "sgd"])
def test_an_interrupted_and_resumed_training_equals_an_unbroken_one(
    make_pack: PackMaker, tmp_path: Path, optimizer: str
):
    methods = AUGMENTATION_METHODS
    config = tiny_config(optimizer=optimizer, dropout_prob=0.5, augment="all", augmentation_methods=methods)
    pack = make_pack()
    unbroken = Trainer(config, pack)
    expected = [numbers(unbroken.run_epoch()) for _ in range(3)]

    interrupted = Trainer(config, pack)
    interrupted.run_epoch()
    save_checkpoint(tmp_path / "last.pt", interrupted.state_dict())
    torch.manual_seed(99)  # whatever happened to the process in between
    content = load_checkpoint(tmp_path / "last.pt")
    resumed = Trainer(resumable_config(tmp_path / "last.pt", content), pack)
    resumed.load_state_dict(content)
    assert [numbers(resumed.run_epoch()) for _ in range(2)] == expected[1:]
    assert resumed.best_epoch == unbroken.best_epoch
    for name, value in unbroken.network.state_dict().items():
        assert torch.equal(resumed.network.state_dict()[name], value)


def test_without_oversampling_the_default_augments_and_added_does_not(make_pack: PackMaker):
    pack = make_pack()

    def first_loss(**changes: object) -> float:
        return Trainer(tiny_config(oversample="none", **changes), pack).run_epoch()["train_loss"]

    plain = first_loss(augmentation_methods="none")
    assert first_loss() != plain
    assert first_loss(augment="added") == plain
    assert first_loss(augmentation_methods="rotation blur", augmentation_strength=0) == plain


def test_validation_neither_changes_the_model_nor_depends_on_the_batch_size(make_pack: PackMaker):
    pack = make_pack()
    trainer = Trainer(tiny_config(), pack)
    trainer.run_epoch()
    before = {name: value.clone() for name, value in trainer.network.state_dict().items()}
    first = trainer.evaluate("val")
    for name, value in trainer.network.state_dict().items():
        assert torch.equal(before[name], value)
    smaller = Trainer(tiny_config(batch_size=2), pack)
    smaller.network.load_state_dict(before)
    np.testing.assert_allclose(smaller.evaluate("val").probabilities, first.probabilities, atol=1e-5)


def test_evaluation_agrees_with_its_own_probabilities(make_pack: PackMaker):
    pack = make_pack()
    trainer = Trainer(tiny_config(train_loss="cb"), pack)
    metrics = trainer.run_epoch()
    evaluation = trainer.evaluate("val")
    assert evaluation.subjects.tolist() == pack.subjects[pack.indices("val")].tolist()
    assert {len(column) for column in evaluation.columns()["about"].values()} == {len(evaluation.labels)}
    assert evaluation.confusion.sum() == 18
    assert metrics["val_loss"] == pytest.approx(log_loss(evaluation.labels, evaluation.probabilities), rel=1e-4)
    assert metrics["val_acc"] == metrics_of(evaluation.confusion, pack.classes, ordinal=True)["acc"]


def test_the_best_epoch_is_chosen_by_the_metric_asked_for(make_pack: PackMaker):
    trainer = Trainer(tiny_config(), make_pack(), metric="val_macro_f1")
    history = [trainer.run_epoch()["val_macro_f1"] for _ in range(3)]
    assert trainer.best_epoch == history.index(max(history)) + 1


@pytest.mark.parametrize(
    ("warmup_epochs", "scores", "best"),
    [
        (0, (0.9, 0.3, 0.4, 0.4, 0.3, 0.2), 1),
        (1, (0.9, 0.3, 0.4, 0.4, 0.3, 0.2), 3),
        (2, (0.8, 0.9, 0.1, 0.4, 0.3, 0.2), 4),
        (9, (0.8, 0.9, 0.7, 0.1, 0.3, 0.2), 5),  # a warm-up is half the run at most
        (1, (0.2, 0.3, 0.4, 0.5, 0.6, 0.7), 6),
    ],
)
def test_an_epoch_of_the_warm_up_is_kept_only_until_it_is_over(
    make_pack: PackMaker, monkeypatch: pytest.MonkeyPatch, warmup_epochs: int, scores: tuple[float, ...], best: int
):
    trainer = Trainer(tiny_config(warmup_epochs=warmup_epochs, epochs=6), make_pack())
    monkeypatch.setattr(trainer, "_validate", lambda: {"val_balanced_acc": scores[trainer.epoch - 1]})
    kept = []
    for _ in scores:
        trainer.run_epoch()
        kept.append(trainer.best_epoch)
    assert kept[:2] == [1, 2] if warmup_epochs != 0 else [1, 1]
    assert kept[-1] == best
    assert trainer.best_metrics["val_balanced_acc"] == scores[best - 1]


def test_a_loss_that_is_not_finite_ends_training_as_diverged(make_pack: PackMaker):
    trainer = Trainer(tiny_config(learning_rate=1e30, optimizer="sgd", warmup_epochs=0), make_pack())
    with pytest.raises(TrainingDivergedError, match=r"is (nan|inf) in epoch 1"):
        trainer.run_epoch()


def test_images_are_shrunk_to_the_size_of_the_config(make_pack: PackMaker):
    trainer = Trainer(small_config(image_size=16), make_pack(size=40))
    seen = []
    trainer.network.conv1.register_forward_pre_hook(lambda module, args: seen.append(args[0].shape[1:]))
    trainer.run_epoch()
    assert set(seen) == {(3, 16, 16)}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"image_size": 64}, "image_size=64 is larger than the pack's 32"),
        ({"batch_size": 43}, "batch_size=43 is larger than the training set of 42 images"),
        ({"batch_size": 16, "epoch_images": 15}, "batch_size=16 is larger than an epoch of 15 images"),
    ],
)
def test_a_config_that_asks_more_than_the_pack_holds_is_refused(
    make_pack: PackMaker, changes: dict[str, int], said: str
):
    with pytest.raises(ConfigError, match=said):
        Trainer(tiny_config(**changes), make_pack())


def test_a_checkpoint_of_another_model_pack_or_metric_is_refused(make_pack: PackMaker):
    pack = make_pack()
    state = Trainer(tiny_config(), pack).state_dict()
    with pytest.raises(CheckpointError, match="backbone=timm/test_resnet, not resnet18"):
        Trainer(small_config(), pack).load_state_dict(state)
    with pytest.raises(CheckpointError, match="pack_id"):
        Trainer(tiny_config(), make_pack(name="other", seed=1)).load_state_dict(state)
    with pytest.raises(CheckpointError, match="metric"):
        Trainer(tiny_config(), pack, metric="val_macro_f1").load_state_dict(state)


def test_files_that_are_no_checkpoint_are_refused(tmp_path: Path, make_pack: PackMaker):
    with pytest.raises(CheckpointError, match="does not exist"):
        load_checkpoint(tmp_path / "absent.pt")
    (tmp_path / "text.pt").write_text("hello")
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        load_checkpoint(tmp_path / "text.pt")
    torch.save({"format_version": 99}, tmp_path / "new.pt")
    with pytest.raises(CheckpointError, match="format version 99"):
        load_checkpoint(tmp_path / "new.pt")
    save_checkpoint(tmp_path / "best.pt", Trainer(tiny_config(), make_pack()).model_state())
    with pytest.raises(CheckpointError, match="holds a model alone"):
        resumable_config(tmp_path / "best.pt", load_checkpoint(tmp_path / "best.pt"))


def test_the_schedule_warms_up_then_falls_along_half_a_cosine():
    config = TrialConfig(epochs=10, warmup_epochs=2)
    assert schedule_factor(config, 1) == pytest.approx(0.5)
    assert schedule_factor(config, 2) == pytest.approx(1)
    assert schedule_factor(config, 6) == pytest.approx(0.5)
    assert schedule_factor(config, 10) == pytest.approx(0, abs=1e-12)
    assert schedule_factor(TrialConfig(epochs=10, schedule="constant"), 7) == 1
    # A warm-up as long as the run would never reach the rate asked for.
    assert schedule_factor(TrialConfig(epochs=2, warmup_epochs=9), 1) == pytest.approx(1)
    assert math.isclose(schedule_factor(TrialConfig(epochs=1, warmup_epochs=1), 1), 0, abs_tol=1e-12)


def test_a_checkpoint_says_whether_its_classes_are_ordinal_and_one_of_the_other_kind_is_refused(make_pack: PackMaker):
    pack_id = make_pack().info.pack_id
    ordinal = Trainer(tiny_config(), make_pack(name="ordinal", pack_id=pack_id))
    nominal = Trainer(tiny_config(), make_pack(name="nominal", pack_id=pack_id, ordinal=False))
    assert (ordinal.model_state()["ordinal"], nominal.model_state()["ordinal"]) == (True, False)
    with pytest.raises(CheckpointError, match="of nominal classes, not of ordinal ones"):
        ordinal.load_state_dict(nominal.state_dict())
    old = {name: value for name, value in ordinal.state_dict().items() if name != "ordinal"}
    ordinal.load_state_dict(old)
    with pytest.raises(CheckpointError, match="of ordinal classes, not of nominal ones"):
        nominal.load_state_dict(old)


def test_nominal_classes_have_no_metric_that_needs_an_order(make_pack: PackMaker):
    ordinal, nominal = (Trainer(tiny_config(), make_pack(name=str(kind), ordinal=kind)) for kind in (True, False))
    gaps = {f"val_{name}{decision}" for name in ("mae", "within_one", "qwk") for decision in ("", "_adjusted")}
    assert set(ordinal.run_epoch()) - set(nominal.run_epoch()) == gaps
    assert not gaps & set(nominal.best_metrics)
