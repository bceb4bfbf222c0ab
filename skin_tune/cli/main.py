"""The command line: reads arguments, calls the rooms, prints. Heavy imports wait until a command runs."""

import sys
from collections.abc import Callable
from typing import Annotated, Any, NoReturn

import typer

from skin_tune.cli import (
    data_commands,
    model_commands,
    report_commands,
    results_commands,
    tuning_commands,
    wandb_commands,
)
from skin_tune.cli.options import read_numbers_strictly
from skin_tune.errors import ClusterLostError, SkinTuneError
from skin_tune.processes import interruption
from skin_tune.provenance import __version__
from skin_tune.text.escaping import error_line

_STYLE: Any = {
    "context_settings": {"help_option_names": ["-h", "--help"]},
    "pretty_exceptions_enable": False,
    "rich_markup_mode": None,
}
_NAME = "skin-tune"

app = typer.Typer(name=_NAME, no_args_is_help=True, **_STYLE)


UsageError: Any = typer.BadParameter.__base__
"""Typer's exception for a missing or malformed argument; it has no public name."""


INTERRUPTED = 130


def main() -> None:
    """Entry point of `skin-tune`: a user's mistake ends in one line and exit code 2."""
    run(app)


def run(program: typer.Typer) -> None:
    """Run a program; print what the user got wrong as one line and leave with its exit code.

    Ctrl-C, SIGTERM and SIGHUP end it in one line, too, with the exit code that a shell gives them: 130, 143 and 129.
    """
    with interruption.listening():
        _run(program)


def _run(program: typer.Typer) -> None:
    for command in program.registered_commands:
        assert command.callback is not None
        read_numbers_strictly(command.callback)
    try:
        name = _NAME if program is app else None
        status = typer.main.get_command(program).main(prog_name=name, standalone_mode=False)
    except UsageError as error:
        if program is app and len(sys.argv) == 1:  # the message is the help text
            _leave(error.format_message(), 0)
        from skin_tune.cli.usage import usage_message

        _leave(error_line(f"error: {usage_message(error)}"), 2)
    except SkinTuneError as error:
        if interruption.received():
            _leave(error_line(f"interrupted: {error}"), interruption.exit_code())
        _leave(error_line(f"error: {error}"), error.exit_code, lost=isinstance(error, ClusterLostError))
    except OSError as error:
        if error.filename is None:
            raise
        _leave(error_line(f"error: {str(error.filename)!r} cannot be used: {error.strerror}"), 2)
    except (KeyboardInterrupt, typer.Abort):
        status = INTERRUPTED
    if status == INTERRUPTED or interruption.received():  # typer turns Ctrl-C into this status
        _leave("interrupted", interruption.exit_code())


def _leave(message: str, exit_code: int, *, lost: bool = False) -> NoReturn:
    interruption.tell(message)
    if interruption.received() or lost:  # Ray would wait for what is not there any more
        interruption.end_now(exit_code)
    sys.exit(exit_code)


def single_command(function: Callable[..., None]) -> None:
    """Run one function as a program of its own: what the scripts in jobs/ do."""
    program = typer.Typer(add_completion=False, **_STYLE)
    program.command()(function)
    run(program)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"{_NAME} {__version__}")
        raise typer.Exit


@app.callback()
def options_of_all(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Tune ResNet graders for badly imbalanced skin grades on a Ray cluster."""


for function in (
    data_commands.sample,
    data_commands.prepare,
    data_commands.inspect,
    tuning_commands.train,
    tuning_commands.tune,
    results_commands.trials,
    results_commands.compare,
    results_commands.confirm,
    results_commands.audit,
    results_commands.combine,
    results_commands.refit,
    report_commands.report,
    report_commands.watch,
    wandb_commands.wandb_sync,
    wandb_commands.import_wandb,
    model_commands.evaluate,
    model_commands.predict,
    model_commands.export,
):
    app.command()(function)
