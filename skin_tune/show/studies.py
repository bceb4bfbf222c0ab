"""Output at the end of studies: the champion of a confirmation, the effects of an ablation."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skin_tune.results.statistics.run_names import confirmed_by
from skin_tune.show.chosen import chosen_words
from skin_tune.show.console import open_console
from skin_tune.show.experiments import cost_line
from skin_tune.show.tables import Column, print_columns
from skin_tune.show.trial_columns import METRIC_HEADINGS
from skin_tune.text.numbers import with_bounds
from skin_tune.text.wording import counted

if TYPE_CHECKING:
    from skin_tune.results.statistics.confirmation import Championship
    from skin_tune.results.statistics.factorial import Factorial
    from skin_tune.tuning.studies.combine import Combination
    from skin_tune.tuning.studies.confirm import Confirmation


def print_confirmation(
    confirmation: "Confirmation", result: "Championship", storage: Path, price: float | None = None
) -> None:
    """The confirmed configs, the champion, and whether it is more than luck."""
    console = open_console()
    print_columns(console, _confirmed_columns(result, confirmation.metric))
    if result.failed:
        console.print(f"a run of {', '.join(result.failed)} diverged or failed: out of the running")
    if result.rivals:
        console.print(f"{result.champion} is champion by its lower bound; {', '.join(result.rivals)} may be as good")
    elif len(result.configs) > 1:
        console.print(f"{result.champion} is champion: the others are behind it by more than noise")
    else:
        console.print(f"{result.champion} has no rival")
    if result.expected == result.expected:
        mean = result.winner["mean"]
        words = chosen_words(len(result.configs), mean, result.expected)
        console.print(f"its mean of {mean:.3f} was {words}", soft_wrap=True)
    who = "subjects" if result.folds is None else "the subjects of train and val"
    console.print(
        f"intervals are of 95 %, over {who} and seeds" if result.seeds > 1 else f"one seed: intervals over {who}"
    )
    if line := cost_line(confirmation.outcome.rows, price):
        console.print(line)
    experiment = confirmed_by(confirmation.experiment)
    whole = "" if result.folds is None else " --include-val"
    console.print(
        f"refit it: skin-tune refit {experiment} --trial {result.champion}{whole} --storage {storage}", soft_wrap=True
    )


def print_combination(combination: "Combination") -> None:
    """The models that were combined, what came of it, and whether it is worth its cost."""
    console, gain = open_console(), combination.gain
    name = METRIC_HEADINGS[gain.metric]
    members = [*combination.members, gain.trial_id]
    scores = [f"{score:.3f}" for score in (*combination.scores, gain.value)]
    print_columns(console, [Column("model", members, left=True), Column(name, scores)])
    gained = with_bounds(gain.difference, gain.low, gain.high, "+.3f")
    if gain.better:
        console.print(f"{gain.trial_id} is better than {gain.single} alone, by {gained}: use it", soft_wrap=True)
    else:
        console.print(
            f"{gain.trial_id} is no better than {gain.single} alone by more than noise, {gained}: keep {gain.single}, "
            f"which costs a {_FRACTIONS.get(len(combination.members), 'fraction')} of it",
            soft_wrap=True,
        )
    console.print(f"model {combination.model}", soft_wrap=True)


_FRACTIONS = {2: "half", 3: "third", 4: "quarter", 5: "fifth"}


def print_ablation(
    result: "Factorial", rows: Sequence[Mapping[str, Any]], figure: Path, price: float | None = None
) -> None:
    """Cells and effects of a factorial."""
    console = open_console()
    print_columns(console, _cell_columns(result))
    console.print()
    print_columns(console, _effect_columns(result))
    seeds = f"{result.seeds} seeds" if result.seeds > 1 else "one seed (what another would change is not in them)"
    console.print(f"intervals are of 95 %, over subjects and {seeds}; the figure is {figure}")
    if line := cost_line(rows, price):
        console.print(line)


def _confirmed_columns(result: "Championship", metric: str) -> list[Column]:
    """On a narrow terminal without the spread, and then without what the words below say."""
    rows = result.configs.to_dict("records")
    means = [with_bounds(row["mean"], row["low"], row["high"]) for row in rows]
    spreads = [f"{row['spread']:.3f}" if row["spread"] == row["spread"] else "-" for row in rows]
    behind = [
        "champion"
        if row["trial_id"] == result.champion
        else with_bounds(-row["difference"], -row["difference_high"], -row["difference_low"])
        for row in rows
    ]
    folds = "" if result.folds is None else f"\nx {result.folds} folds"
    return [
        Column("config of trial", [str(row["trial_id"]) for row in rows], left=True),
        Column(f"{metric},\nmean of {counted(result.seeds, 'seed')}{folds}", means),
        Column("spread\nover seeds", spreads, 3),
        Column("behind\nthe champion", behind, 1),
        Column("", ["within noise" if row["within_noise"] else "" for row in rows], 2),
    ]


_FACTORS = ("loss", "oversampling", "augmentation")


_DROP = {"val_balanced_acc_adjusted": 2, "val_macro_f1": 3, "val_macro_f1_adjusted": 4}


def _effect_columns(result: "Factorial") -> list[Column]:
    effects = result.effects["effect"].unique().tolist()
    columns = [Column("effect", effects, left=True)]
    for metric, rows in result.effects.groupby("metric", sort=False):
        figures = [with_bounds(*each) for each in rows[["value", "low", "high"]].to_numpy().tolist()]
        name = str(metric)
        columns.append(Column(f"on {METRIC_HEADINGS[name]}", figures, _DROP.get(name, 0)))
    return columns


def _cell_columns(result: "Factorial") -> list[Column]:
    rows = result.cells.to_dict("records")
    scores = [(metric, METRIC_HEADINGS[metric], _DROP.get(metric, 0)) for metric in result.metrics]
    return [
        *(Column(name, [str(row[name]) for row in rows], left=True) for name in _FACTORS),
        *(
            Column(heading, [with_bounds(row[name], row[f"{name}_low"], row[f"{name}_high"]) for row in rows], drop)
            for name, heading, drop in scores
        ),
        Column("acc", [f"{row['val_acc']:.3f}" for row in rows], 5),
        *(Column(f"recall of {name}", [f"{row[f'val_recall_{name}']:.3f}" for row in rows], 1) for name in result.rare),
    ]
