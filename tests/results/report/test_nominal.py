"""Classes without an order are spoken of without one."""

import json
import re
from pathlib import Path

from skin_tune.results.report.section import sections
from skin_tune.results.report.translations import WORDS
from skin_tune.storage.run_paths import RunPaths
from tests.results.report.report_reader import report_of, specs_of, text_of
from tests.results.report.report_store import write_refit, write_trials

SKIN = ("akiec", "bcc", "mel", "nv")


def korean_of(page: str) -> str:
    """What a reader of Korean sees of it."""
    body = page[page.index("<main>") : page.index("</main>")]
    return re.sub(r"<[^>]+>", " ", re.sub(r'<span lang="en">.*?</span>', "", body))


def test_a_page_on_nominal_classes_speaks_of_no_order(tmp_path: Path):
    write_trials(tmp_path, trials=6, classes=SKIN, ordinal=False)
    write_refit(tmp_path, "exp-003", classes=SKIN, ordinal=False)
    page = report_of(tmp_path)
    text, korean = text_of(page), korean_of(page)
    assert "The classes have no order, and so no distance" in text
    assert not [word for word in ("MAE (steps)", "Within one", "neighbouring") if word in text]
    assert text.count("QWK") == 1  # in that sentence
    assert "클래스별 재현율" in korean
    assert "등급" not in korean
    specs = specs_of(page)
    assert specs["figure-0-recall"]["layout"]["yaxis"]["title"]["text"] == "§class_nominal"
    assert {"class_nominal", "confidence_nominal"} <= set(WORDS)
    assert re.search(r"Its weakest class is (akiec|bcc|mel|nv):", text)


def test_a_page_on_ordinal_classes_says_what_a_step_is(tmp_path: Path):
    write_trials(tmp_path, trials=3, classes=("1", "1.5", "2", "2.5"), ordinal=True)
    page = report_of(tmp_path)
    assert "MAE, within one and QWK count in steps between neighbouring classes." in text_of(page)
    assert "MAE (steps)" in text_of(page)
    assert "등급별 재현율" in korean_of(page)
    assert "class_nominal" not in json.dumps(specs_of(page))


def test_a_training_without_a_search_names_its_classes(tmp_path: Path):
    write_trials(tmp_path, trials=3, classes=SKIN, ordinal=False)
    RunPaths(tmp_path).spec("lip_dryness", "exp").unlink()
    (section,) = sections(tmp_path)
    assert section.classes == list(SKIN)
