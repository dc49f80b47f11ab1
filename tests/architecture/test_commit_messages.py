"""The check that pre-commit runs on each commit message."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
CHECK = ROOT / ".ci" / "commit-message"
GOOD = "queue: publish ready stages in one query\n\nTwo queries let a stage be published twice.\n"


def check(tmp_path, message):
    (tmp_path / "message").write_text(message)
    command = (sys.executable, str(CHECK), str(tmp_path / "message"))
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("message", [GOOD, "# a comment of git\n" + GOOD, "Merge branch 'main' into queue\n"])
def test_a_message_with_area_imperative_and_reason_passes(tmp_path, message):
    assert check(tmp_path, message).returncode == 0


@pytest.mark.parametrize(
    ("message", "fault"),
    [
        ("What the patience with the database is for, now\n\nWhy.\n", "not of the form"),
        (GOOD.replace("publish", "publishing"), "not an imperative: publishing"),
        (GOOD.replace("publish", "published"), "not an imperative: published"),
        (GOOD.replace("query", "query " + "x" * 40), "characters; at most 72"),
        (GOOD.replace("query\n", "query.\n"), "full stop"),
        (GOOD.replace("\n\n", "\n"), "no blank line"),
        (GOOD.splitlines()[0] + "\n", "the body is missing"),
        ("", "not of the form"),
    ],
)
def test_each_fault_of_a_message_is_named(tmp_path, message, fault):
    checked = check(tmp_path, message)
    assert checked.returncode == 1
    assert fault in checked.stderr


def test_pre_commit_runs_the_check_on_each_message():
    configuration = (ROOT / ".pre-commit-config.yaml").read_text()
    assert "default_install_hook_types: [pre-commit, commit-msg]" in configuration
    assert "entry: .ci/commit-message" in configuration
    assert "stages: [commit-msg]" in configuration
