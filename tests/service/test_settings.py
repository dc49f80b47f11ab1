import json
import os
import re
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any, cast

import pytest
from pydantic import SecretStr, ValidationError

from service.setting_groups import available_cores
from service.settings import RENAMED, Settings

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION: dict[str, Any] = {
    "environment": "production",
    "database_url": "postgresql+psycopg://hilbert@db/hilbert",
    "broker_url": "redis://queue/0",
    "object_store_url": "s3://bucket/prefix",
    "peppers": {1: "p" * 32},
    "trusted_keys": ["/etc/hilbert/bundle.pub"],
}


def test_embedded_needs_no_settings(tmp_path):
    settings = Settings(data_dir=tmp_path)
    assert settings.database == f"sqlite:///{tmp_path}/hilbert.sqlite"
    assert settings.broker == f"spool://localhost{tmp_path}/queue"
    assert settings.object_store == f"file://{tmp_path}/objects"
    assert settings.host == "127.0.0.1"


def test_urls_of_servers_are_taken_as_they_are():
    settings = Settings(**PRODUCTION)
    assert settings.database == PRODUCTION["database_url"]
    assert settings.broker == PRODUCTION["broker_url"]
    assert settings.object_store == PRODUCTION["object_store_url"]


@pytest.mark.parametrize("name", ["database_url", "broker_url", "object_store_url", "peppers", "trusted_keys"])
def test_production_refuses_each_default(name):
    with pytest.raises(ValidationError, match=f"HILBERT_{name.upper()}"):
        Settings(**{key: value for key, value in PRODUCTION.items() if key != name})


def test_production_refuses_sqlite_and_the_file_queue():
    with pytest.raises(ValidationError, match="postgresql"):
        Settings(**PRODUCTION | {"database_url": "sqlite:///x"})
    with pytest.raises(ValidationError, match="redis"):
        Settings(**PRODUCTION | {"broker_url": "memory://"})


def test_production_refuses_short_peppers_without_showing_them():
    with pytest.raises(ValidationError, match="32 characters") as refusal:
        Settings(**PRODUCTION | {"peppers": {1: "hunter2"}})
    assert "hunter2" not in str(refusal.value)


def test_secrets_are_not_shown_by_repr():
    shown = repr(Settings(peppers={1: "hunter2"}, database_url="postgresql+psycopg://u:hunter2@db/x"))
    assert "hunter2" not in shown


def test_settings_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("HILBERT_PORT", "9000")
    monkeypatch.setenv("HILBERT_STAGE_LEASE", "90")
    monkeypatch.setenv("HILBERT_WORKERS", '["prepare,score", "encode"]')
    settings = Settings()
    assert (settings.port, settings.stage_lease) == (9000, timedelta(seconds=90))
    assert settings.workers == ("prepare,score", "encode")


def test_a_child_reads_exactly_the_settings_of_its_parent(tmp_path):
    settings = Settings(
        data_dir=tmp_path,
        port=0,
        stage_lease=timedelta(seconds=7),
        peppers={1: SecretStr("x" * 40), 2: SecretStr("y" * 40)},
        database_url=SecretStr("postgresql+psycopg://u:secret@db/x"),
        workers=("prepare,score", "encode"),
        threads=1,
    )
    code = "import json, sys; from service.settings import Settings; s = Settings(); "
    code += "json.dump([s.port, s.stage_lease.total_seconds(), s.database, s.workers, s.threads, str(s.folder), "
    code += "{v: p.get_secret_value() for v, p in s.peppers.items()}], sys.stdout)"
    done = subprocess.run(
        (sys.executable, "-c", code), env=settings.child_environment(), cwd=ROOT, capture_output=True, check=True
    )
    assert json.loads(done.stdout) == [
        0,
        7.0,
        "postgresql+psycopg://u:secret@db/x",
        ["prepare,score", "encode"],
        1,
        str(tmp_path),
        {"1": "x" * 40, "2": "y" * 40},
    ]


def test_a_childs_paths_do_not_depend_on_where_it_starts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "-----BEGIN PUBLIC KEY-----\n..."
    environment = Settings(data_dir="data", bundle="bundle", trusted_keys=["a.pub", text]).child_environment()
    assert environment["HILBERT_DATA_DIR"] == str(tmp_path / "data")
    assert environment["HILBERT_BUNDLE"] == str(tmp_path / "bundle")
    assert json.loads(environment["HILBERT_TRUSTED_KEYS"]) == [str(tmp_path / "a.pub"), text]


def test_a_child_keeps_the_rest_of_the_environment(monkeypatch):
    monkeypatch.setenv("LANG_OF_TEST", "x")
    assert Settings().child_environment()["LANG_OF_TEST"] == "x"


def test_the_cores_are_those_this_process_may_use():
    assert 1 <= available_cores() <= (os.cpu_count() or 1)


def test_a_child_inherits_no_setting_that_its_parent_does_not_have(monkeypatch, tmp_path):
    monkeypatch.setenv("HILBERT_DATABASE_URL", "postgresql+psycopg://elsewhere/other")
    settings = Settings(data_dir=tmp_path, database_url=None)
    assert settings.database.startswith("sqlite")
    assert "HILBERT_DATABASE_URL" not in settings.child_environment()


def test_a_secret_comes_from_a_file_when_the_environment_lacks_it(tmp_path, monkeypatch):
    (tmp_path / "hilbert_database_url").write_text("postgresql+psycopg://hilbert:hunter2@db/hilbert\n")
    (tmp_path / "hilbert_peppers").write_text(json.dumps({"1": "p" * 32}))
    (tmp_path / "hilbert_port").write_text("9000")
    monkeypatch.setenv("HILBERT_SECRETS_DIR", str(tmp_path))
    monkeypatch.setenv("HILBERT_PORT", "9001")
    settings = Settings()
    assert settings.database == "postgresql+psycopg://hilbert:hunter2@db/hilbert"
    assert settings.peppers[1].get_secret_value() == "p" * 32
    assert settings.port == 9001
    assert "HILBERT_SECRETS_DIR" not in settings.child_environment()
    assert settings.child_environment()["HILBERT_DATABASE_URL"] == settings.database


@pytest.mark.parametrize("name", ["absent", "file"])
def test_a_folder_of_secrets_that_is_none_is_refused_in_words(name, tmp_path):
    (tmp_path / "file").touch()
    done = hilbert_with(HILBERT_SECRETS_DIR=str(tmp_path / name))
    assert done.returncode == os.EX_CONFIG
    assert "secrets_dir" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_secret_that_cannot_be_read_is_refused_without_being_shown(tmp_path):
    (tmp_path / "hilbert_peppers").write_text("{hunter2")
    done = hilbert_with(HILBERT_SECRETS_DIR=str(tmp_path))
    assert done.returncode == os.EX_CONFIG
    assert "peppers" in done.stderr
    assert "hunter2" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("old", sorted(RENAMED))
def test_an_old_name_is_read_with_a_warning_that_names_the_new_one(old, monkeypatch):
    field = RENAMED[old]
    value = {float: "0.5", int: "7"}.get(cast(Any, Settings.model_fields[field].annotation), "61")
    monkeypatch.setenv(f"HILBERT_{field.upper()}", value)
    expected = Settings()
    monkeypatch.delenv(f"HILBERT_{field.upper()}")
    monkeypatch.setenv(f"HILBERT_{old.upper()}", value)
    with pytest.warns(FutureWarning, match=f"HILBERT_{old.upper()} is now HILBERT_{field.upper()};"):
        assert Settings() == expected
    assert getattr(expected, field) != Settings.model_fields[field].default


def test_the_upgrade_page_lists_each_renamed_setting():
    rows = re.findall(
        r"^\| `HILBERT_(\w+)` \| `HILBERT_(\w+)` \|$", (ROOT / "docs/upgrade.md").read_text(), re.MULTILINE
    )
    assert {old.lower(): new.lower() for old, new in rows} == RENAMED


def test_a_new_name_wins_over_its_old_one(monkeypatch):
    monkeypatch.setenv("HILBERT_LEASE", "7")
    monkeypatch.setenv("HILBERT_STAGE_LEASE", "8")
    with pytest.warns(FutureWarning, match="HILBERT_STAGE_LEASE"):
        assert Settings().stage_lease == timedelta(seconds=8)


def test_a_secret_is_read_from_a_file_of_its_old_name(tmp_path, monkeypatch):
    (tmp_path / "hilbert_key").write_text("hil_secret\n")
    (tmp_path / "hilbert_sweep").mkdir()
    monkeypatch.setenv("HILBERT_SECRETS_DIR", str(tmp_path))
    with pytest.warns(FutureWarning, match="HILBERT_KEY is now HILBERT_CLIENT_API_KEY") as warned:
        assert Settings().client_api_key == SecretStr("hil_secret")
    assert "hil_secret" not in str(warned[0].message)


def test_a_command_tells_of_an_old_name(tmp_path):
    done = hilbert_with(HILBERT_DATA_DIR=str(tmp_path), HILBERT_LEASE="50")
    assert done.returncode == 0
    assert "HILBERT_LEASE is now HILBERT_STAGE_LEASE" in done.stderr


def hilbert_with(**environment):
    """`hilbert migrate` with these settings."""
    command = (sys.executable, "-m", "service.cli.app", "migrate")
    return subprocess.run(
        command, cwd=ROOT, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
