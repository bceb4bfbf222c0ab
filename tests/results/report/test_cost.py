"""What early stopping has saved."""

import pandas as pd
import pytest

from skin_tune.results.report.cost import cost_of
from skin_tune.results.store.schema import now


def test_what_was_saved_leaves_out_what_a_budget_cut_off():
    trials = pd.DataFrame(
        {
            "ended_at": [now(), now(), None, now()],
            "status": ["completed", "stopped_early", "stopped_early", "failed"],
            "epochs": [10, 2, 5, 1],
            "config/epochs": [10, 10, 10, 10],
            "seconds": [3600.0, 720.0, 1800.0, 360.0],
            "gpu_seconds": [3600.0, 720.0, 1800.0, 360.0],
        }
    )
    cost = cost_of(trials)
    assert (cost.judged_epochs, cost.full_epochs, cost.epochs) == (12, 20, 18)
    assert cost.saved_share == pytest.approx(0.4)
    assert cost.saved_gpu_hours == pytest.approx(0.8)
    assert cost.gpu_hours == pytest.approx(1.8)
