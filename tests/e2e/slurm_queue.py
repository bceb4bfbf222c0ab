"""A real Slurm of two machines: network, process and name spaces of their own on this one."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

NETWORK = "10.79.0"
_CONTROLLER = f"{NETWORK}.254"
_PROGRAMS = ("ip", "unshare", "munged", "slurmctld", "slurmd", "sbatch")


def missing() -> str:
    """What this machine lacks for it; empty where nothing does."""
    if os.geteuid() != 0:
        return "root"
    return ", ".join(name for name in _PROGRAMS if not _program(name))


def _program(name: str) -> str | None:
    return shutil.which(name, path=f"{os.environ['PATH']}:/usr/sbin:/sbin")


@dataclass(frozen=True)
class Queue:
    """Slurm's commands, for its one partition `gpu`."""

    folder: Path
    environment: dict[str, str]

    def call(self, *words: object, cwd: Path | None = None, timeout: float = 400) -> subprocess.CompletedProcess[str]:
        """One of Slurm's commands."""
        return subprocess.run(
            [*map(str, words)],
            cwd=cwd,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


@contextmanager
def slurm(folder: Path, names: tuple[str, str]) -> Iterator[Queue]:
    """Bring up a controller here and a machine of one CPU for each of `names`."""
    config = folder / "slurm.conf"
    config.write_text(_config(folder, names))
    environment = {**os.environ, "SLURM_CONF": str(config)}
    processes: list[subprocess.Popen[bytes]] = []
    bridge = f"{names[0]}br"

    def start(*words: object) -> None:
        with (folder / "log").open("ab") as log:
            processes.append(subprocess.Popen([*map(str, words)], env=environment, stdout=log, stderr=log))

    try:
        _ip("link", "add", bridge, "type", "bridge")
        _ip("addr", "add", f"{_CONTROLLER}/24", "dev", bridge)
        _ip("link", "set", bridge, "up")
        (folder / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")  # it wants one, and then nothing of it
        (folder / "key").write_bytes(os.urandom(128))
        (folder / "key").chmod(0o400)
        files = [f"--{kind}-file={folder}/munge.{kind}" for kind in ("pid", "log", "seed")]
        start(
            _program("munged"),
            "--foreground",
            "--force",
            f"--socket={folder}/munge",
            f"--key-file={folder}/key",
            *files,
        )
        start(_program("slurmctld"), "-D", "-i")
        for number, name in enumerate(names, start=1):
            _machine(name, f"{NETWORK}.{number}", bridge, names)
            words = f"mount -t tmpfs none /sys/fs/cgroup && hostname {name} && exec {_program('slurmd')} -D -N {name}"
            apart = ("unshare", "--uts", "--pid", "--fork", "--kill-child", "--mount-proc")
            start("ip", "netns", "exec", name, *apart, "sh", "-c", words)
        queue = Queue(folder, environment)
        until = time.monotonic() + 60
        while queue.call("sinfo", "--noheader", "--format=%A").stdout.strip() != "0/2":
            assert time.monotonic() < until, (folder / "log").read_text()[-3000:]
            time.sleep(0.5)
        yield queue
    finally:
        for process in reversed(processes):
            process.kill()  # which unshare passes on, as it does no SIGTERM
        for process in processes:
            process.wait(30)
        for name in names:
            _ip("netns", "del", name, check=False)
            shutil.rmtree(Path("/etc/netns") / name, ignore_errors=True)
        _ip("link", "del", bridge, check=False)


def _machine(name: str, address: str, bridge: str, names: tuple[str, str]) -> None:
    """A network namespace on the bridge, in which all machines have their names."""
    _ip("netns", "add", name)
    _ip("link", "add", f"{name}v", "type", "veth", "peer", "eth0", "netns", name)
    _ip("link", "set", f"{name}v", "master", bridge, "up")
    _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
    for device in ("lo", "eth0"):
        _ip("-n", name, "link", "set", device, "up")
    own = Path("/etc/netns") / name
    own.mkdir(parents=True)
    hosts = "".join(f"{NETWORK}.{number} {other}\n" for number, other in enumerate(names, start=1))
    (own / "hosts").write_text(f"127.0.0.1 localhost\n{hosts}")


def _ip(*words: str, check: bool = True) -> None:
    done = subprocess.run(["ip", *words], capture_output=True, text=True, check=False)
    assert done.returncode == 0 or not check, done.stderr


def _config(folder: Path, names: tuple[str, str]) -> str:
    for name in ("state", "spool"):
        (folder / name).mkdir()
    for name in names:
        (folder / "spool" / name).mkdir()
    machines = "".join(
        f"NodeName={name} NodeAddr={NETWORK}.{number} CPUs=1 RealMemory=1000\n"
        for number, name in enumerate(names, start=1)
    )
    return f"""
ClusterName=lab
SlurmctldHost=localhost({_CONTROLLER})
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU
MpiDefault=none
ReturnToService=2
KillWait=60
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/controller.pid
SlurmdPidFile={folder}/%n.pid
{machines}PartitionName=gpu Nodes={",".join(names)} Default=YES MaxTime=60 State=UP
"""
