"""The server of the pages: for this machine alone, or behind a token that nobody guesses."""

import ipaddress
import secrets
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from skin_tune.errors import AddressError
from skin_tune.results.watch.routes import NOT_FOUND, TEXT, Answer, answer
from skin_tune.results.watch.store import LiveStore

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_KEEP_SECONDS = 60
"""A browser asks again within them, on the same connection."""
_ICON = "/favicon.ico"
"""Asked for by browsers, whatever a page says."""


class WatchServer(ThreadingHTTPServer):
    """Serves a store at `address`. A `host` other than loopback is served behind a random token.

    Raises AddressError where it cannot listen there. Port 0 is any free one.
    """

    daemon_threads = True
    allow_reuse_port = False  # two servers would share one port, and answer in turns

    def __init__(self, store: LiveStore, host: str = "127.0.0.1", port: int = 0):
        if not 0 <= port < 1 << 16:
            raise AddressError(f"--port {port} is not from 0 to 65535")
        self.store, self.host = store, host
        self.token = "" if _is_loopback(host) else secrets.token_urlsafe(24)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
            self.address_family = found[0][0]
            super().__init__(found[0][4][:2], _Handler)  # type: ignore[arg-type]
        except (OSError, UnicodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise AddressError(f"cannot serve at --host {host!r} --port {port}: {reason}") from None

    def server_bind(self) -> None:
        """As TCPServer: HTTPServer would ask the name service who this is, which may take seconds."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = self.host, self.server_address[1]

    @property
    def address(self) -> str:
        """What to type into a browser."""
        shown = socket.gethostname() if _is_any(self.host) else self.host
        name = f"[{shown}]" if ":" in shown else shown
        return f"http://{name}:{self.server_port}/{self.token}{'/' if self.token else ''}"

    def answers_to(self, host: str | None) -> bool:
        """Whether a request that names us `host` is for us.

        A page of somebody else may have its own name point to this machine, and so be let in by the browser; it knows
        no token.
        """
        try:
            name = urlsplit(f"//{host or ''}").hostname
        except ValueError:
            return False
        return name in (*_LOOPBACK, self.host.lower()) or bool(self.token and _is_any(self.host))

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Leave out those who went away before they had their answer."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    server: WatchServer
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "skin-tune", ""
    timeout = _KEEP_SECONDS

    def do_GET(self) -> None:
        self._send(self._answer())

    def do_HEAD(self) -> None:
        self._send(self._answer(), body=False)

    def do_POST(self) -> None:
        self.close_connection = True  # what was sent along has not been read
        self._send(Answer(b"only GET and HEAD\n", status=405))

    do_PUT = do_PATCH = do_DELETE = do_OPTIONS = do_POST  # noqa: N815

    def _answer(self) -> Answer:
        if not self.server.answers_to(self.headers.get("Host")):
            return Answer(b"this server has another name\n", status=421)
        try:
            asked = urlsplit(self.path)
        except ValueError:
            return NOT_FOUND
        if asked.path == _ICON:
            return Answer(status=204)
        name = asked.path.removeprefix("/")
        if self.server.token:
            token, slash, name = name.partition("/")
            if not slash or not secrets.compare_digest(token.encode(), self.server.token.encode()):
                return NOT_FOUND
        return answer(self.server.store, name, dict(parse_qsl(asked.query, keep_blank_values=True)))

    def _send(self, found: Answer, *, body: bool = True) -> None:
        self.send_response(found.status)
        headers = {
            "Content-Security-Policy": found.policy,
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cross-Origin-Resource-Policy": "same-origin",
            "Cache-Control": "private, max-age=3600" if found.stays else "no-store",
        }
        if found.status == 405:
            headers["Allow"] = "GET, HEAD"
        if found.status != 204:
            headers |= {"Content-Type": found.kind, "Content-Length": str(len(found.content))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if body:
            self.wfile.write(found.content)

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """As other answers: a request that is none is told so in one line."""
        self.close_connection = True
        self._send(Answer(b"not understood\n", TEXT, code))

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: a line a second would hide the address."""


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _is_any(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_unspecified
    except ValueError:
        return False
