from types import SimpleNamespace

import numpy as np
from ray.tune.schedulers import ASHAScheduler, TrialScheduler

from skin_tune.tuning.search.asha import AshaRungs
from skin_tune.tuning.search.multi_region import RegionScheduler


def trial(name: str) -> SimpleNamespace:
    return SimpleNamespace(trial_id=name, config={"trial_id": name, "region": "lip_dryness"})


def decisions(scheduler: object, scores: np.ndarray, order: np.ndarray) -> list[tuple[int, int]]:
    """(trial, epoch) at which each trial was stopped, when trials report in `order`."""
    running = dict.fromkeys(range(len(scores)), 0)
    trials = {number: trial(str(number)) for number in running}
    for one in trials.values():
        scheduler.on_trial_add(None, one)  # type: ignore[attr-defined]
    stopped = []
    for number in order.tolist():
        if number not in running:
            continue
        running[number] += 1
        best = float(scores[number, : running[number]].max())
        result = {"epoch": running[number], "best_val_balanced_acc": best}
        decision = scheduler.on_trial_result(None, trials[number], result)  # type: ignore[attr-defined]
        if decision == TrialScheduler.STOP:
            stopped.append((number, running.pop(number)))
    return stopped


def test_it_decides_as_rays_asha_does_of_the_best_epochs():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        scores = rng.random((12, 9))
        order = rng.permutation(np.repeat(np.arange(12), 9))
        theirs = ASHAScheduler(
            time_attr="epoch", metric="best_val_balanced_acc", mode="max", max_t=9, grace_period=1, reduction_factor=3
        )
        ours = RegionScheduler({"lip_dryness": AshaRungs("val_balanced_acc", 1, 3, 9, {})})
        early = [(number, epoch) for number, epoch in decisions(theirs, scores, order) if epoch < 9]
        assert decisions(ours, scores, order) == early


def test_rungs_are_rebuilt_from_history():
    history = {"a": {1: 0.5, 2: 0.9, 3: 0.6}, "b": {1: 0.4}, "c": {1: 0.1, 2: 0.2, 3: 0.3}}

    def falls_short(epoch: int, best: float) -> bool:
        rungs = AshaRungs("val_balanced_acc", 1, 3, 9, history)
        # A trial that goes on is not entered again where it was before it was interrupted.
        assert not rungs.falls_short("c", 3, 0.0)
        return rungs.falls_short("new", epoch, best)

    # The upper tercile goes on: from 0.4 + 0.1 / 3 of 0.1, 0.4 and 0.5, from 0.3 + 2 x 0.6 / 3 of 0.3 and 0.9.
    assert [falls_short(1, best) for best in (0.2, 0.43, 0.44, 0.6)] == [True, True, False, False]
    assert [falls_short(3, best) for best in (0.69, 0.71)] == [True, False]
    assert not falls_short(2, 0.0)


def test_rungs_are_counted_from_the_end_of_the_warm_up():
    rungs = AshaRungs("val_balanced_acc", 1, 3, 12, {}, after=2)
    assert not any(rungs.falls_short("first", epoch, 0.9) for epoch in range(1, 13))
    falls = [epoch for epoch in range(1, 13) if rungs.falls_short("second", epoch, 0.1)]
    assert falls == [2 + 1, 2 + 3, 2 + 9]


def test_an_unlucky_epoch_does_not_end_a_trial():
    rungs = AshaRungs("val_balanced_acc", 2, 2, 4, {"a": {1: 0.5, 2: 0.6}, "b": {1: 0.7, 2: 0.8}})
    result = {"epoch": 2, "val_balanced_acc": 0.3, "best_val_balanced_acc": 0.75}
    assert not rungs.stops(trial("c").config, result)
    assert rungs.stops(trial("d").config, {**result, "best_val_balanced_acc": 0.65})


def test_a_failed_trial_enters_no_rung():
    rungs = AshaRungs("val_balanced_acc", 1, 3, 9, {})
    result = {"epoch": 1, "best_val_balanced_acc": 0.9, "status": "diverged"}
    assert not rungs.stops(trial("x").config, result)
    assert not rungs.falls_short("first", 1, 0.1)


def test_trials_are_judged_at_the_rungs_of_their_own_region():
    scheduler = RegionScheduler({"lip_dryness": AshaRungs("val_balanced_acc", 1, 2, 4, {}), "chin_sagging": None})
    for number, (region, score, decision) in enumerate(
        [
            ("lip_dryness", 0.9, TrialScheduler.CONTINUE),
            ("chin_sagging", 0.1, TrialScheduler.CONTINUE),
            ("lip_dryness", 0.1, TrialScheduler.STOP),
        ]
    ):
        one = SimpleNamespace(config={"trial_id": str(number), "region": region})
        assert scheduler.on_trial_result(None, one, {"epoch": 1, "best_val_balanced_acc": score}) == decision
