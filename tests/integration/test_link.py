"""Two hosts, which are two network namespaces here: their link is cut for a while, then one of them is lost."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from skin_tune.results import load_epochs, load_trials
from tests.cli_runner import ROOT
from tests.conftest import PackMaker
from tests.integration.processes import under_way, wait_until

RAY = Path(sys.executable).parent / "ray"
CUT_SECONDS = 20
PATIENCE = dict(re.findall(r"export (RAY_grpc\w+)=(\d+)", (ROOT / "cluster.local.yaml").read_text()))
"""What the cluster files say of connections: by Ray's own limits a trial stands still for minutes after a cut."""
SPACE = """
method: random
parameters:
  learning_rate: {min: 1.0e-4, max: 1.0e-3}
  backbone: {value: resnet18}
  weights: {value: none}
  image_size: {value: 16}
  batch_size: {value: 42}
  oversample: {value: none}
  epochs: {value: 15}
"""


def ip(*words: str, check: bool = True) -> bool:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr
    return done.returncode == 0


@dataclass(frozen=True)
class Host:
    """A network namespace with one address, and a Ray node of one CPU in it."""

    name: str
    address: str
    folder: Path

    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "RAY_TMPDIR": str(self.folder),
            "WANDB_MODE": "disabled",
            "RAY_AUTH_MODE": "disabled",
            **PATIENCE,
        }

    def start(self, *words: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            ["ip", "netns", "exec", self.name, *words],
            env=self.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def join(self, *how: str) -> None:
        node = ("--num-cpus=1", f"--node-ip-address={self.address}", "--object-store-memory=100000000", *how)
        lean = ("--include-log-monitor=false", "--disable-usage-stats")
        assert self.start(str(RAY), "start", *node, *lean).wait(120) == 0

    def end(self) -> None:
        """End every process in it."""
        found = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False).stdout
        for number in found.split():
            subprocess.run(["kill", "-9", number], check=False, capture_output=True)


@pytest.fixture
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Host, Host]]:
    """A head and a worker."""
    mark = f"st{os.getpid() % 100000}"
    if not shutil.which("ip") or os.geteuid() != 0 or not ip("netns", "add", f"{mark}a", check=False):
        pytest.skip("only root can make network namespaces")
    folders = [Path("/tmp") / f"{mark}{side}" for side in "ab"]  # short: Ray's sockets lie below
    pair = [
        Host(f"{mark}{side}", f"10.77.0.{number}", folder)
        for number, side, folder in zip((1, 2), "ab", folders, strict=True)
    ]
    try:
        ip("netns", "add", pair[1].name)
        ip(
            "link",
            "add",
            f"{mark}va",
            "netns",
            pair[0].name,
            "type",
            "veth",
            "peer",
            f"{mark}vb",
            "netns",
            pair[1].name,
        )
        for host, side in zip(pair, "ab", strict=True):
            host.folder.mkdir()
            ip("-n", host.name, "addr", "add", f"{host.address}/24", "dev", f"{mark}v{side}")
            for device in ("lo", f"{mark}v{side}"):
                ip("-n", host.name, "link", "set", device, "up")
        pair[0].join("--head", "--port=6379", "--include-dashboard=false")
        pair[1].join(f"--address={pair[0].address}:6379")
        yield pair[0], pair[1]
    finally:
        for host in pair:
            host.end()
            ip("netns", "del", host.name, check=False)
            shutil.rmtree(host.folder, ignore_errors=True)


@pytest.mark.parametrize(
    "lost",
    [
        pytest.param(False, id="a link that is cut"),
        pytest.param(True, id="a node that is lost", marks=pytest.mark.chaos),  # test_nodes loses one on one host
    ],
)
def test_a_run_ends_whole(lost: bool, hosts: tuple[Host, Host], make_pack: PackMaker, tmp_path: Path):
    head, worker = hosts
    (tmp_path / "space.yaml").write_text(SPACE)
    storage = tmp_path / "runs"
    where = ("--space", tmp_path / "space.yaml", "--storage", storage, "--name", "exp", "--trials", 3)
    command = (sys.executable, "-m", "skin_tune", "tune", make_pack().path, *where, "--concurrent", 2)
    run = head.start("env", f"RAY_ADDRESS={head.address}:6379", *map(str, command))
    try:
        wait_until(lambda: under_way(storage, "exp") == 2 or run.poll() is not None)
        assert run.poll() is None
        if lost:
            worker.end()
        else:
            device = f"{worker.name[:-1]}vb"
            ip("-n", worker.name, "link", "set", device, "down")
            time.sleep(CUT_SECONDS)
            ip("-n", worker.name, "link", "set", device, "up")
        assert run.wait(280) == 0
    finally:
        run.kill()
    trials = load_trials(storage)
    assert trials["status"].tolist() == ["completed"] * 3
    epochs = load_epochs(storage).groupby("trial_id")["epoch"].apply(list)
    assert epochs.tolist() == [list(range(1, 16))] * 3
