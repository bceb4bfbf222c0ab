"""What the command line says of itself, and of a command line that it cannot read."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from skin_tune import __version__
from skin_tune.cli.main import app
from tests.cli_runner import assert_one_line_error, run_job_here, skin_tune_here

COMMANDS = [command.callback.__name__.replace("_", "-") for command in app.registered_commands if command.callback]


def test_it_says_its_version():
    done = skin_tune_here("--version")
    assert (done.returncode, done.stdout.strip()) == (0, f"skin-tune {__version__}")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str):
    short, long = (skin_tune_here(command, flag) for flag in ("-h", "--help"))
    assert (short.returncode, long.returncode) == (0, 0)
    assert short.stdout == long.stdout
    assert f"Usage: skin-tune {command}" in short.stdout


def test_the_list_of_commands_is_not_cut_on_80_columns(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("TERMINAL_WIDTH", "80")
    listed = skin_tune_here("-h").stdout
    assert "..." not in listed.partition("Commands:")[2]


def test_jobs_explain_themselves_with_h_too(tmp_path: Path):
    assert "Usage" in run_job_here("tune_region", "-h", cwd=tmp_path).stdout


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["tun"], ["No such command 'tun'", "did you mean 'tune'", "See skin-tune --help"]),
        (["frobnicate"], ["No such command 'frobnicate'", "there are sample, prepare", "export"]),
        (["--verson"], ["No such option: --verson", "did you mean --version"]),
        (["trials", "--experment", "x"], ["--experment", "did you mean --experiment", "See skin-tune trials --help"]),
        (["tune", "x", "--epochs", "3"], ["No such option: --epochs", "such as epochs=VALUE"]),
        (["tune", "x", "--learning-rate=3"], ["--learning-rate", "such as learning_rate=VALUE"]),
        (["tune"], ["tune needs a PACK, or the --name of an experiment to --resume"]),
        (["prepare", "x"], ["Missing option '--region'", "see skin-tune prepare --help"]),
        (["trials", "--limit"], ["Option '--limit' requires an argument"]),
        (["trials", "--limit", "many"], ["'--limit'", "a whole number", "not 'many'"]),
        (["trials", "one", "two"], ["trials takes no further argument, not 'one two'"]),
        (["report", "one"], ["report takes no further argument, not 'one'"]),
    ],
    ids=" ".join,
)
def test_a_slip_is_told_with_what_would_work(words: list[str], said: list[str]):
    assert_one_line_error(skin_tune_here(*words), *said)


def completed(*words: str) -> list[str]:
    """What a shell is told that may stand where the last of `words` is being typed."""
    env = {
        **os.environ,
        "_SKIN_TUNE_COMPLETE": "complete_bash",
        "COMP_WORDS": " ".join(["skin-tune", *words]),
        "COMP_CWORD": str(len(words)),
    }
    done = subprocess.run([sys.executable, "-m", "skin_tune"], env=env, capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_the_shell_completes_commands_and_options():
    assert completed("t") == ["train", "tune", "trials"]
    assert completed("tune", "packs/a.arrow", "--t") == ["--trials", "--time-budget", "--tensorboard"]
    assert completed("tune", "s3://no-such-bucket/a.arrow", "--t") == ["--trials", "--time-budget", "--tensorboard"]


def test_the_script_for_the_shell_is_shown():
    program = f"{sys.executable} -m skin_tune --show-completion; exit $?"  # which asks what shell it was started by
    done = subprocess.run(["bash", "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "complete -o default -F _skin_tune_completion skin-tune" in done.stdout


def test_completion_loads_no_more_than_help():
    script = (
        "import os, sys, skin_tune.cli.main\n"
        "os.environ |= {'_SKIN_TUNE_COMPLETE': 'complete_bash', 'COMP_CWORD': '2'}\n"
        "os.environ['COMP_WORDS'] = 'skin-tune tune --t'\n"
        "try: skin_tune.cli.main.main()\n"
        "except SystemExit: pass\n"
        "print(sorted({'torch', 'ray', 'pandas', 'pyarrow', 'numpy', 'rich'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "[]"


def test_the_commands_are_a_group_that_typer_builds():
    assert set(typer.main.get_command(app).commands) == set(COMMANDS)  # type: ignore[attr-defined]
