"""Sections of a model card: calibration, results by group, data, use and limits.

Those of which an older version's refit has no facts are left out.
"""

from collections.abc import Sequence
from typing import Any

from skin_tune.metrics import is_adjusted
from skin_tune.results.report.card_facts import CardFacts
from skin_tune.storage.photo_columns import FEWEST_SUBJECTS, UNKNOWN
from skin_tune.text.escaping import escaped
from skin_tune.text.numbers import figure, p_value
from skin_tune.text.wording import counted

_FEW_IMAGES = 30
"""Test images of a class whose figures are named as uncertain."""


def table(headings: Sequence[Any], rows: Sequence[Sequence[Any]]) -> list[str]:
    """Lines of a table in Markdown; what came from data cannot end a cell."""
    lines = [headings, ["---"] * len(headings), *rows]
    return [f"| {' | '.join(escaped(str(cell)).replace('|', chr(92) + '|') for cell in line)} |" for line in lines]


def interval(value: float | None, low: float | None = None, high: float | None = None, form: str = ".4f") -> str:
    """``0.7120 [0.6800, 0.7410]``; without the bounds where these are not known, a dash where the value is not."""
    bounds = "" if low is None or high is None else f" [{low:{form}}, {high:{form}}]"
    return figure(value, form) + bounds


def calibration_section(facts: CardFacts) -> list[str]:
    """Whether the probabilities are right."""
    if not facts.calibration:
        return []
    error, over, low, high = (
        facts.calibration.get(name) for name in ("error", "overconfidence", "overconfidence_low", "overconfidence_high")
    )
    note = " The probabilities of the adjusted decision are of another population and are not checked here."
    return [
        "## Calibration",
        "",
        f"On the test split, of the plain probabilities: expected calibration error {figure(error, '.4f')} (Guo et al. "
        "2017, 15 bins of equal width; it cannot be 0 with few images). Mean probability of the predicted class minus "
        f"accuracy: {interval(over, low, high)}; above 0 the model is too sure of itself."
        + (note if is_adjusted(facts.metric) else ""),
        "",
    ]


def groups_section(facts: CardFacts) -> list[str]:
    """The test split by group of people and photos, and the gaps."""
    if not facts.splits:  # of an older version
        return []
    head = ["## For whom it works", ""]
    if not facts.groups:
        return [*head, "Not known: the pack does not say whom its photos show, nor how they were taken.", ""]
    rows = [
        (
            row["attribute"],
            row["group"] if row["group"] != UNKNOWN else "not known",
            row["subjects"],
            row["images"],
            *(_score(row, name) for name in ("balanced_acc", "macro_f1", "acc")),
            row["too_small"] or "-",
        )
        for row in facts.groups
    ]
    gaps = [
        (row["attribute"], row["metric"], row["worst"], row["best"], _score(row, "gap"), p_value(row["p"]))
        for row in facts.gaps
        if row["metric"] in ("balanced_acc", "macro_f1", "acc")
    ]
    headings = ("", "group", "subjects", "images", "balanced_acc", "macro_f1", "acc", "too small to say")
    return [
        *head,
        "Test split, by the decision above, with 95% intervals over subjects. Nothing is said of a group of fewer than "
        f"{FEWEST_SUBJECTS} subjects, nor of one that lacks a class, whose balanced accuracy is over other classes.",
        "",
        *table(headings, rows),
        "",
        *_gap_lines(gaps),
    ]


def _gap_lines(gaps: Sequence[Sequence[Any]]) -> list[str]:
    if not gaps:
        return ["No gap can be given: no two groups are large enough to compare.", ""]
    return [
        "From the worst group to the best; p counts that the two were picked as the ones farthest apart:",
        "",
        *table(("", "metric", "worst", "best", "gap", "p"), gaps),
        "",
    ]


def _score(row: Any, name: str) -> str:
    return interval(row.get(name), row.get(f"{name}_low"), row.get(f"{name}_high"), ".3f")


def data_section(facts: CardFacts) -> list[str]:
    """What became of the source's rows, and who is in which split."""
    if not facts.splits:
        return []
    used = sum(row["images"] for row in facts.splits)
    if facts.quarantined is None:
        flow = (
            f"{counted(used, 'image')} in the pack. What could not be used is not known: no quarantine file is there."
        )
    else:
        lost = sum(facts.quarantined.values())
        flow = f"{counted(used + lost, 'row')} of the source asked for: {used} in the pack, {lost} could not be used."
    return [
        "## Data",
        "",
        flow,
        "",
        *([*table(("reason", "rows"), list(facts.quarantined.items())), ""] if facts.quarantined else []),
        "No subject is in two splits:",
        "",
        *table(
            ("split", "subjects", "images"), [(row["split"], row["subjects"], row["images"]) for row in facts.splits]
        ),
        "",
        *_people_lines(facts),
    ]


def _people_lines(facts: CardFacts) -> list[str]:
    if not facts.people:
        return []
    rows = [
        (row["attribute"], row["group"] if row["group"] != UNKNOWN else "not known", *(row[name] for name in _SPLITS))
        for row in facts.people
    ]
    return [
        "Subjects by group; somebody taken by two devices counts for both:",
        "",
        *table(("", "group", *_SPLITS), rows),
        "",
    ]


_SPLITS = ("train", "val", "test")


def use_section(facts: CardFacts) -> list[str]:
    """What the model is for, and what not."""
    return [
        "## Intended use",
        "",
        f"Grading crops of {facts.region}, cut as `skin-tune prepare` cuts them, from photos taken as those of this "
        "pack, of people as those above, for research by people who can judge the grade themselves. It grades a crop "
        "of the region, not a face. It is no medical device and no diagnosis: nobody's treatment, insurance or work "
        "may hang on its grade.",
        "",
    ]


def limits_section(facts: CardFacts) -> list[str]:
    """What the figures do not say."""
    few = [str(row["class"]) for row in facts.classes if row["test_images"] < _FEW_IMAGES]
    small = [f"{row['attribute']} {row['group'] or 'not known'}" for row in facts.groups if row["too_small"]]
    return [
        "## Limits",
        "",
        "- The figures hold for photos taken and graded as those of this pack were. It was tested on one split of one "
        "data set, on nobody from elsewhere.",
        *(
            [f"- Fewer than {_FEW_IMAGES} test images, and so uncertain figures, have: {escaped(', '.join(few))}."]
            if few
            else []
        ),
        *([f"- Too small to say anything of: {escaped(', '.join(small))}."] if small else []),
        *(
            ["- The test split was opened more than once: whoever chose by it makes these figures too good."]
            if facts.test_openings > 1
            else []
        ),
        "- This card does not know who graded the photos and how well they agree, when, where and with whose consent "
        "the photos were taken, and who paid: whoever publishes the model adds it.",
        "",
    ]
