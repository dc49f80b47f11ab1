import io
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from rich.console import Console

from service.cli import demo
from service.cli.demo import Example, run_demo

STAND_IN = Path(__file__).with_name("stand_in.py")


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def example(tmp_path):
    (tmp_path / "interview.flac").write_bytes(b"fLaC")
    (tmp_path / "interview.vtt").write_text("WEBVTT\n")
    return Example(audio=tmp_path / "interview.flac", transcript=tmp_path / "interview.vtt")


@pytest.fixture
def witness(tmp_path):
    return tmp_path / "witness"


@pytest.fixture
def demonstrate(witness, example):
    def run(mode):
        text = io.StringIO()
        command = (sys.executable, str(STAND_IN), mode, str(witness))
        return run_demo(Console(file=text, width=80), command, example), text.getvalue()

    return run


@pytest.fixture
def nothing_is_left(witness, own_temporary_folder):
    def check():
        assert list(own_temporary_folder.iterdir()) == []
        if witness.exists():
            assert not Path(f"/proc/{witness.read_text()}").exists()

    return check


def test_the_example_is_scored_shown_and_cleared_away(demonstrate, nothing_is_left):
    status, text = demonstrate("scores")
    assert status == 0
    for part in (
        "is ready on http://127.0.0.1:",
        "interview.flac",
        "3/3 segments",
        "Task spectrum",
        "make serve",
        "curl",
    ):
        assert part in text
    assert "hil_kkk" not in text
    nothing_is_left()


@pytest.mark.parametrize(
    ("mode", "words"),
    [
        ("refuses", "No model is loaded yet (model_not_ready)\nNothing can score this.\nTry again in 5 seconds."),
        ("stammers", "The service answered with status 500."),
        ("fails", "No result: the assessment failed (too_many_attempts)"),
        ("dies", "the database is locked"),
        ("dies later", "The service stopped by itself (status 3)"),
    ],
)
def test_a_failed_demo_reports_the_reason_and_removes_its_folder(demonstrate, nothing_is_left, mode, words):
    status, text = demonstrate(mode)
    assert status == 1
    assert words in text
    assert "hil_kkk" not in text
    nothing_is_left()


@pytest.mark.parametrize(
    ("mode", "limit", "words"),
    [
        ("never ready", "READY_SECONDS", "was not ready in"),
        ("no key", "READY_SECONDS", "was not ready in"),
        ("endless", "SCORE_SECONDS", "No result in"),
    ],
)
def test_the_demo_does_not_wait_for_ever(demonstrate, nothing_is_left, monkeypatch, mode, limit, words):
    monkeypatch.setattr(demo, limit, 1.0)
    status, text = demonstrate(mode)
    assert status == 1
    assert words in text
    nothing_is_left()


def test_a_service_that_will_not_stop_is_killed(demonstrate, nothing_is_left, monkeypatch):
    monkeypatch.setattr(demo, "STOP_SECONDS", 0.3)
    status, _ = demonstrate("stubborn")
    assert status == 0
    nothing_is_left()


def test_the_caller_s_settings_never_reach_the_demo(monkeypatch, tmp_path):
    monkeypatch.setenv("HILBERT_DATABASE_URL", "postgresql+psycopg://clinic/patients")
    monkeypatch.setenv("hilbert_broker_url", "redis://clinic")
    environment = demo._environment(tmp_path, 4321)
    own = {name for name in environment if name.upper().startswith("HILBERT_")}
    assert own == {"HILBERT_DATA_DIR", "HILBERT_PORT"}
    assert environment["PATH"] == os.environ["PATH"]


@pytest.mark.parametrize(
    ("mode", "signum"),
    [
        ("slow start", signal.SIGINT),
        ("never ready", signal.SIGINT),
        ("endless", signal.SIGINT),
        ("endless", signal.SIGTERM),
        ("endless", signal.SIGHUP),
    ],
)
def test_a_signal_at_any_stage_leaves_nothing_behind(
    witness, example, nothing_is_left, own_temporary_folder, mode, signum
):
    driver = (
        "import sys; from pathlib import Path; from service.cli.demo import Example, run_demo;"
        "mode, witness, audio, transcript = sys.argv[1:];"
        f"command = (sys.executable, {str(STAND_IN)!r}, mode, witness);"
        "sys.exit(run_demo(None, command, Example(audio=Path(audio), transcript=Path(transcript))))"
    )
    arguments = (mode, str(witness), str(example.audio), str(example.transcript))
    process = subprocess.Popen(
        (sys.executable, "-c", driver, *arguments),
        env={**os.environ, "TMPDIR": str(own_temporary_folder)},
        stdout=subprocess.PIPE,
        text=True,
    )
    while not witness.exists() or not witness.read_text():
        time.sleep(0.02)
    time.sleep(0.0 if mode == "slow start" else 0.7)
    process.send_signal(signum)
    output, _ = process.communicate(timeout=90)
    assert process.returncode == 128 + signum
    assert "Nothing is left running" in output
    nothing_is_left()
