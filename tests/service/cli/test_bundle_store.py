import io
import tarfile

import pytest

from service.cli.bundle_store import BundleStore
from service.errors.tree import ConfigurationRefused


def fine(folder):
    return (folder / "manifest.json").is_file()


@pytest.fixture
def shelf(tmp_path):
    """A shelf as an image brings it: one bundle, which is current."""
    (tmp_path / "shelf" / "demonstration").mkdir(parents=True)
    (tmp_path / "shelf" / "demonstration" / "manifest.json").write_text("{}")
    (tmp_path / "shelf" / "current").symlink_to("demonstration")
    return BundleStore(tmp_path / "shelf")


@pytest.fixture
def released(tmp_path):
    folder = tmp_path / "released"
    (folder / "speech").mkdir(parents=True)
    (folder / "manifest.json").write_text('{"version": 2}')
    (folder / "speech" / "graph").write_text("graph")
    return folder


def listed(shelf):
    return [(one.name, one.current, one.previous) for one in shelf.bundles()]


def test_a_bundle_is_installed_under_the_beginning_of_its_digest_and_activated_by_a_link(shelf, released, tmp_path):
    name = shelf.install(released, fine)
    assert len(name) == 12
    assert listed(shelf) == [(name, False, False), ("demonstration", True, False)]
    shelf.activate(name)
    assert (tmp_path / "shelf" / "current" / "speech" / "graph").read_text() == "graph"
    assert sorted(listed(shelf)) == sorted([(name, True, False), ("demonstration", False, True)])


def test_a_tar_archive_is_unpacked(shelf, released):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(released, arcname=".")
    archive.seek(0)
    assert shelf.install(archive, fine) == shelf.install(released, fine)


def test_a_roll_back_changes_the_two_over_and_back(shelf, released):
    name = shelf.install(released, fine)
    with pytest.raises(ConfigurationRefused):
        shelf.roll_back()
    shelf.activate(name)
    assert shelf.roll_back() == "demonstration"
    assert shelf.roll_back() == name


def test_to_activate_what_is_current_keeps_what_was_before(shelf, released):
    name = shelf.install(released, fine)
    shelf.activate(name)
    shelf.activate(name)
    assert shelf.roll_back() == "demonstration"


def test_what_is_refused_leaves_nothing_behind(shelf, released, tmp_path):
    before = sorted((tmp_path / "shelf").iterdir())
    with pytest.raises(ConfigurationRefused):
        shelf.install(released, lambda folder: False)
    (released / "manifest.json").unlink()
    with pytest.raises(ConfigurationRefused):
        shelf.install(released, fine)
    with pytest.raises(ConfigurationRefused):
        shelf.install(io.BytesIO(b"no archive"), fine)
    assert sorted((tmp_path / "shelf").iterdir()) == before


@pytest.mark.parametrize("name", ["unknown", "current", "../shelf/demonstration", ""])
def test_only_an_installed_bundle_is_activated(shelf, name):
    with pytest.raises(ConfigurationRefused):
        shelf.activate(name)


@pytest.mark.parametrize("name", ["../outside", "/outside"])
def test_an_archive_cannot_write_elsewhere(shelf, tmp_path, name):
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(tarfile.TarInfo(name))
    archive.seek(0)
    with pytest.raises(ConfigurationRefused):
        shelf.install(archive, fine)


def test_an_archive_cannot_bring_links(shelf):
    archive, link = io.BytesIO(), tarfile.TarInfo("manifest.json")
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.addfile(link)
    archive.seek(0)
    with pytest.raises(ConfigurationRefused):
        shelf.install(archive, fine)
