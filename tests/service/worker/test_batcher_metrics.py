from service.worker.metrics import BatcherMetrics
from service.worker.model_protocol import EncoderLoad


class Loaded:
    """An model of which nothing is asked but its load."""

    def load(self):
        counts = {"batches": 3, "entries": 12, "cancelled": 0, "failed": 0, "waiting": 2}
        return (
            EncoderLoad(
                encoder="speech", padding=1.25, fill=0.5, busy_seconds=1.5, wait_p50=0.25, wait_p95=0.75, **counts
            ),
        )


def test_each_encoder_s_load_can_be_read():
    samples = [sample for family in BatcherMetrics(Loaded()).collect() for sample in family.samples]
    assert {(sample.name, *sample.labels.values()): sample.value for sample in samples} == {
        ("hilbert_batcher_fill_ratio", "speech"): 0.5,
        ("hilbert_batcher_padding_ratio", "speech"): 1.25,
        ("hilbert_batcher_waiting_segments", "speech"): 2,
        ("hilbert_batcher_batches_total", "speech"): 3,
        ("hilbert_batcher_segments_total", "speech"): 12,
        ("hilbert_batcher_busy_seconds_total", "speech"): 1.5,
        ("hilbert_batcher_wait_seconds", "speech", "0.5"): 0.25,
        ("hilbert_batcher_wait_seconds", "speech", "0.95"): 0.75,
    }
