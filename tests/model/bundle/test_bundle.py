import shutil
from pathlib import Path

import pytest

from model.bundle.bundle import open_bundle
from model.bundle.manifest import MANIFEST, SIGNATURE
from model.errors import BundleInvalid, BundleTampered, TaskNotInBundle


@pytest.fixture
def copy(small_bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(small_bundle, tmp_path / "bundle"))


def test_a_sealed_bundle_opens(small_bundle: Path) -> None:
    bundle = open_bundle(small_bundle)
    assert bundle.task("spectrum").outcomes == ("none", "mild", "severe")
    assert len(bundle.digest) == 64
    assert set(bundle.manifest.encoders) == {"speech", "text"}


def test_one_flipped_byte_in_any_file_is_noticed(signed_bundle: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(signed_bundle, tmp_path / "bundle"))
    files = [file for file in copy.rglob("*") if file.is_file()]
    assert {MANIFEST, SIGNATURE, "README.md", "network.onnx", "answers.json"} <= {file.name for file in files}
    for file in files:
        content = file.read_bytes()
        # The signature and the manifest are small and vouch for the rest: every byte of theirs, and one of the others.
        small = file.name in {MANIFEST, SIGNATURE}
        for at in range(len(content)) if small else [len(content) // 2]:
            file.write_bytes(content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :])
            with pytest.raises(BundleTampered, match="signature" if small else file.name):
                open_bundle(copy)
        file.write_bytes(content)
    open_bundle(copy)


@pytest.mark.parametrize("where", ["", "golden", "speech", "elsewhere"])
def test_an_added_file_is_noticed_in_any_folder(copy: Path, where: str) -> None:
    (copy / where).mkdir(exist_ok=True)
    (copy / where / "extra.txt").write_text("?")
    with pytest.raises(BundleTampered, match="not those that its manifest lists"):
        open_bundle(copy)


@pytest.mark.parametrize(
    "name", ["network.onnx", "README.md", "card.json", "golden/answers.json", "text/tokenizer.json"]
)
def test_a_missing_file_is_noticed(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleTampered, match="not those that its manifest lists"):
        open_bundle(copy)


def test_a_changed_manifest_is_another_bundle(copy: Path, small_bundle: Path) -> None:
    manifest = copy / MANIFEST
    manifest.write_text(manifest.read_text().replace('"version": "0"', '"version": "1"'))
    assert open_bundle(copy).digest != open_bundle(small_bundle).digest


@pytest.mark.parametrize("content", ["", "[]", '{"format": 1}', "not json"])
def test_a_manifest_that_cannot_be_understood_is_refused(copy: Path, content: str) -> None:
    (copy / MANIFEST).write_text(content)
    with pytest.raises(BundleInvalid):
        open_bundle(copy)


def test_a_missing_bundle_is_reported(tmp_path: Path) -> None:
    with pytest.raises(BundleInvalid, match="no readable bundle"):
        open_bundle(tmp_path)


def test_an_unknown_task_names_the_known_ones(small_bundle: Path) -> None:
    with pytest.raises(TaskNotInBundle) as refusal:
        open_bundle(small_bundle).task("iq")
    assert "spectrum" in refusal.value.advice
