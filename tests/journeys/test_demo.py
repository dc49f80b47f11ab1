import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PARTS = (
    "is ready on http://127.0.0.1:",
    "calibrated probability of each outcome",
    "audio",
    "interaction",
    "baseline",
    "The segments that moved the score most",
    "Quality of the material",
    "sha256",
    "Research use only",
    "demonstration bundle trained on synthetic speech",
    "make serve",
    "curl -H",
)


@pytest.fixture
def demo(tmp_path):
    """`hilbert demo` with a temporary folder of its own, and a mark in its environment to know its processes by."""

    def start():
        return subprocess.Popen(
            (sys.executable, "-m", "service.cli.app", "demo"),
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path), "COLUMNS": "80"},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    return start


@pytest.fixture
def nothing_is_left(tmp_path):
    def check():
        mark = f"TMPDIR={tmp_path}".encode()
        alive = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    alive.append((process / "cmdline").read_bytes())
            except OSError:
                continue
        assert alive == []
        assert list(tmp_path.iterdir()) == []

    return check


def test_the_demo_scores_the_example_and_shows_every_part(demo, nothing_is_left):
    process = demo()
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 0, output
    assert [part for part in PARTS if part not in " ".join(output.split())] == []
    assert max(len(line) for line in output.splitlines()) <= 100
    nothing_is_left()


@pytest.mark.parametrize(
    ("after", "signum"),
    [
        ("HILBERT:", signal.SIGINT),  # while the service starts
        ("is ready on", signal.SIGHUP),
        ("POST /v1/assessments", signal.SIGTERM),  # while a worker is busy
    ],
)
def test_a_signal_at_any_moment_leaves_nothing_behind(demo, nothing_is_left, after, signum):
    process = demo()
    while after not in process.stdout.readline():
        assert process.poll() is None
    process.send_signal(signum)
    process.communicate(timeout=90)
    assert process.returncode == 128 + signum
    nothing_is_left()
