import os
import signal
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import pytest

from service.embedded import supervisor as module
from service.embedded.supervisor import DataFolderLock, Program, Supervisor
from service.errors.tree import ConfigurationRefused
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]
SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)",
)


def supervise(tmp_path, *commands, grace=2.0):
    programs = [Program(name=f"p{number}", command=command) for number, command in enumerate(commands)]
    return Supervisor(
        programs=programs,
        environment=dict(os.environ),
        working_directory=ROOT,
        logs=tmp_path / "logs",
        grace=timedelta(seconds=grace),
    )


def alive(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"


def test_children_run_until_the_end_of_the_block(tmp_path):
    with supervise(tmp_path, SLEEPER, SLEEPER) as supervisor:
        pids = wait_for(lambda: supervisor.pids("p0")) + wait_for(lambda: supervisor.pids("p1"))
        assert all(alive(pid) for pid in pids)
    assert not any(alive(pid) for pid in pids)


def test_a_killed_child_is_started_again(tmp_path):
    with supervise(tmp_path, SLEEPER) as supervisor:
        (first,) = wait_for(lambda: supervisor.pids("p0"))
        os.kill(first, signal.SIGKILL)
        wait_for(lambda: supervisor.pids("p0") not in ([], [first]))


def test_the_back_off_of_a_child_that_keeps_ending_grows(tmp_path):
    counter = (sys.executable, "-c", "print('again', flush=True)")
    log = tmp_path / "logs" / "p0.log"
    with supervise(tmp_path, counter):
        wait_for(lambda: log.exists() and "again" in log.read_text())
        time.sleep(2.2)
    assert log.read_text().count("again") <= 2  # the third would be due after three seconds


def test_a_child_that_refuses_is_not_started_again_and_says_why(tmp_path):
    refusing = (sys.executable, "-c", "import sys, os; sys.stderr.write('no bundle\\n'); sys.exit(os.EX_CONFIG)")
    with supervise(tmp_path, refusing) as supervisor:

        def refused():
            try:
                supervisor.raise_if_refused()
            except ConfigurationRefused as error:
                return error.detail
            return None

        assert wait_for(refused) == "no bundle"
        time.sleep(0.3)
    assert (tmp_path / "logs" / "p0.log").read_text().count("no bundle") == 1


def test_a_child_that_does_not_listen_is_killed_after_the_grace(tmp_path):
    with supervise(tmp_path, STUBBORN, grace=0.3) as supervisor:
        (pid,) = wait_for(lambda: supervisor.pids("p0"))
        wait_for(lambda: "deaf" in (tmp_path / "logs" / "p0.log").read_text())
        started = time.monotonic()
    assert not alive(pid)
    assert time.monotonic() - started < 30  # it would have slept for 60


def test_a_long_log_is_put_aside(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_LOG_BYTES", 10)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "p0.log").write_text("x" * 11)
    with supervise(tmp_path, SLEEPER) as supervisor:
        wait_for(lambda: supervisor.pids("p0"))
    assert (tmp_path / "logs" / "p0.log.1").read_text() == "x" * 11


def test_a_folder_has_one_supervisor(tmp_path):
    with DataFolderLock(tmp_path / "data"), pytest.raises(ConfigurationRefused, match=str(os.getpid())):
        DataFolderLock(tmp_path / "data").__enter__()


def test_a_folder_is_free_again_afterwards(tmp_path):
    for _ in range(2):
        with DataFolderLock(tmp_path / "data"):
            assert (tmp_path / "data" / "lock").read_text() == str(os.getpid())


PARENT = """
import os, subprocess, sys, time
child = "import os, sys; sys.path.insert(0, {root!r}); from service.worker.parent_death import exit_with_parent; "
child += "exit_with_parent(int(sys.argv[1])); print(os.getpid(), flush=True); import time; time.sleep(60)"
subprocess.Popen([sys.executable, "-c", child, str(os.getpid())], start_new_session=True)
time.sleep(60)
"""


def test_a_child_ends_when_its_parent_is_killed():
    parent = subprocess.Popen((sys.executable, "-c", PARENT.format(root=str(ROOT))), stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert alive(pid)
    parent.kill()
    parent.wait()
    wait_for(lambda: not alive(pid))
    parent.stdout.close()


def test_a_child_whose_parent_is_gone_already_ends_at_once():
    code = (
        "from service.worker.parent_death import exit_with_parent; exit_with_parent(1_000_000_000); print('still here')"
    )
    done = subprocess.run((sys.executable, "-c", code), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL
    assert done.stdout == ""
