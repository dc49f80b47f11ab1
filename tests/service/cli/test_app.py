import json
import os
import re

import pytest
from typer.testing import CliRunner

from service.auth.keys import ApiKeyRepository, load_peppers
from service.cli import app as command_line
from service.cli.app import app
from service.cli.assess import assess_material
from service.cli.settings import read_settings
from service.errors.request import UnknownTask
from service.errors.tree import Unauthenticated
from service.settings import Settings
from service.storage.database import Database

KEY = re.compile(r"hil_[a-z0-9]{8}_[A-Za-z0-9_-]{43}")


@pytest.fixture
def hilbert(tmp_path, monkeypatch):
    monkeypatch.setenv("HILBERT_DATA_DIR", str(tmp_path / "data"))
    return lambda *arguments: CliRunner().invoke(app, arguments)


@pytest.fixture
def ring(tmp_path):
    database = Database(Settings(data_dir=tmp_path / "data").database)
    yield ApiKeyRepository(database, load_peppers(Settings(data_dir=tmp_path / "data")))
    database.close()


def test_each_verb_explains_itself(hilbert):
    shown = hilbert("--help").output
    assert all(verb in shown for verb in ("serve", "worker", "api", "migrate", "keys", "assess", "demo"))


def test_a_key_is_created_listed_and_revoked(hilbert, ring):
    secret = KEY.search(hilbert("keys", "create", "clinic", "--tenant", "ward-a").output).group()
    caller = ring.verify(secret)
    assert caller.tenant == "ward-a"
    listed = hilbert("keys", "list").output
    assert caller.key_id in listed
    assert secret not in listed
    assert hilbert("keys", "revoke", caller.key_id).exit_code == 0
    with pytest.raises(Unauthenticated):
        ring.verify(secret)
    assert hilbert("keys", "list").exit_code == 0


def test_a_key_that_does_not_exist_cannot_be_revoked(hilbert):
    done = hilbert("keys", "revoke", "nosuchid")
    assert done.exit_code == os.EX_CONFIG
    assert "keys list" in done.output


def test_migrating_makes_the_database(hilbert, tmp_path):
    assert hilbert("migrate").exit_code == 0
    assert (tmp_path / "data" / "hilbert.sqlite").exists()


def test_invalid_settings_are_reported_without_a_traceback_or_their_values(hilbert, monkeypatch):
    monkeypatch.setenv("HILBERT_PORT", "hunter2")
    done = hilbert("migrate")
    assert done.exit_code == os.EX_CONFIG
    assert "port" in done.output
    assert "hunter2" not in done.output


def test_the_command_line_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("HILBERT_PORT", "9000")
    assert read_settings(port=9001).port == 9001
    assert read_settings(port=None).port == 9000


def test_a_second_serve_on_the_same_folder_is_refused(hilbert, tmp_path):
    from service.embedded.supervisor import DataFolderLock

    with DataFolderLock(tmp_path / "data"):
        done = hilbert("serve", "--port", "0")
    assert done.exit_code == os.EX_CONFIG
    assert "HILBERT_DATA_DIR" in done.output


def test_a_taken_port_is_refused_at_once(hilbert):
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = hilbert("serve", "--port", str(taken.getsockname()[1]))
    assert done.exit_code == os.EX_CONFIG
    assert "HILBERT_PORT" in done.output


def test_serving_without_a_bundle_is_refused_with_the_reason(hilbert, tmp_path):
    done = hilbert("serve", "--port", "0", "--bundle", str(tmp_path / "nowhere"))
    assert done.exit_code == os.EX_CONFIG
    assert "bundle" in done.output


def test_a_recording_can_be_assessed_without_a_service(model, tmp_path):
    audio, transcript = tmp_path / "a", tmp_path / "t"
    audio.write_bytes(b"x" * 300)
    transcript.write_bytes(b"y" * 100)
    result = assess_material(model, audio, transcript, "spectrum")
    assert result.quality.segments == 40
    assert result.outcome == "none"


def test_an_unusable_recording_is_answered_without_a_score(model, tmp_path):
    audio = tmp_path / "a"
    audio.write_bytes(b"unreadable")
    result = assess_material(model, audio, None, "spectrum")
    assert (result.outcome, result.quality.flags[0].code) == (None, "audio_unreadable")


def test_an_unknown_task_is_refused_with_the_known_ones(model, tmp_path):
    with pytest.raises(UnknownTask, match="spectrum"):
        assess_material(model, tmp_path / "a", None, "mood")


def test_a_result_can_be_printed_as_json(hilbert, model, tmp_path, monkeypatch):
    audio = tmp_path / "a"
    audio.write_bytes(b"x" * 300)
    monkeypatch.setattr("service.worker.model_adapter.open_model", lambda settings: model)
    monkeypatch.setattr("service.cli.assess.open_model", lambda settings: model)
    done = hilbert("assess", str(audio), "--json")
    assert json.loads(done.output)["outcome"] == "none"
    refused = hilbert("assess", str(audio), "--task", "mood")
    assert refused.exit_code == os.EX_CONFIG
    assert "spectrum" in refused.output


@pytest.mark.parametrize(("missing", "extra"), [("onnxruntime", "worker"), ("uvicorn", "api")])
def test_a_part_that_is_not_installed_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str, extra: str
) -> None:
    def refuse() -> None:
        raise ModuleNotFoundError(f"No module named '{missing}'", name=missing)

    monkeypatch.setattr(command_line, "app", refuse)
    with pytest.raises(SystemExit) as end:
        command_line.main()
    assert end.value.code == os.EX_CONFIG
    assert (
        capsys.readouterr().err == f"This needs a part that is not installed: pip install 'hilbert-service[{extra}]'\n"
    )


def test_a_module_missing_for_another_reason_is_not_explained_away(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise ModuleNotFoundError("No module named 'elsewhere'", name="elsewhere")

    monkeypatch.setattr(command_line, "app", refuse)
    with pytest.raises(ModuleNotFoundError):
        command_line.main()
