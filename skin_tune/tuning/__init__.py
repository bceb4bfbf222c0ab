"""Trials on a Ray cluster."""

import os
from pathlib import Path

# Ray prints what its processes have to say, a hundred lines where one has died, in the middle of ours. Read when Ray is
# imported, and so set before; its logs have it all.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")


def _has_token() -> bool:
    """Whether this user has a token for Ray's clusters, where Ray looks for it."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return True
    try:
        return Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or "~/.ray/auth_token").expanduser().is_file()
    except (OSError, RuntimeError):  # a home that is not there
        return False


# `ray start --head` asks for a token as soon as there is one in the home, but a client that is not told to does not
# send it. A cluster without tokens takes no notice of one.
if _has_token():
    os.environ.setdefault("RAY_AUTH_MODE", "token")
