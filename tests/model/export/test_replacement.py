from pathlib import Path

import pytest

from model.export.replacement import replace_folder


def folder(path, content):
    path.mkdir(parents=True)
    (path / "file").write_text(content)
    return path


@pytest.mark.parametrize("existing", [False, True])
def test_a_folder_takes_the_place_of_another(tmp_path, existing):
    if existing:
        folder(tmp_path / "target", "old")
    replace_folder(tmp_path / "target", folder(tmp_path / "scratch" / "made", "new"))
    assert (tmp_path / "target" / "file").read_text() == "new"
    assert not (tmp_path / "scratch" / "made").exists()


def test_what_stood_there_stands_there_again_if_the_move_fails(tmp_path, monkeypatch):
    target, made = folder(tmp_path / "target", "old"), folder(tmp_path / "scratch" / "made", "new")
    rename = Path.rename

    def fail_for_the_new_one(path, to):
        if path == made:
            raise OSError("the disk is full")
        return rename(path, to)

    monkeypatch.setattr(Path, "rename", fail_for_the_new_one)
    with pytest.raises(OSError, match="disk is full"):
        replace_folder(target, made)
    assert (target / "file").read_text() == "old"
