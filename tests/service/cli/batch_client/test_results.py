import csv
import json

import pyarrow.parquet
import pytest

from service.api.openapi.examples import RESULT
from service.cli.batch_client.errors import BatchCommandError
from service.cli.batch_client.results import check_output, result_row, write_results

SCORED = {
    "custom_id": "ü1",
    "line": 1,
    "assessment": "a1",
    "state": "succeeded",
    "result": RESULT.model_dump(mode="json"),
}
FAILED = {
    "custom_id": "v2",
    "line": 2,
    "assessment": "a2",
    "state": "failed",
    "error": {"code": "workers_lost", "detail": "...", "advice": "Send it again.", "retryable": True},
}
ROWS = [result_row(SCORED), result_row(FAILED)]


def test_a_result_becomes_a_row():
    assert ROWS[0] == {
        "custom_id": "ü1",
        "assessment": "a1",
        "state": "succeeded",
        "task": "spectrum",
        "outcome": "mild",
        "p_none": 0.21,
        "p_mild": 0.58,
        "p_moderate": 0.16,
        "p_severe": 0.05,
        "contribution_audio": 0.91,
        "contribution_text": 0.34,
        "contribution_baseline": -0.93,
        "duration_seconds": 241.0,
        "quality_flags": "text_times_estimated",
        "model_digest": RESULT.model.digest,
        "error_code": None,
        "error_advice": None,
    }


def test_an_abstained_line_has_flags_and_no_numbers():
    result = RESULT.model_copy(update={"outcome": None, "probabilities": (), "contributions": None})
    row = result_row({**SCORED, "state": "abstained", "result": result.model_dump(mode="json")})
    assert (row["outcome"], row["contribution_audio"], row["quality_flags"]) == (None, None, "text_times_estimated")
    assert not [name for name in row if name.startswith("p_")]


def read(file):
    if file.suffix == ".parquet":
        return pyarrow.parquet.read_table(file).to_pylist()
    if file.suffix == ".jsonl":
        return [json.loads(line) for line in file.read_text().splitlines()]
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.parametrize("name", ["r.parquet", "r.jsonl", "r.csv"])
def test_every_format_holds_the_same_table(tmp_path, name):
    write_results(ROWS, tmp_path / name)
    first, second = read(tmp_path / name)
    assert list(first) == list(second)
    assert (first["custom_id"], second["error_code"]) == ("ü1", "workers_lost")
    assert float(first["p_mild"]) == 0.58
    assert second["p_mild"] in (None, "")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_results_that_cannot_be_written_leave_nothing_behind(tmp_path):
    (tmp_path / "r.csv").mkdir()
    with pytest.raises(BatchCommandError, match="cannot be written"):
        write_results(ROWS, tmp_path / "r.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["r.csv"]


def test_an_invalid_output_path_is_refused_before_anything_is_sent(tmp_path):
    (tmp_path / "there.csv").touch()
    for name, reason in (("r.xlsx", "end in"), ("there.csv", "exists"), ("gone/r.csv", "no folder")):
        with pytest.raises(BatchCommandError, match=reason):
            check_output(tmp_path / name)
    check_output(tmp_path / "r.parquet")
