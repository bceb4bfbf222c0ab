"""The server, asked over HTTP."""

import http.client
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from skin_tune.errors import AddressError
from skin_tune.results.watch.server import WatchServer
from skin_tune.results.watch.store import LiveStore
from tests.cli_runner import assert_one_line_error, skin_tune_here
from tests.results.report.report_store import write_trials
from tests.results.watch.growing import begin, epoch, run

EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("watched") / "runs"
    write_trials(folder, "neck", "exp", trials=4)
    write_trials(folder, "lip_dryness", "exp", trials=3)
    write_trials(folder, EVIL.replace("/", "|"), "exp", trials=2)
    return folder


@contextmanager
def served(storage: Path, host: str = "127.0.0.1", price: float | None = None) -> Iterator[WatchServer]:
    with WatchServer(LiveStore(storage, price), host) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def server(storage: Path) -> Iterator[WatchServer]:
    with served(storage) as found:
        yield found


def ask(server: WatchServer, path: str, method: str = "GET", **headers: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and content of an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=60)
    connection.request(method, path, headers=headers)
    answer = connection.getresponse()
    found = answer.status, dict(answer.getheaders()), answer.read()
    connection.close()
    return found


def told(server: WatchServer, path: str) -> Any:
    """What a path tells in JSON."""
    status, headers, content = ask(server, path)
    assert (status, headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    return json.loads(content)


def test_every_page_and_file_is_there_and_is_asked_for_by_name_only(server: WatchServer):
    pages = ["/", "/experiment?region=neck&name=exp", "/watch.js", "/draw.js", "/watch.css", "/plotly.js"]
    assert [ask(server, path)[0] for path in pages] == [200] * 6
    elsewhere = [
        "/watch",
        "/watch.py",
        "/../server.py",
        "/%2e%2e/server.py",
        "//etc/passwd",
        "/page.css",
        "/report.html",
    ]
    assert [ask(server, path)[0] for path in elsewhere] == [404] * len(elsewhere)
    unknown = [f"/{page}?region={name}&name=exp" for page in ("experiment", "report") for name in ("..", "no", "")]
    assert [ask(server, path)[0] for path in unknown] == [404] * 6


def test_the_list_and_an_experiment_are_told_and_then_only_what_is_new(server: WatchServer):
    index = told(server, "/index.json")
    assert {(each["region"], each["figures"]["over"]) for each in index["experiments"]} >= {("neck", 4)}
    assert ask(server, f"/index.json?since={index['version']}")[0] == 204
    state = told(server, "/experiment.json?region=neck&name=exp")
    assert len(state["trials"]) == 4
    assert ask(server, f"/experiment.json?region=neck&name=exp&since={state['version']}")[0] == 204
    assert told(server, "/experiment.json?region=neck&name=no")["gone"] is True
    assert len(told(server, "/experiment.json?region=neck&name=exp&since=x.%C2%B2")["trials"]) == 4


@pytest.mark.usefixtures("no_pause")
def test_an_epoch_is_told_once_it_is_written(tmp_path: Path):
    with run(tmp_path) as writer, served(_begun(writer, tmp_path), price=2.0) as server:
        state = told(server, "/experiment.json?region=neck&name=exp")
        epoch(writer, "exp-000", 1, 0.75, gpu_seconds=3600.0)
        news = told(server, f"/experiment.json?region=neck&name=exp&since={state['version']}")
        assert news["trials"][0]["points"] == [[1, 0.75]]
        assert news["figures"]["money"] == 2.0
        (file,) = tmp_path.glob("results/trials/*/*/*.parquet")
        file.write_bytes(b"")
        assert "damaged" in told(server, f"/experiment.json?region=neck&name=exp&since={news['version']}")["problem"]


def _begun(writer: Any, storage: Path) -> Path:
    begin(writer, "exp-000")
    return storage


def test_the_report_is_made_when_it_is_asked_for_and_anew_once_the_store_has_changed(tmp_path: Path):
    write_trials(tmp_path, "neck", "exp", trials=4)
    store = LiveStore(tmp_path)
    first = store.report("neck", "exp")
    assert b"Of 4 trials the best is" in first
    assert store.report("neck", "exp") is first
    write_trials(tmp_path, "neck", "exp", trials=5)
    assert b"Of 5 trials the best is" in store.report("neck", "exp")


def test_a_report_that_cannot_be_made_is_told_so(tmp_path: Path):
    write_trials(tmp_path, "neck", "exp", trials=2)
    with served(tmp_path) as server:
        (file,) = tmp_path.glob("results/predictions/*/*/exp-000-val.parquet")
        file.write_bytes(b"PAR1")
        status, _, content = ask(server, "/report?region=neck&name=exp")
        assert status == 503
        assert content.startswith(b"the storage cannot be read at the moment: ")
        assert b"exp-000-val.parquet" in content


def test_a_report_is_served_as_the_file_would_be(server: WatchServer):
    status, headers, content = ask(server, "/report?region=neck&name=exp")
    assert status == 200
    assert headers["Content-Security-Policy"].startswith("default-src 'none'; script-src 'unsafe-inline'")
    assert content.decode().rstrip().endswith("</html>")


@pytest.mark.parametrize("path", ["/", "/index.json", "/report?region=neck&name=exp", "/nothing", "/favicon.ico"])
def test_no_answer_lets_anything_in_from_elsewhere(server: WatchServer, path: str):
    _, headers, _ = ask(server, path)
    policy = headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "http" not in policy
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Access-Control-Allow-Origin" not in headers


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8000", "127.0.0.1.evil.example", "", "[", "a b"])
def test_a_page_whose_name_was_made_to_lead_here_is_told_nothing(server: WatchServer, host: str):
    status, _, content = ask(server, "/index.json", Host=host)
    assert (status, content) == (421, b"this server has another name\n")


@pytest.mark.parametrize("host", ["localhost:9000", "127.0.0.1", "[::1]:80", "LOCALHOST"])
def test_this_machine_goes_by_several_names_also_through_a_tunnel(server: WatchServer, host: str):
    assert ask(server, "/", Host=host)[0] == 200


def test_only_reading_is_answered(server: WatchServer):
    for method in ("POST", "PUT", "DELETE", "PATCH", "OPTIONS"):
        status, headers, _ = ask(server, "/", method)
        assert (status, headers["Allow"]) == (405, "GET, HEAD")
    assert ask(server, "/", "BREW")[0] == 501
    status, headers, content = ask(server, "/", "HEAD")
    assert (status, content) == (200, b"")
    assert int(headers["Content-Length"]) > 1000


def test_a_request_that_is_none_does_not_end_the_server(server: WatchServer):
    for sent in (b"\x00\x01\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n", b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with socket.create_connection(("127.0.0.1", server.server_port)) as connection:
            connection.sendall(sent)
            assert b"alert" not in connection.recv(4096)
    assert ask(server, "/")[0] == 200


def test_names_from_the_store_are_text_and_lead_to_its_own_experiments(server: WatchServer):
    content = ask(server, "/experiment?region=%3Cscript%3Ealert(1)%3C%7Cscript%3E&name=exp")
    assert content[0] == 200
    assert b"<script>alert" not in content[2]
    assert b"&lt;script&gt;alert(1)" in content[2]


def test_another_address_than_loopback_needs_its_token(storage: Path):
    with served(storage, "0.0.0.0") as server:
        assert len(server.token) >= 32
        assert server.address == f"http://{socket.gethostname()}:{server.server_port}/{server.token}/"
        assert ask(server, f"/{server.token}/", Host="lab-machine:80")[0] == 200
        told(server, f"/{server.token}/index.json")
        for path in ("/", "/index.json", f"/{server.token[:-1]}/", f"/{server.token}", "/watch.js", "/%C3%A9/"):
            assert ask(server, path)[::2] == (404, b"not found\n")
        with served(storage, "0.0.0.0") as other:
            assert other.token != server.token


def test_loopback_needs_none(server: WatchServer):
    assert server.address == f"http://127.0.0.1:{server.server_port}/"
    assert server.server_address[0] == "127.0.0.1"


def test_an_address_that_cannot_be_had_is_told(storage: Path, server: WatchServer, tmp_path: Path):
    for port in (-1, 65536):
        with pytest.raises(AddressError, match=f"--port {port} is not from 0 to 65535"):
            WatchServer(LiveStore(storage), port=port)
    with pytest.raises(AddressError, match=f"cannot serve at --host '127.0.0.1' --port {server.server_port}: "):
        WatchServer(LiveStore(storage), port=server.server_port)
    with pytest.raises(AddressError, match=r"cannot serve at --host .203\.0\.113\.7. --port 0: "):
        WatchServer(LiveStore(storage), "203.0.113.7")
    words = ("watch", "--storage", tmp_path / "none")
    assert_one_line_error(skin_tune_here(*words), "no results below", "give the --storage of a run")
    assert not (tmp_path / "none").exists()
    assert_one_line_error(skin_tune_here("watch", "--storage", storage, "--port", "70000"), "--port 70000")
    assert_one_line_error(skin_tune_here("watch", "--storage", storage, "--price-per-gpu-hour", "-1"), "is below 0")


def test_nothing_in_the_store_is_touched(storage: Path, server: WatchServer):
    def state() -> dict[Path, tuple[int, int]]:
        return {path: (path.stat().st_mtime_ns, path.stat().st_size) for path in storage.rglob("*")}

    before = state()
    for path in ("/", "/index.json", "/experiment.json?region=neck&name=exp", "/report?region=lip_dryness&name=exp"):
        assert ask(server, path)[0] == 200
    assert state() == before
