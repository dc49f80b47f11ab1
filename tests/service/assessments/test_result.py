import json
from pathlib import Path

from service.assessments.result import GraphTrace, Result

STORED = Path(__file__).resolve().parents[1] / "cli" / "scored.json"  # written before graphs were traced one by one


def test_a_result_of_an_earlier_version_is_still_read():
    stored = json.loads(STORED.read_text())
    assert "graphs" not in stored["model"]
    found = Result.model_validate(stored)
    assert (found.model.graphs, found.model.provider) == ({}, "CPUExecutionProvider")


def test_a_trace_of_each_graph_survives_being_stored():
    found = Result.model_validate_json(STORED.read_text())
    graph = GraphTrace(provider="CUDAExecutionProvider", device="cuda:0", precision="float16", digest="ab")
    traced = found.model_copy(update={"model": found.model.model_copy(update={"graphs": {"speech": graph}})})
    assert Result.model_validate_json(traced.model_dump_json()) == traced
