"""Documentation of batches that FastAPI cannot derive: two request bodies, two files, and the example responses."""

from __future__ import annotations

from typing import Any

from service.api.openapi.examples import CREATED_AT, RESULT
from service.api.schemas.assessments import EXAMPLE_ID, FailureView
from service.api.schemas.batches import BatchPageView, BatchView, ErrorLine, OutputLine, batch_view
from service.assessments.states import WORKERS_LOST, State
from service.batches.states import Batch, BatchState, LineCounts

BATCH_EXAMPLE: BatchView = batch_view(
    Batch(
        id=EXAMPLE_ID,
        state=BatchState.RUNNING,
        lines=1000,
        created_at=CREATED_AT,
        updated_at=CREATED_AT,
        finished_at=None,
        output_key=None,
        errors_key=None,
    ),
    LineCounts(queued=310, running=2, succeeded=685, abstained=2, failed=1, cancelled=0, total=1000),
    412.0,
)
BATCH_PAGE_EXAMPLE = BatchPageView(items=(BATCH_EXAMPLE,), next_cursor=None)

_OUTPUT = OutputLine(custom_id="visit-0042", line=1, assessment=EXAMPLE_ID, state=State.SUCCEEDED, result=RESULT)
_ERROR = ErrorLine(
    custom_id="visit-0043", line=2, assessment=EXAMPLE_ID, state=State.FAILED, error=FailureView.of(WORKERS_LOST)
)


def _json_lines(description: str, example: str) -> dict[str, Any]:
    content = {"application/x-ndjson": {"schema": {"type": "string"}, "example": example}}
    return {"description": description, "content": content}


JSON_LINES_RESPONSES = {
    "output": _json_lines("One line of JSON for each line with a result", _OUTPUT.model_dump_json()),
    "errors": _json_lines("One line of JSON for each line that failed or was cancelled", _ERROR.model_dump_json()),
}

BATCH_REQUEST_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {
                "schema": {"type": "string"},
                "example": f'{{"custom_id": "visit-0042", "audio_upload": "{EXAMPLE_ID}"}}\n',
            },
            "application/x-tar": {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": "manifest.jsonl first, then the files that its lines name",
                }
            },
        },
    }
}
