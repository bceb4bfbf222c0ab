"""Writes docs/api.md from signatures, docstrings and the help of the command line: `python docs/make_api.py`."""

import ast
import dataclasses
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args, get_type_hints

import skin_tune
from skin_tune.cli.options import Packs, SourceOptions, TuneOptions
from skin_tune.data.pack.format import Pack
from skin_tune.data.preparation.pack_builder import Prepared
from skin_tune.inference.model_file import TrainedModel
from skin_tune.results.statistics.compare import Comparison
from skin_tune.tuning.experiment.runner import Outcome

OUT = Path(__file__).with_name("api.md")
FUNCTIONS = (
    *("prepare", "open_pack", "tune", "load_trials", "load_epochs", "result_grid", "compare", "report"),
    "load_model",
)
"""In the order in which one uses them; each example goes on from those before it."""
RETURNED = {"prepare": Prepared, "open_pack": Pack, "tune": Outcome, "compare": Comparison, "load_model": TrainedModel}
HEAD = """# In Python

What the commands do, from a notebook or a program of your own. `import skin_tune` takes a moment only: each function
brings what it needs when it is first used. Keywords are the command's options (`--time-budget` is `time_budget`), paths
may be text, `Path` or `s3://bucket/name`, and what you can mend is raised as a `skin_tune.errors.SkinTuneError` of one
line. `prepare` cuts photos in processes of its own: a program, unlike a notebook, needs its
`if __name__ == "__main__":`.

[examples/tune_and_compare.ipynb](../examples/tune_and_compare.ipynb) is a whole session. The examples below go on from
one another, in a folder with a small sample in it: `skin-tune sample sample --subjects 21`.

This page is written by `python docs/make_api.py` from the docstrings.
"""


def page() -> str:
    """The whole of api.md."""
    return "\n".join([HEAD, *(section(name) for name in FUNCTIONS)])


def section(name: str) -> str:
    """What there is to say of one function."""
    function = getattr(skin_tune, name)
    text, _, example = inspect.cleandoc(function.__doc__).partition("\n>>> ")
    parts = [f"## {name}\n", f"```python\n{signature(name, function)}\n```\n", f"{markdown(text).rstrip()}\n"]
    if options := {"prepare": SourceOptions, "tune": TuneOptions}.get(name):
        parts.append(table(("keyword", "meaning"), option_rows(function, options)))
    if name in RETURNED:
        parts.append(f"{RETURNED[name].__name__} has:\n")
        parts.append(table(("field", "type", "meaning"), field_rows(RETURNED[name])))
    return "\n".join([*parts, f"```pycon\n>>> {example.rstrip()}\n```\n"])


def signature(name: str, function: Callable[..., Any]) -> str:
    """As it is called, without types; a line for each of many parameters."""
    words = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        default = str(parameter.default) if isinstance(parameter.default, Path) else parameter.default
        words.append(parameter.name if default is parameter.empty else f"{parameter.name}={default!r}")
    line = f"{name}({', '.join(words)})"
    return line if len(line) <= 100 else "\n".join([f"{name}(", *(f"    {word}," for word in words), ")"])


def option_rows(function: Callable[..., Any], options: type) -> Iterator[tuple[str, str]]:
    """Each keyword that is an option of the command, with the command's help of it."""
    hints = {"out": Packs, **get_type_hints(options, include_extras=True)}
    for keyword in inspect.signature(function).parameters:
        if keyword in hints:
            yield f"`{keyword}`", next(each.help for each in get_args(hints[keyword]) if hasattr(each, "help"))


def field_rows(kind: type) -> Iterator[tuple[str, str, str]]:
    """Each public field and property of a dataclass, with its type and the docstring below it."""
    (tree,) = ast.parse(textwrap.dedent(inspect.getsource(kind))).body
    assert isinstance(tree, ast.ClassDef)
    hidden = {field.name for field in dataclasses.fields(kind) if not field.repr}
    for node, after in zip(tree.body, [*tree.body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id not in hidden:
            said = after.value.value if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) else ""
            yield f"`{node.target.id}`", f"`{ast.unparse(node.annotation)}`", str(said)
        elif isinstance(node, ast.FunctionDef) and "property" in map(ast.unparse, node.decorator_list):
            returned = ast.unparse(node.returns) if node.returns else ""
            yield f"`{node.name}`", f"`{returned}`", ast.get_docstring(node) or ""


def table(headings: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> str:
    """A table in Markdown."""
    lines = [headings, tuple("---" for _ in headings), *rows]
    cells = ([markdown(" ".join(cell.split())).replace("|", r"\|") for cell in line] for line in lines)
    return "".join(f"| {' | '.join(line)} |\n" for line in cells)


def markdown(text: str) -> str:
    """The code of a docstring as Markdown marks it."""
    return text.replace("``", "`")


if __name__ == "__main__":
    OUT.write_text(page(), encoding="utf-8")
