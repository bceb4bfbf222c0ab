"""The opponents made of the hand-written loop: four variants of it, or Optuna around it."""

from dataclasses import replace

import optuna

from benchmarks.opponents.chosen import Best, Outcome, Task
from benchmarks.opponents.loop import train_epochs
from benchmarks.opponents.recipe import LOSSES, Recipe

VARIANTS = (("ce", False), ("cb", False), ("ce", True), ("cb", True))
"""Loss, and whether to oversample."""


def run_variants(task: Task, *, plus: bool) -> Outcome:
    """Train the four VARIANTS to their ends and test the best by validation."""
    best = Best()
    for loss, oversample in VARIANTS:
        recipe = replace(task.recipe(plus=plus), loss=loss, oversample=oversample)
        for epoch in train_epochs(recipe, task.train, task.val, task.classes):
            best.offer(recipe, epoch)
    return best.tested(task)


def run_optuna(task: Task, *, plus: bool) -> Outcome:
    """Search the loop's hyper-parameters until the budget is drawn, and test the best epoch by validation.

    TPE and Hyperband as Optuna has them; the first trial is the loop as it is written, with oversampling. The best
    epoch counts, also that of a trial that was pruned or cut short by the budget.
    """
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    best = Best()

    def objective(trial: optuna.Trial) -> float:
        recipe, score = suggest(trial, task.recipe(plus=plus)), 0.0
        for epoch in train_epochs(recipe, task.train, task.val, task.classes):
            best.offer(recipe, epoch)
            score = max(score, epoch.val_balanced_acc)
            trial.report(epoch.val_balanced_acc, epoch.number)
            if best.images_drawn + epoch.drawn > task.budget:
                trial.study.stop()
                break
            if trial.should_prune():
                raise optuna.TrialPruned
        return score

    study = optuna.create_study(
        study_name=str(task.seed),  # a seed, too: of a trial's bracket
        direction="maximize",
        sampler=optuna.samplers.TPESampler(seed=task.seed),
        pruner=optuna.pruners.HyperbandPruner(min_resource=1, max_resource=task.epochs, reduction_factor=3),
    )
    start = task.recipe(plus=plus)
    study.enqueue_trial(
        {
            "learning_rate": start.learning_rate,
            "weight_decay": start.weight_decay,
            "dropout": start.dropout,
            "loss": "ce",
            "oversample": True,
        }
    )
    study.optimize(objective)
    return best.tested(task)


def suggest(trial: optuna.Trial, recipe: Recipe) -> Recipe:
    """`recipe` with the hyper-parameters that the trial draws."""
    recipe = replace(
        recipe,
        learning_rate=trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
        weight_decay=trial.suggest_float("weight_decay", 1e-4, 0.2, log=True),
        dropout=trial.suggest_float("dropout", 0.0, 0.5),
        loss=trial.suggest_categorical("loss", LOSSES),
        oversample=trial.suggest_categorical("oversample", (False, True)),
    )
    if recipe.loss == "ce":
        return recipe
    recipe = replace(recipe, gamma=trial.suggest_float("gamma", 0.0, 2.0))
    if recipe.loss == "cb":
        recipe = replace(recipe, beta=trial.suggest_categorical("beta", (0.99, 0.999, 0.9999)))
    return recipe
