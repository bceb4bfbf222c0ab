"""Is class-balanced loss worth anything where oversampling balances the data? `ablation.py REGION --data DIR ...`

Runs a factorial of loss, oversampling and augmentation on the region's pack, every cell with the same seeds, and shows
the effects with their intervals in a table and a figure.
"""

from skin_tune.cli import single_command
from skin_tune.jobs import ablation

if __name__ == "__main__":
    single_command(ablation)
