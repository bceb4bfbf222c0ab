#!/usr/bin/env bash
# Packages: typer 0.29.2, click 8.5.1.
# Guess: `typer.Option(min=1, parser=int)` parses with the function, then checks the bound; or it refuses to take both.
# What happens: the bound is dropped without a word. The same option without `parser` refuses -5.
# Why it matters: a parser added later, to take "2k" or to give a better message, turns off the check that kept -5 epochs out.
# Seen:
#     --plain -5: exit code 2
#     --parsed -5: exit code 0 plain 1, parsed -5
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python typer==0.29.2 click==8.5.1
bin/python - <<'END'
import sys

import typer
from typer.testing import CliRunner

app = typer.Typer()


@app.command()
def train(plain: int = typer.Option(1, min=1), parsed: int = typer.Option(1, min=1, parser=int)) -> None:
    print(f"plain {plain}, parsed {parsed}")


codes = {}
for option in ("--plain", "--parsed"):
    result = CliRunner().invoke(app, [option, "-5"])
    codes[option] = result.exit_code
    print(f"{option} -5: exit code {result.exit_code}", result.stdout.strip())
sys.exit(codes != {"--plain": 2, "--parsed": 0})
END
