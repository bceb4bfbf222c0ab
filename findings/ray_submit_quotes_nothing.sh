#!/usr/bin/env bash
# Packages: ray 2.60.0.
# Guess: a script gets the arguments that were typed after its name, whether it is handed over by `ray submit` or by
#     `ray job submit`.
# What happens: `ray submit` joins them by spaces, and the shell of the head node takes them apart again: a folder with a space
#     in its name arrives as two arguments. `ray job submit` quotes each. What is quoted for `ray submit` arrives with its
#     quotes at `ray job submit`: no way of writing it suits both.
# Why it matters: folders of photos are named by people. Where a script takes lists, it does not notice.
# Seen (the command that Ray hands to ssh, and to its job server, run by a shell of this machine):
#     typed: --data '/data/face photos'
#     ray submit: ['--data', '/data/face', 'photos']
#     ray job submit: ['--data', '/data/face photos']
#     typed: --data "'/data/face photos'"
#     ray submit: ['--data', '/data/face photos']
#     ray job submit: ['--data', "'/data/face photos'"]
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/pip install --quiet --disable-pip-version-check uv==0.13.9
bin/uv pip install --quiet --python bin/python "ray[default]==2.60.0"
touch cluster.yaml
echo 'import sys; print(sys.argv[1:])' > show.py
HOME=$folder PATH=$folder/bin:$PATH bin/python - <<'END'
import shlex
import subprocess
import sys
from unittest.mock import Mock, patch

from click.testing import CliRunner
from ray.dashboard.modules.job import cli as jobs
from ray.scripts import scripts

PHOTOS = "/data/face photos"


def arrived(command):
    """What show.py prints of its arguments where a shell runs the command."""
    return subprocess.run(command, shell=True, capture_output=True, text=True, check=True).stdout.strip()


def by_submit(words):
    with patch.object(scripts, "rsync"), patch.object(scripts, "exec_cluster") as ssh:
        ended = CliRunner().invoke(scripts.submit, ["cluster.yaml", "show.py", *words], catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return arrived(ssh.call_args.kwargs["cmd"])


def by_job_submit(words):
    server = Mock()
    server.submit_job.return_value = "job"
    with patch.object(jobs, "_get_sdk_client", return_value=server):
        command = ["--no-wait", "--", "python", "show.py", *words]
        ended = CliRunner().invoke(jobs.submit, command, catch_exceptions=False)
    assert ended.exit_code == 0, ended.output
    return arrived(server.submit_job.call_args.kwargs["entrypoint"])


seen = []
for value in (PHOTOS, shlex.quote(PHOTOS)):
    print("typed: --data", shlex.quote(value) if value == PHOTOS else f'"{value}"')
    seen.append((by_submit(["--data", value]), by_job_submit(["--data", value])))
    print("ray submit:", seen[-1][0])
    print("ray job submit:", seen[-1][1])
whole, split = str(["--data", PHOTOS]), str(["--data", *PHOTOS.split()])
sys.exit(int(seen != [(split, whole), (whole, str(["--data", shlex.quote(PHOTOS)]))]))
END
