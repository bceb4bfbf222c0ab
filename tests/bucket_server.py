"""An S3 server of one's own that can be made to fail: `python -m tests.bucket_server FILE` fails while FILE exists.

It prints its port, and serves until it is ended.
"""

import sys
from pathlib import Path
from typing import Any

from moto.moto_server.werkzeug_app import create_backend_app
from werkzeug.serving import make_server


def main() -> None:
    outage = Path(sys.argv[1])
    application = create_backend_app("s3")

    def failing(environ: dict[str, Any], start_response: Any) -> Any:
        if outage.exists():
            start_response("503 Service Unavailable", [("Content-Length", "0")])
            return []
        return application(environ, start_response)

    server = make_server("127.0.0.1", 0, failing, threaded=True)
    print(server.port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
