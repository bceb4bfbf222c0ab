"""Is class-balanced loss worth anything where oversampling balances the data? `ablation.py REGION --data DIR ...`

Runs a factorial of loss, oversampling and augmentation on the region's pack, every cell with the same seeds, and shows
the effects with their intervals in a table and a figure.
"""

from skin_tune.cli.job_commands import ablation
from skin_tune.cli.main import single_command

if __name__ == "__main__":
    single_command(ablation)
