"""What the pages say to type, to open and to import is there."""

import ast
import importlib
import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer
import yaml

from benchmarks.curves.__main__ import app as curves
from benchmarks.opponents.__main__ import app as opponents
from skin_tune.cli.job_commands import ablation, tune_all, tune_region
from skin_tune.cli.main import UsageError, app
from skin_tune.cli.results_commands import refit
from skin_tune.config import TrialConfig, parse_overrides
from skin_tune.errors import ConfigError
from skin_tune.storage.bucket import BucketPath
from skin_tune.tuning.space.sweep_file import load_space
from tests.cli_runner import ROOT

PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), ROOT / "findings" / "README.md"])
NAMES = [str(page.relative_to(ROOT)) for page in PAGES]
JOBS = {
    "jobs/tune_region.py": tune_region,
    "jobs/tune_all.py": tune_all,
    "jobs/refit_best.py": refit,
    "jobs/ablation.py": ablation,
}
BENCHMARKS = {"benchmarks.curves": curves, "benchmarks.opponents": opponents}
OTHERS = ("ray", "export", "pre-commit")
"""Programs that are not ours to check."""
VARIABLES = {"RAY_ADDRESS", "WANDB_MODE", "ORDINAL_METRICS", "LEGACY_VALUES"}


def blocks(page: Path, language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"^```{language}\n(.*?)^```", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)


def commands(page: Path) -> Iterator[list[str]]:
    """The lines of `sh` blocks, and those of `console` blocks that begin with a prompt."""
    lines = [line for block in blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()]
    shown = [line for block in blocks(page, "console") for line in block.replace("\\\n", " ").splitlines()]
    lines += [line.removeprefix("$ ") for line in shown if line.startswith("$ ")]
    yield from filter(None, (shlex.split(line, comments=True) for line in lines))


@pytest.mark.parametrize("words", [words for page in PAGES for words in commands(page)], ids=" ".join)
def test_a_command_parses(words: list[str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(BucketPath, "check", lambda path: path)  # the lab of the pages has no bucket here
    check_command(words)


def check_command(words: list[str]) -> None:
    """Fail unless a command exists and takes the options it is given."""
    program, *arguments = words
    program = program.removeprefix(".venv/bin/")
    if program == "make":
        assert re.search(rf"^{arguments[0]}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    elif program == "skin-tune":
        check_skin_tune(arguments)
    elif program == "python":
        check_python(arguments)
    elif program == "ray" and arguments[0] == "submit":
        assert (ROOT / arguments[1]).is_file()
        check_command(["python", *arguments[2:]])
    elif program == "sbatch":
        assert (ROOT / arguments[0]).is_file()
        check_command(["python", f"jobs/{arguments[1]}", *arguments[2:]])
    elif program == "ray" and arguments[0] == "exec":
        check_command(shlex.split(arguments[2]))
    else:
        assert program in OTHERS, f"a page uses {program}, which nothing checks"


def check_skin_tune(arguments: list[str]) -> None:
    if arguments[0].startswith("-"):
        assert arguments[0] in ("-h", "--install-completion", "--version")
        return
    group = typer.main.get_command(app)
    command = group.get_command(None, arguments[0])  # type: ignore[attr-defined]
    assert command is not None, f"there is no command {arguments[0]}"
    if arguments[1:] != ["-h"]:
        context = command.make_context(arguments[0], arguments[1:])
        parse_overrides(context.params.get("overrides") or [])


def check_python(arguments: list[str]) -> None:
    if arguments[0] in JOBS:
        job = typer.Typer()
        job.command()(JOBS[arguments[0]])
        context = typer.main.get_command(job).make_context("job", arguments[1:])
        parse_overrides(context.params.get("overrides") or [])
    elif arguments[:2] == ["-m", "benchmarks"]:
        assert all((ROOT / "benchmarks" / f"{module}.py").is_file() for module in arguments[2:])
    elif arguments[0] == "-m" and arguments[1] in BENCHMARKS:
        group = typer.main.get_command(BENCHMARKS[arguments[1]])
        command = group.get_command(None, arguments[2])  # type: ignore[attr-defined]
        assert command is not None, f"{arguments[1]} has no command {arguments[2]}"
        command.make_context(arguments[2], arguments[3:])
    elif arguments[:2] == ["-m", "pytest"]:
        assert all((ROOT / path).exists() for path in arguments[2:])
    else:
        assert (ROOT / arguments[0]).is_file()


def test_a_wrong_option_is_found():
    with pytest.raises(UsageError, match="--trails"):
        check_command(["skin-tune", "tune", "packs/x.arrow", "--trails", "64"])
    with pytest.raises(ConfigError, match="epoch"):
        check_command(["skin-tune", "tune", "packs/x.arrow", "epoch=20"])


@pytest.mark.parametrize("name", NAMES)
def test_links_lead_somewhere(name: str):
    page = ROOT / name
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        path, _, anchor = target.partition("#")
        if path.startswith("https://"):
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name} links to {target}"
        assert not anchor or anchor in anchors(file), f"{name} links to {target}"


def anchors(page: Path) -> set[str]:
    """The names by which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("name", NAMES)
def test_files_of_the_repository_that_are_named_exist(name: str):
    folders = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith("."))
    words = re.findall(r"`([^`\s]+)`", (ROOT / name).read_text(encoding="utf-8"))
    ours = [word for word in words if re.match(rf"({folders})/", word) or re.fullmatch(r"[\w.]+\.(md|toml|yaml)", word)]
    written_by_commands = ("packs/", "runs/", "model_card.md")
    for word in ours:
        elsewhere = "<" in word or word.startswith(written_by_commands)
        assert elsewhere or (ROOT / word).exists(), f"{name} names {word}"


SNIPPETS = [block for page in PAGES for block in blocks(page, "python") if re.search("^(from|import) ", block, re.M)]
"""Others are signatures."""


@pytest.mark.parametrize("block", SNIPPETS)
def test_a_python_snippet_imports_what_it_names(block: str):
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.ImportFrom):
            assert node.module is not None
            module = importlib.import_module(node.module)
            listed = {*dir(module), *getattr(module, "__all__", ())}
            for alias in node.names:
                assert alias.name in listed or hasattr(module, alias.name), f"{node.module} has no {alias.name}"
        elif isinstance(node, ast.Import):
            for alias in node.names:
                importlib.import_module(alias.name)


@pytest.mark.parametrize("name", NAMES)
def test_functions_that_are_named_exist(name: str):
    for dotted in re.findall(r"`(skin_tune(?:\.\w+)+)`", (ROOT / name).read_text(encoding="utf-8")):
        module, _, function = dotted.rpartition(".")
        assert hasattr(importlib.import_module(module), function), f"{name} names {dotted}"


@pytest.mark.parametrize("block", [block for page in PAGES for block in blocks(page, "yaml")])
def test_a_search_space_of_the_pages_is_one(block: str, tmp_path: Path):
    (tmp_path / "space.yaml").write_text(block)
    assert load_space(tmp_path / "space.yaml").searched


def test_every_hyper_parameter_is_explained():
    page = (ROOT / "docs" / "tuning.md").read_text()
    for name, default in TrialConfig().to_dict().items():
        shown = str(default).lower() if isinstance(default, bool) else str(default)
        assert f"| `{name}` | {shown} |" in page


def test_every_command_is_shown_by_a_page():
    shown = {words[1] for page in PAGES for words in commands(page) if words[0].endswith("skin-tune")}
    assert {command.name or command.callback.__name__.replace("_", "-") for command in app.registered_commands} <= shown


def test_every_finding_has_its_row():
    page = (ROOT / "findings" / "README.md").read_text()
    scripts = sorted(script.stem for script in (ROOT / "findings").glob("*.sh"))
    assert sorted(re.findall(r"^\| `(\w+)` \|", page, flags=re.MULTILINE)) == scripts


def test_the_table_of_benchmarks_is_that_of_the_last_run():
    page = (ROOT / "docs" / "performance.md").read_text()
    for row in json.loads((ROOT / "benchmarks" / "results.json").read_text()):
        ok = "yes" if row["ok"] else "NO"
        assert f"| {row['name']} | {row['value']:.3g} | {row['unit']} | {row['bar']} | {ok} |" in page


def test_both_readmes_show_the_same_commands():
    english, korean = (list(commands(ROOT / name)) for name in ("README.md", "README.ko.md"))
    assert english == korean
    assert len(english) >= 8


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    version = importlib.import_module("skin_tune").__version__
    assert citation["version"] == version
    assert f"\n## {version} - {citation['date-released']}\n" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_a_page_has_no_gap_left_to_fill(name: str):
    gaps = set(re.findall(r"\b[A-Z]{2,}_[A-Z]{2,}\b", (ROOT / name).read_text(encoding="utf-8")))
    assert gaps <= VARIABLES
