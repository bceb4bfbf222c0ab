"""Messages for a command line that cannot be parsed: one line with what was given and what would work."""

import sys
from typing import Any

from skin_tune.config import FIELDS


def usage_message(error: Any) -> str:
    """One line on a usage error of typer's, which is of a class without a public name."""
    context = getattr(error, "ctx", None)
    said = " ".join(_said(error, context).split())
    if context is None:
        return said
    return (
        f"{said} See {context.command_path} --help"
        if said.endswith("?")
        else f"{said}; see {context.command_path} --help"
    )


def _said(error: Any, context: Any) -> str:
    if name := getattr(error, "option_name", ""):
        return _on_option(error, name)
    message = str(error.format_message()).strip().rstrip(".")
    if message.startswith("No such command"):
        return _on_command(message, context)
    if message.startswith("Got unexpected extra argument"):
        extra = message.rpartition("(")[2].removesuffix(")")
        return f"{context.info_name} takes no further argument, not {extra!r}"
    if message.startswith("Missing"):
        wanted = getattr(error.param, "help", None)
        return f"{message} ({wanted.rstrip('.')})" if wanted else message
    return message + _given(error)


def _on_option(error: Any, name: str) -> str:
    """An unknown option, or one that lacks its value."""
    if not hasattr(error, "possibilities"):
        return str(error.format_message()).strip().rstrip(".")
    field = name.lstrip("-").replace("-", "_")
    if field in FIELDS:
        return f"No such option: {name}; a hyper-parameter is given without dashes, such as {field}=VALUE"
    close = " or ".join(sorted(error.possibilities or ()))
    return f"No such option: {name}" + (f"; did you mean {close}?" if close else "")


def _on_command(message: str, context: Any) -> str:
    name, near, close = message.partition(". Did you mean ")
    if near:
        return f"{name}; did you mean {close}"
    return f"{name}; there are {', '.join(context.command.commands)}"


def _given(error: Any) -> str:
    """The value an option was given, which typer's messages leave out."""
    for option in getattr(getattr(error, "param", None), "opts", ()):
        for word, following in zip(sys.argv, [*sys.argv[1:], ""], strict=True):
            if word == option or word.startswith(f"{option}="):
                return f", not {word.partition('=')[2] or following!r}"
    return ""
