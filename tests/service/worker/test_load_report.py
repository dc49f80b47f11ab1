import structlog

from service.worker.load_report import LoadReport
from service.worker.model_protocol import EncoderLoad


class Loaded:
    """An model of which nothing is asked but its load."""

    def load(self):
        return (
            EncoderLoad(
                encoder="speech",
                batches=3,
                entries=12,
                cancelled=0,
                failed=0,
                padding=1.0625,
                fill=1 / 3,
                waiting=0,
                busy_seconds=1.5,
                wait_p50=0.25,
                wait_p95=0.5,
            ),
        )


def test_the_log_tells_how_the_encoders_fare_at_most_once_a_minute():
    now = [0.0]
    report = LoadReport(Loaded(), clock=lambda: now[0])
    with structlog.testing.capture_logs() as entries:
        for now[0] in (1.0, 59.0, 60.0, 61.0, 119.0, 120.0):
            report.stage_done()
    assert len(entries) == 2
    assert (entries[0]["event"], entries[0]["encoder"], entries[0]["fill"]) == ("encoder load", "speech", 0.3333)


def test_it_can_be_written_at_any_time():
    with structlog.testing.capture_logs() as entries:
        LoadReport(Loaded(), clock=lambda: 0.0).write()
    assert [one["entries"] for one in entries] == [12]
