import os
import subprocess
import sys

import pytest
import structlog

from service.errors.tree import ConfigurationRefused
from service.setting_groups import REPOSITORY
from service.settings import Settings
from service.worker.main import known_queues, start_worker
from service.worker.process import _log_signature, _scratch_folder

GONE = 999_999_999


def test_a_worker_has_a_scratch_folder_of_its_own(tmp_path):
    assert _scratch_folder(tmp_path / "scratch").name == str(os.getpid())


def test_scratch_folders_of_killed_workers_are_deleted_and_those_of_live_ones_kept(tmp_path):
    for name in (GONE, os.getppid()):
        (tmp_path / "scratch" / str(name)).mkdir(parents=True)
        (tmp_path / "scratch" / str(name) / "audio").write_bytes(b"x")
    _scratch_folder(tmp_path / "scratch")
    assert {path.name for path in (tmp_path / "scratch").iterdir()} == {str(os.getppid()), str(os.getpid())}


def test_a_scratch_folder_of_the_same_process_id_is_emptied(tmp_path):
    own = _scratch_folder(tmp_path / "scratch")
    (own / "audio").write_bytes(b"x")
    assert list(_scratch_folder(tmp_path / "scratch").iterdir()) == []


def test_queues_are_read_from_a_list():
    assert known_queues("prepare, score,prepare") == ("prepare", "score")


@pytest.mark.parametrize("names", ["", "prepare,decode", ","])
def test_unknown_queues_are_refused(names):
    with pytest.raises(ConfigurationRefused, match="prepare, encode, score"):
        known_queues(names)


def test_the_deliver_queue_needs_a_worker_of_its_own():
    assert known_queues("deliver") == ("deliver",)
    with pytest.raises(ConfigurationRefused, match="a worker of its own"):
        known_queues("score,deliver")


def test_a_refused_configuration_exits_with_ex_config(tmp_path, capsys):
    def refuse(settings):
        raise ConfigurationRefused("The bundle is missing.")

    assert start_worker(Settings(data_dir=tmp_path), "encode", None, refuse) == os.EX_CONFIG
    assert capsys.readouterr().err.strip().endswith("The bundle is missing.")


@pytest.mark.parametrize(("signer", "level"), [(None, "warning"), ("3f1c9a70b2d4e586", "info")])
def test_an_untrusted_bundle_is_loaded_with_a_warning(model, signer, level):
    with structlog.testing.capture_logs() as entries:
        _log_signature(model.trace.model_copy(update={"signed_by": signer}))
    assert [(entry["log_level"], entry["digest"]) for entry in entries] == [(level, model.trace.digest)]


def test_a_worker_does_not_start_when_the_golden_result_differs(swapped_bundle, tmp_path):
    settings = Settings(data_dir=tmp_path, bundle=swapped_bundle, threads=1)
    done = subprocess.run(
        (sys.executable, "-m", "service.cli.app", "worker", "--queues", "score"),
        cwd=REPOSITORY,
        env=settings.child_environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == os.EX_CONFIG
    assert "bundle_misbehaves" in done.stderr
    assert "Traceback" not in done.stderr
