"""The model card: what a refitted model is, what it was trained on, and how well it grades, class by class."""

from collections.abc import Mapping, Sequence

from skin_tune.metrics import ADJUSTED, ORDINAL_METRICS, is_adjusted
from skin_tune.results.report.card_facts import CardFacts
from skin_tune.results.report.card_sections import (
    calibration_section,
    data_section,
    groups_section,
    interval,
    limits_section,
    table,
    use_section,
)
from skin_tune.text.wording import counted


def model_card(facts: CardFacts) -> str:
    """The card in Markdown."""
    chosen = f"best of {counted(facts.trials, 'trial')} of experiment {facts.experiment} by {facts.metric}"
    if facts.trials == 1:
        chosen = f"the only trial of experiment {facts.experiment}"
    return "\n".join(
        [
            f"# {facts.model}",
            "",
            _task(facts.region, _names(facts), facts.ordinal),
            f"{_network(facts)}, {chosen}.",
            _ADJUSTED if is_adjusted(facts.metric) else _PLAIN,
            "",
            "## Test split",
            "",
            *_test_split(facts),
            "",
            "## Training",
            "",
            *_training(facts),
            "",
            *calibration_section(facts),
            *groups_section(facts),
            *data_section(facts),
            *use_section(facts),
            *limits_section(facts),
        ]
    )


def _network(facts: CardFacts) -> str:
    if facts.members:
        return (
            f"The mean of {len(facts.members)} networks ({facts.config['backbone']}) with the hyper-parameters of "
            f"trials {', '.join(facts.members)}"
        )
    return f"A {facts.config['backbone']} with the hyper-parameters of trial {facts.trial}"


def _test_split(facts: CardFacts) -> list[str]:
    names = _names(facts)
    scores = [
        (
            row["class"],
            row["train_images"],
            row["test_images"],
            *(
                interval(row[name], row.get(f"{name}_low"), row.get(f"{name}_high"))
                for name in ("precision", "recall", "f1")
            ),
        )
        for row in facts.classes
    ]
    metrics = []
    for name, value in _metrics(facts).items():
        low, high = facts.intervals.get(name, (None, None))
        metrics.append((name, interval(value, low, high)))
    return [
        f"Evaluated once. The test split of this pack has been opened {times(facts.test_openings)} below this "
        "storage, this one included; a figure from a split that was opened often is an optimistic one.",
        "",
        *([_INTERVALS, ""] if facts.intervals else []),
        *table(("metric", "value"), metrics),
        "",
        *(_STEPS if facts.ordinal else ()),
        "Class by class:",
        "",
        *table(("class", "training images", "test images", "precision", "recall", "F1"), scores),
        "",
        "Confusion matrix, true class by row, predicted class by column:",
        "",
        *table(("", *names), [(name, *counts) for name, counts in zip(names, facts.confusion, strict=True)]),
    ]


def _training(facts: CardFacts) -> list[str]:
    return [
        f"- Data: pack {facts.pack_id}, {facts.split}; trained on {facts.trained_on}.",
        f"- {facts.epochs} epochs{_kept_epoch(facts)}, on "
        f"{counted(facts.workers, 'worker')}: {facts.seconds:.0f} s, {facts.gpu_seconds:.0f} GPU-seconds.",
        f"- Code: skin-tune {facts.code_version or '-'}; {facts.libraries or '-'}.",
        f"- Machine: {facts.hardware or '-'}.",
        "",
        *table(("hyper-parameter", "value"), [each for each in facts.config.items() if each[1] is not None]),
    ]


def _kept_epoch(facts: CardFacts) -> str:
    return " of all networks" if facts.members else f", of which epoch {facts.best_epoch} is this model"


def _names(facts: CardFacts) -> list[str]:
    return [str(row["class"]) for row in facts.classes]


_PLAIN = "Its decision is the plain one: the most probable class."
_ADJUSTED = (
    "Its decision is the adjusted one: the class that would be most probable were all classes equally frequent "
    "(Menon et al. 2021). Its probabilities are those of such a population, not of the photos it was trained on."
)
_INTERVALS = (
    "Brackets are 95% intervals over subjects: what might have come out with other people. They do not hold what "
    "another training or another split would change; without brackets nothing can be said."
)
_STEPS = ("MAE, within-one and QWK count in steps between neighbouring classes.", "")


def _task(region: str, classes: Sequence[str], ordinal: bool) -> str:
    if ordinal:
        return f"Grades {region} in {len(classes)} ordinal classes from {classes[0]} to {classes[-1]}."
    return f"Grades {region} in {len(classes)} classes without an order: {', '.join(classes)}."


def _metrics(facts: CardFacts) -> Mapping[str, float | None]:
    """Without the metrics that nominal classes cannot have."""
    gaps = () if facts.ordinal else [f"test_{name}" for name in ORDINAL_METRICS]
    return {name: value for name, value in facts.metrics.items() if name.removesuffix(ADJUSTED) not in gaps}


def times(count: int) -> str:
    """``once``, ``2 times``"""
    return "once" if count == 1 else counted(count, "time")
