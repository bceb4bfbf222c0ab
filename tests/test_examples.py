"""The example notebook runs, and stores what such a run shows; `jupyter execute --inplace FILE` stores it anew."""

import copy
import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

from tests.cli_runner import ROOT

NOTEBOOK = ROOT / "examples" / "tune_and_compare.ipynb"
SMALLER = {"subjects=40": "subjects=21", "trials=6": "trials=3"}
"""What the test runs less of; it changes no kind of what is shown."""


@pytest.fixture
def stored() -> Any:
    return nbformat.read(NOTEBOOK, as_version=4)


def code_cells(notebook: Any) -> list[Any]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def kinds(cell: Any) -> list[tuple[str, ...]]:
    """What a cell shows: each output's kind and media; what it tells while it works depends on how long it does."""
    shown = [output for output in cell.outputs if output.get("name") != "stderr"]
    return [(output.output_type, *sorted(output.get("data", ()))) for output in shown]


def test_it_runs_and_shows_what_is_stored(stored: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name in ("JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(name, str(tmp_path / "jupyter"))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    folder = tmp_path / "lab"
    folder.mkdir()
    ran = copy.deepcopy(stored)
    for most, fewer in SMALLER.items():
        (cell,) = (cell for cell in code_cells(ran) if most in cell.source)
        cell.source = cell.source.replace(most, fewer)
    NotebookClient(ran, timeout=400, record_timing=False, resources={"metadata": {"path": str(folder)}}).execute()
    for cell, before in zip(code_cells(ran), code_cells(stored), strict=True):
        assert kinds(cell) == kinds(before), cell.source
    assert "<title>" in (folder / "runs" / "report.html").read_text()


def test_its_outputs_are_of_one_run_from_top_to_bottom_and_name_no_machine(stored: Any):
    cells = code_cells(stored)
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    assert sum("image/svg+xml" in output.get("data", {}) for cell in cells for output in cell.outputs) == 1
    for cell in cells:
        for output in cell.outputs:
            assert output.output_type != "error"
            said = "".join([output.get("text", ""), *map(str, output.get("data", {}).values())])
            assert not re.search(r"(?<![\w.<])/(tmp|home|root|work|Users|usr|var)\b", said), said
