import io

import numpy as np
from rich.console import Console

from training.fit.console import ProgressDisplay, tabulate
from training.fit.run_types import EpochReport

REPORT = EpochReport(
    step=5,
    steps=10,
    terms={"spectrum": np.array([0.5, 1.5]), "cka": np.array([0.25, 0.25])},
    totals=np.array([1.0, 2.0]),
    scores=np.array([-0.75, -0.25]),
    done=0,
)


def shown(renderable):
    file = io.StringIO()
    Console(file=file, width=100).print(renderable)
    return file.getvalue()


def test_every_term_is_shown_with_its_spread_over_runs():
    rows = [line.split() for line in shown(tabulate(REPORT)).splitlines() if "│" in line]
    assert ["│", "spectrum", "│", "1.0000", "│", "0.5000", "│", "1.5000", "│"] in rows
    assert ["│", "validation", "│", "-0.5000", "│", "-0.7500", "│", "-0.2500", "│"] in rows


def test_a_line_for_each_group_of_runs_remains():
    file = io.StringIO()
    display = ProgressDisplay(Console(file=file, width=120))
    with display.shown():
        display.start_group("HILBERT, tuning", 75, 75)
        display.report("HILBERT, tuning, stack 1 of 10", REPORT)
        display.start_group("HILBERT, refit", 25, 20)
    said = file.getvalue()
    assert "HILBERT, tuning: 75 fits" in said
    assert "loss 1.500, validation -0.500 after 5 steps" in said
    assert "25 fits, 5 of them already trained" in said


def test_an_epoch_report_survives_serialisation():
    again = EpochReport.from_json(REPORT.to_json())
    assert again.to_json() == REPORT.to_json()
    assert again.terms.keys() == REPORT.terms.keys()
