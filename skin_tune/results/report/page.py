"""The page: one file that needs no other, with everything in it that came from data escaped."""

from collections.abc import Iterator, Sequence
from typing import Any

from skin_tune.metrics import formula_of
from skin_tune.results.report import figures, tables
from skin_tune.results.report.groups import group_figure, group_sentences, group_tables
from skin_tune.results.report.importance import FEWEST, importances, varied_parameters
from skin_tune.results.report.markup import DASH, Markup, element, joined, translated
from skin_tune.results.report.model_performance import ModelPerformance
from skin_tune.results.report.nominal import noun
from skin_tune.results.report.parallel_coordinates import parallel_coordinates
from skin_tune.results.report.section import Section
from skin_tune.results.report.shell import POLICY, by_language, data_block, language_buttons, own
from skin_tune.results.report.summary import sentences, times, warnings
from skin_tune.results.report.translations import WORDS
from skin_tune.results.store.status import are_usable
from skin_tune.storage.photo_columns import FEWEST_SUBJECTS


def page(found: Sequence[Section], storage: str, made_at: str, price: float | None) -> str:
    """The whole HTML."""
    from plotly.offline import get_plotlyjs

    names = _names(found)
    specs: list[dict[str, figures.Spec]] = []
    parts = []
    for number, section in enumerate(found):
        specs.append({})
        parts.append(_section(number, section, names[number], price, specs[-1]))
    return "\n".join(
        [
            '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">',
            f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<meta name="color-scheme" content="light dark">',
            f"<title>skin-tune · {WORDS['report'][0]}</title>",
            f"<style>{own('page.css')}</style>\n</head>\n<body>",
            _header(storage, made_at),
            element("main", _summary(found, names, price), _choice(names), *parts),
            *(data_block(f"figures-{number}", each) for number, each in enumerate(specs)),
            data_block("words", by_language(WORDS)),
            f"<script>{get_plotlyjs()}</script>",
            f"<script>{own('draw.js')}</script>",
            f"<script>{own('page.js')}</script>\n</body>\n</html>\n",
        ]
    )


def _names(found: Sequence[Section]) -> list[Markup]:
    """A region's name, and its pack where it has several."""
    regions = [section.region for section in found]
    return [
        joined([section.region, " (", translated("pack_short", pack=section.pack_id[:8] or DASH), ")"])
        if regions.count(section.region) > 1
        else joined([section.region])
        for section in found
    ]


def _header(storage: str, made_at: str) -> Markup:
    title = element("h1", "skin-tune · ", translated("report"))
    return element(
        "header",
        title,
        language_buttons(),
        element("p", translated("made", when=made_at, storage=storage)),
    )


def _summary(found: Sequence[Section], names: Sequence[Markup], price: float | None) -> Markup:
    cards = []
    for number, (section, name) in enumerate(zip(found, names, strict=True)):
        cautions = [element("li", line) for line in warnings(section)]
        cards.append(
            element(
                "article",
                element("h3", element("a", name, href=f"#region-{number}", data_choose=number)),
                element("p", *(part for line in sentences(section, price) for part in (line, " "))),
                element("ul", *cautions, class_="cautions") if cautions else "",
            )
        )
    return element(
        "section", element("h2", translated("summary")), element("div", *cards, class_="cards"), id="summary"
    )


def _choice(names: Sequence[Markup]) -> Markup:
    buttons = [element("button", name, type="button", data_choose=number) for number, name in enumerate(names)]
    return element("nav", *buttons, aria_label="regions")


def _section(
    number: int, section: Section, name: Markup, price: float | None, specs: dict[str, figures.Spec]
) -> Markup:
    blocks = [
        element("div", element("h3", translated(noun(key, section.ordinal))), *content, class_=f"block {key}")
        for key, content in _blocks(section, price, _Slots(number, specs))
    ]
    return element("section", element("h2", name), *blocks, class_="region", id=f"region-{number}")


class _Slots:
    """Places for figures, which the page draws when its reader comes to them."""

    def __init__(self, number: int, specs: dict[str, figures.Spec]):
        self._number, self._specs = number, specs

    def __call__(self, key: str, spec: figures.Spec) -> Markup:
        name = f"figure-{self._number}-{key}"
        self._specs[name] = spec
        drawing = element("div", class_="figure", id=name, style=f"height:{spec['layout']['height']}px")
        return element("div", drawing, class_="scroll")


def _blocks(section: Section, price: float | None, slot: _Slots) -> Iterator[tuple[str, list[Any]]]:
    for result in filter(None, section.confirmed.values()):
        note = "confirmed_note" if result.folds is None else "confirmed_folds_note"
        said = _note(note, seeds=result.seeds, folds=result.folds)
        yield "confirmed", [said, tables.confirmed(result, section.metric)]
    yield "leaderboard", [tables.leaderboard(section)]
    curves = figures.learning_curves(section)
    yield "curves", [slot("curves", curves) if curves else _gap("gap_curves")]

    usable = section.trials[are_usable(section.trials)]
    shares = importances(usable, section.metric)
    known = [f"config/{name}" for name in shares]
    parameters = [*known, *(name for name in varied_parameters(usable) if name not in known)]
    lines = parallel_coordinates(section, parameters)
    yield "parallel", [_note("parallel_note"), slot("parallel", lines)] if lines else [_gap("gap_parallel")]
    if shares:
        yield "importance", [_note("importance_note"), slot("importance", figures.importance(shares))]
    else:
        yield "importance", [_gap("gap_importance", count=FEWEST)]

    if section.champion is not None:
        yield from _on_champion(section, slot)
    opened = _note("tests_note", openings=times(section.openings))
    yield "tests", [opened, tables.tests(section)] if section.refits else [_gap("gap_tests")]
    yield "cost", [tables.costs(section, price)]
    if section.champion is not None:
        config, traces = tables.champion_facts(section.champion)
        yield "config", [config]
        yield "traces", [traces]


def _on_champion(section: Section, slot: _Slots) -> Iterator[tuple[str, list[Any]]]:
    answers = section.validation
    if answers is None:
        for key in ("confusion", "recall_by_class", "calibration", "groups"):
            yield key, [_gap("gap_predictions")]
        return
    classes = list(section.classes)
    yield "confusion", [_note(noun("confusion_note", section.ordinal)), tables.confusion(answers, classes)]
    bars = figures.recall(classes, answers.recall, section.train_images, ordinal=section.ordinal)
    gap = [_gap(noun("gap_counts", section.ordinal))] if section.train_images is None else []
    yield "recall_by_class", [*gap, slot("recall", bars), tables.recalls(answers, section)]
    error = f"{answers.calibration.error:.3f}"
    yield (
        "calibration",
        [
            _note(noun("calibration_note", section.ordinal), error=error),
            slot("calibration", figures.reliability(answers.calibration, ordinal=section.ordinal)),
        ],
    )
    yield "groups", _groups(answers, section, slot)


def _groups(answers: ModelPerformance, section: Section, slot: _Slots) -> list[Any]:
    by, metric = answers.groups, section.metric
    if not by:
        return [_gap("gap_groups")]
    drawn = slot("groups", group_figure(by, answers.scores[formula_of(metric)], metric))
    note = _note(noun("groups_note", section.ordinal), count=FEWEST_SUBJECTS)
    return [note, group_sentences(by, metric), drawn, group_tables(by, section)]


def _note(key: str, **values: Any) -> Markup:
    return element("p", translated(key, **values), class_="note")


def _gap(key: str, **values: Any) -> Markup:
    return element("p", translated(key, **values), class_="gap")
