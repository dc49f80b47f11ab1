import io
import os
import shutil

import pytest
from rich.console import Console
from typer.testing import CliRunner

from service.cli.app import app
from service.cli.bundle_report import show_bundle, verify_bundle
from service.setting_groups import REPOSITORY
from service.settings import Settings


@pytest.fixture
def printed():
    return Console(file=io.StringIO(), width=200)


def test_a_bundle_in_order_is_verified_part_by_part(signed_bundle, printed):
    assert verify_bundle(signed_bundle, Settings(threads=1), printed)
    lines = printed.file.getvalue().splitlines()
    assert [line.split()[0] for line in lines] == [
        "bundle",
        "signature",
        "files",
        *["graph"] * 3,
        *["golden"] * 4,
        "it",
    ]
    assert "not among the trusted keys" in lines[1]


@pytest.mark.parametrize(("name", "code"), [("README.md", "bundle_tampered"), ("signature.json", "bundle_tampered")])
def test_a_changed_file_is_refused_with_what_to_do(signed_bundle, tmp_path, printed, name, code):
    copy = shutil.copytree(signed_bundle, tmp_path / "bundle")
    (copy / name).write_text("changed")
    assert not verify_bundle(copy, Settings(threads=1), printed)
    assert f"refused ({code})" in printed.file.getvalue()
    assert "Install the bundle again" in printed.file.getvalue()


def test_a_bundle_that_cannot_run_where_the_settings_say_is_refused(signed_bundle, printed):
    assert not verify_bundle(signed_bundle, Settings(threads=1, device="tensorrt"), printed)
    assert "refused (device_unavailable)" in printed.file.getvalue()


def test_wrong_answers_are_refused_after_all_that_is_in_order(swapped_bundle, printed):
    assert not verify_bundle(swapped_bundle, Settings(threads=1), printed)
    shown = printed.file.getvalue()
    assert "files" in shown
    assert "refused (bundle_misbehaves)" in shown


def test_what_a_bundle_says_of_itself_is_shown(signed_bundle, printed):
    show_bundle(signed_bundle, Settings(), printed)
    shown = printed.file.getvalue()
    for part in (
        "small 0",
        "none, mild, severe",
        "hubert",
        "network.onnx",
        "2026-11-24T12:00:00Z",
        "synthetic speech only",
    ):
        assert part in shown


def test_the_exit_status_tells_whether_the_bundle_can_be_used(tmp_path):
    run = CliRunner().invoke
    assert run(app, ["bundle", "verify"]).exit_code == 0  # the example, which its key has signed
    assert run(app, ["bundle", "verify", str(tmp_path)]).exit_code == 1
    assert run(app, ["bundle", "show", str(tmp_path)]).exit_code == 1
    assert run(app, ["bundle", "show", str(REPOSITORY / "examples" / "bundle")]).exit_code == 0


def test_a_trusted_key_that_cannot_be_read_is_a_matter_of_settings(monkeypatch):
    monkeypatch.setenv("HILBERT_TRUSTED_KEYS", '["nowhere.pub"]')
    done = CliRunner().invoke(app, ["bundle", "verify"])
    assert done.exit_code == os.EX_CONFIG
    assert "HILBERT_TRUSTED_KEYS" in done.output
