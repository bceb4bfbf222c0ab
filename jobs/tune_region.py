"""Tune one region: `tune_region.py REGION --data DIR ...`, with all flags of `skin-tune tune` besides.

Prepares the region's pack where there is none, joins the running Ray cluster or starts one, and finds the search space
by the region's name, wherever it is run from.
"""

from skin_tune.cli.job_commands import tune_region
from skin_tune.cli.main import single_command

if __name__ == "__main__":
    single_command(tune_region)
