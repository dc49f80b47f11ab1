"""Four weeks that Prometheus did not see, as OpenMetrics text: what the rules of drift would have recorded."""

import sys
import time

HOUR, DAY = 3600, 86400
MEASURES = {
    '{measure="snr_db",le="%s"}': (("10", "20", "+Inf"), (0.25, 0.75, 1.0), (0.75, 1.0, 1.0)),
    '{measure="speech_ratio",le="%s"}': (("0.5", "1.0", "+Inf"), (0.5, 1.0, 1.0), (0.5, 1.0, 1.0)),
    '{measure="probability",task="spectrum",outcome="past",le="%s"}': (("0.5", "+Inf"), (0.5, 1.0), (0.5, 1.0)),
}
A_DAY = 120


def past(now: float) -> str:
    """The hours of the last day, of another kind, and the days of four weeks."""
    hours = [now // HOUR * HOUR - HOUR * back for back in range(26, 2, -1)]
    days = [now // DAY * DAY - DAY * back for back in range(27, 1, -1)]
    lines = ["# TYPE hilbert:drift_bucket:day gauge"]
    for labels, (bounds, before, _) in MEASURES.items():
        for bound, share in zip(bounds, before, strict=True):
            lines += [f"hilbert:drift_bucket:day{labels % bound} {share * A_DAY} {at:.0f}" for at in days]
    lines.append("# TYPE hilbert:drift_bucket:increase1h gauge")
    for labels, (bounds, _, lately) in MEASURES.items():
        for bound, share in zip(bounds, lately, strict=True):
            lines += [f"hilbert:drift_bucket:increase1h{labels % bound} {share * A_DAY / 24} {at:.0f}" for at in hours]
    return "\n".join([*lines, "# EOF", ""])


if __name__ == "__main__":
    sys.stdout.write(past(time.time()))
