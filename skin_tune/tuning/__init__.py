"""Experiments: spaces, search, trials on a Ray cluster, records, refit."""

import os

# Ray prints what its processes have to say, a hundred lines where one has died, in the middle of ours. Read when Ray is
# imported, and so set before; its logs have it all.
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".")
