"""Example responses of the documentation, built from the schemas, so that they are always valid."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from service.admission.queue_position import QueuePosition
from service.api.schemas.assessments import (
    EXAMPLE_ID,
    AssessmentPage,
    AssessmentSummary,
    AssessmentView,
    Message,
    ModelList,
    ModelView,
    TaskView,
    assessment_summary,
    assessment_view,
)
from service.assessments.result import (
    AudioReport,
    Contributions,
    GraphTrace,
    InputReport,
    ModelTrace,
    OutcomeProbability,
    Quality,
    QualityFlag,
    Result,
    SegmentEffect,
    SpeakerReport,
    TranscriptReport,
)
from service.assessments.states import Assessment, State

CREATED_AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DIGEST = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
ENCODERS = {"speech": "sha256:60303ae22b998861", "text": "sha256:fd61a03af4f77d87"}
OUTCOMES = ("none", "mild", "moderate", "severe")


def _cpu_graph(digest: str) -> GraphTrace:
    return GraphTrace(provider="CPUExecutionProvider", device="AMD EPYC 9B14", precision="float32", digest=digest)


INPUT = InputReport(
    audio=AudioReport(
        sha256=DIGEST.removeprefix("sha256:"),
        seconds=241.0,
        level_dbfs=-27.3,
        container="flac",
        codec="flac",
        sample_rate=48_000,
        channels=1,
        channels_used=(1,),
        bits=16,
        bit_rate=None,
        tracks=1,
        track=1,
    ),
    transcript=TranscriptReport(
        sha256="60303ae22b998861bce3b28f33eec1be758a213c86c93c076dbe9f558c11c752",
        format="labelled_text",
        time_unit=None,
        utterances=64,
        words=655,
        language="en",
    ),
    speakers=(
        SpeakerReport(label="Interviewer", seconds=None, words=243, scored=False),
        SpeakerReport(label="Participant", seconds=None, words=412, scored=True),
    ),
)
RESULT = Result(
    task="spectrum",
    outcome="mild",
    probabilities=tuple(
        OutcomeProbability(outcome=outcome, probability=probability)
        for outcome, probability in zip(OUTCOMES, (0.21, 0.58, 0.16, 0.05), strict=True)
    ),
    contributions=Contributions(
        outcome="mild",
        audio=0.91,
        text=0.34,
        interaction=0.12,
        baseline=-0.93,
        total=0.32,
        probability_audio=0.21,
        probability_text=0.09,
        share_audio=0.728,
        share_text=0.272,
        stable=True,
    ),
    segments=(
        SegmentEffect(
            index=7, start=143.2, end=168.9, text="I slept badly that week.", audio_effect=0.18, text_effect=0.07
        ),
    ),
    quality=Quality(
        duration_seconds=241.0,
        speech_seconds=187.5,
        segments=11,
        words=412,
        snr_db=24.1,
        clipping=0.0,
        flags=(
            QualityFlag(
                code="text_times_estimated",
                hard=False,
                message="The transcript has no times: its words were spread over the speech.",
            ),
        ),
        level_dbfs=-27.3,
        peak_dbfs=-6.1,
        noise_dbfs=-51.4,
        bandwidth_hz=7600.0,
        source_rate_hz=48_000,
    ),
    input=INPUT,
    model=ModelTrace(
        bundle="demo",
        version="1",
        digest=DIGEST,
        signed_by="3f1c9a70b2d4e586",
        demonstration=True,
        encoders=ENCODERS,
        provider="CPUExecutionProvider",
        precision="float32",
        graphs={
            "speech": _cpu_graph(ENCODERS["speech"]),
            "text": _cpu_graph(ENCODERS["text"]),
            "network": _cpu_graph("sha256:4c1d5b8e77a3902f"),
        },
        runtime={"onnxruntime": "1.32.0"},
    ),
)


def _assessment(state: State, *, segments_total: int | None) -> Assessment:
    finished_at = CREATED_AT + timedelta(seconds=41) if state.final else None
    return Assessment(
        id=EXAMPLE_ID,
        state=state,
        task="spectrum",
        reference="visit-0042",
        bundle="demo",
        created_at=CREATED_AT,
        updated_at=finished_at or CREATED_AT,
        finished_at=finished_at,
        segments_done=segments_total or 0,
        segments_total=segments_total,
        result_key=None,
        failure=None,
        version=1,
        batch_id=None,
        custom_id=None,
    )


QUEUE_POSITION = QueuePosition(position=3, eta_seconds=71.5)
QUEUED_ASSESSMENT: AssessmentView = assessment_view(
    _assessment(State.QUEUED, segments_total=None), None, QUEUE_POSITION
)
SUCCEEDED_ASSESSMENT: AssessmentView = assessment_view(_assessment(State.SUCCEEDED, segments_total=11), RESULT)
ASSESSMENT_SUMMARY: AssessmentSummary = assessment_summary(_assessment(State.SUCCEEDED, segments_total=11))
ASSESSMENT_PAGE = AssessmentPage(items=(ASSESSMENT_SUMMARY,), next_cursor=None)
MODEL_LIST = ModelList(
    items=(
        ModelView(
            bundle="demo",
            version="1",
            digest=DIGEST,
            demonstration=True,
            tasks=(TaskView(name="spectrum", outcomes=OUTCOMES),),
            encoders=ENCODERS,
            loaded_at=CREATED_AT,
        ),
    )
)


def json_content(example: Message) -> dict[str, object]:
    """The `content` of a response in OpenAPI, with this example."""
    return {"application/json": {"example": example.model_dump(mode="json")}}
