"""The README's commands are commands that exist, with options that exist."""

import re
import shlex
from collections.abc import Iterator

import pytest
import typer

from skin_tune.cli.job_commands import tune_all, tune_region
from skin_tune.cli.main import app
from skin_tune.cli.results_commands import refit
from skin_tune.config import TrialConfig, parse_overrides
from skin_tune.storage.bucket import BucketPath
from tests.cli_runner import ROOT

JOBS = {"jobs/tune_region.py": tune_region, "jobs/tune_all.py": tune_all, "jobs/refit_best.py": refit}


def commands() -> Iterator[list[str]]:
    for name in ("README.md", "README.ko.md"):
        for block in re.findall(r"```sh\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), flags=re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                yield shlex.split(line, comments=True)


@pytest.mark.parametrize("words", [words for words in commands() if words], ids=" ".join)
def test_a_command_of_the_readme_parses(words: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(BucketPath, "check", lambda path: path)  # the lab of the README has no bucket here
    check_command(words)


def check_command(words: list[str]) -> None:
    """Fail unless a command exists and takes the options it is given."""
    program, *arguments = words
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    elif program == "skin-tune":
        group = typer.main.get_command(app)
        command = group.get_command(None, arguments[0])  # type: ignore[attr-defined]
        assert command is not None
        context = command.make_context(arguments[0], arguments[1:])
        parse_overrides(context.params.get("overrides") or [])
    elif program == "python" and arguments[0] in JOBS:
        job = typer.Typer()
        job.command()(JOBS[arguments[0]])
        context = typer.main.get_command(job).make_context("job", arguments[1:])
        parse_overrides(context.params.get("overrides") or [])
    elif program == "ray" and arguments[0] == "submit":
        check_command(["python", *arguments[2:]])
    elif program == "ray" and arguments[0] == "exec":
        check_command(shlex.split(arguments[2]))
    else:
        assert program in ("ray", "export", "python"), f"the README uses {program}, which nothing checks"


def test_the_readme_has_commands():
    assert len([words for words in commands() if words]) >= 8


def test_the_readme_explains_every_hyper_parameter():
    readme = (ROOT / "README.md").read_text()
    defaults = TrialConfig().to_dict()
    for name, default in defaults.items():
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert f"| `{name}` | {shown} |" in readme


def test_the_readme_has_no_gap_left_to_fill():
    assert not re.findall(r"\b[A-Z]{2,}_[A-Z]{2,}\b", (ROOT / "README.md").read_text().replace("RAY_ADDRESS", ""))
