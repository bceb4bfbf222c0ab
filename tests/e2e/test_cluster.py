"""`ray up`, `ray submit`, `ray exec` and `ray down`, as the README has them, on a throw-away ssh server.

Ray's launcher knows no port but 22, and `ray stop` ends every Ray process of the machine: `make e2e` runs this alone.
"""

import csv
import io
import os
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.cli_runner import ROOT

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

FETCHING = re.compile(r"(PIP|UV|SSL_CERT|REQUESTS_CA)_\w+|\w+_proxy", re.IGNORECASE)
"""Environment variables that say how this machine reaches package registries."""
SUBMIT = ("submit", "cluster.yaml")


def ray(*arguments: str, cwd: Path, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """A command of Ray's launcher, run from a working copy."""
    return subprocess.run(
        [str(Path(sys.executable).parent / "ray"), *arguments],
        cwd=cwd,
        env={**os.environ, "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Home folder of a machine that listens for ssh on the loopback address; `key` beside it opens it."""
    sshd = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
    if os.geteuid() != 0 or not sshd or not shutil.which("rsync"):
        pytest.skip("needs root, openssh-server and rsync")
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 22))
        except OSError:
            pytest.skip("port 22 of 127.0.0.1 is taken")
    folder = tmp_path_factory.mktemp("machine")
    home = folder / "home"
    home.mkdir()
    for name in ("host", "key"):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True)
    fetching = {name: value for name, value in os.environ.items() if FETCHING.fullmatch(name)}
    setenv = " ".join(f'"{name}={value}"' for name, value in {**fetching, "HOME": str(home)}.items())
    (folder / "sshd_config").write_text(
        f"ListenAddress 127.0.0.1:22\nHostKey {folder}/host\nPidFile {folder}/pid\n"
        f"AuthorizedKeysFile {folder}/key.pub\nStrictModes no\nPermitRootLogin yes\nUsePAM no\nSetEnv {setenv}\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    server = subprocess.Popen([sshd, "-D", "-e", "-f", folder / "sshd_config"], stderr=subprocess.DEVNULL)
    yield home
    server.terminate()
    server.wait()


@pytest.fixture(scope="module")
def cluster(machine: Path) -> Iterator[Path]:
    """A working copy whose `cluster.yaml` is cluster.local.yaml with its marked places filled in; the cluster is up."""
    copy = machine.parent / "skin-tune"
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in tracked.rstrip("\0").split("\0"):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    text = (copy / "cluster.local.yaml").read_text().replace("/shared/skin-tune", str(machine.parent / "shared"))
    config = yaml.safe_load(text)
    config["provider"]["head_ip"] = "127.0.0.1"
    config["auth"] = {"ssh_user": "root", "ssh_private_key": str(machine.parent / "key")}
    (copy / "cluster.yaml").write_text(yaml.safe_dump(config, sort_keys=False))
    up = ray("up", "-y", "cluster.yaml", cwd=copy)
    try:
        assert up.returncode == 0, up.stdout[-3000:] + up.stderr[-3000:]
        yield copy
    finally:
        down = ray("down", "-y", "cluster.yaml", cwd=copy)
    assert down.returncode == 0, down.stderr


def test_a_region_is_tuned_on_the_cluster_and_its_trials_are_read_there(cluster: Path, machine: Path):
    sample = machine.parent / "sample"
    subprocess.run([sys.executable, "-m", "skin_tune", "sample", sample, "--subjects", "30"], check=True)
    space = ("--space", "search_spaces/sample.yaml", "epochs=1", "image_size=32")
    job = ("jobs/tune_region.py", "lip_dryness", "--data", str(sample), "--size", "32", "--name", "first")
    done = ray(*SUBMIT, *job, *space, "--trials", "2", cwd=cluster)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "no subject is in two splits" in done.stdout
    assert "2 trials in" in done.stdout

    listed = ray("exec", "cluster.yaml", "skin-tune trials --format csv", cwd=cluster)
    assert listed.returncode == 0, listed.stderr
    lines = listed.stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("trial_id,"))
    rows = list(csv.DictReader(io.StringIO("\n".join(lines[start : start + 3]))))
    assert [row["status"] for row in rows] == ["completed", "completed"]
    assert (machine.parent / "shared" / "packs" / "lip_dryness-32.arrow").is_file()

    packs = f"--packs {machine.parent}/shared/packs --size 32"
    tune = f"python jobs/tune_region.py lip_dryness {packs} --name second {' '.join(space)} --trials 1"
    job_server = f"cd ~/skin-tune && ray job submit --working-dir . -- {tune}"
    submitted = ray("exec", "cluster.yaml", job_server, cwd=cluster)
    assert submitted.returncode == 0, submitted.stdout[-3000:] + submitted.stderr[-3000:]
    assert "1 trial in" in submitted.stdout

    taken = ray(*SUBMIT, *job, *space, cwd=cluster)
    assert taken.returncode != 0
    assert "error: experiment 'first' of lip_dryness already exists" in taken.stdout + taken.stderr
