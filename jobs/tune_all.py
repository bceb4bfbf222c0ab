"""Tune every region: `tune_all.py --data DIR ...`, with all flags of `skin-tune tune` besides.

The regions share the cluster: each has its own search, early stopping, and part of the store, and they take turns at
every place that becomes free.
"""

from skin_tune.cli.job_commands import tune_all
from skin_tune.cli.main import single_command

if __name__ == "__main__":
    single_command(tune_all)
