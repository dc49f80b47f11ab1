"""The installed bundles: one folder each, and symbolic links to the current and the previous one.

HILBERT_BUNDLE names the link `current`. The link is replaced atomically, so that a reader finds the old or the new
bundle. A worker follows the link once, at its start, and keeps its bundle.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from service.errors.tree import ConfigurationRefused

MANIFEST = "manifest.json"
NAME_DIGITS = 12
CURRENT, PREVIOUS = "current", "previous"


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledBundle:
    """An installed bundle; its name is the start of its digest, unless it came with the image."""

    name: str
    current: bool
    previous: bool


class BundleStore:
    """A folder of bundles. Every operation is idempotent and changes nothing when it fails."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def install(self, source: Path | IO[bytes], usable: Callable[[Path], bool]) -> str:
        """Copy a folder or unpack a tar stream, and keep it if `usable` accepts it; returns its name.

        Raises ConfigurationRefused when it is not a bundle or is not usable.
        """
        # In the same folder, because a rename is atomic within one file system only.
        with tempfile.TemporaryDirectory(prefix=".partial-", dir=self._folder) as partial:
            arriving = Path(partial) / "bundle"
            _copy_source(source, arriving)
            name = _bundle_name(arriving)
            if not usable(arriving):
                raise ConfigurationRefused("The bundle is refused, and was not installed.")
            if not (self._folder / name).exists():
                arriving.rename(self._folder / name)
        return name

    def activate(self, name: str) -> None:
        """Point `current` to this bundle and `previous` to the one before. Raises ConfigurationRefused."""
        if name in (CURRENT, PREVIOUS) or "/" in name or not (self._folder / name / MANIFEST).is_file():
            raise ConfigurationRefused(
                f"There is no bundle {name} in {self._folder}; `hilbert bundle list` names them."
            )
        before = self._target(CURRENT)
        # Otherwise `previous` would name the same bundle, and nothing would be left to roll back to.
        if before == name:
            return
        if before is not None:
            self._link(PREVIOUS, before)
        self._link(CURRENT, name)

    def roll_back(self) -> str:
        """Swap `current` and `previous`; returns the new current name. Raises ConfigurationRefused."""
        before = self._target(PREVIOUS)
        if before is None:
            raise ConfigurationRefused("No bundle was active before the present one.")
        self.activate(before)
        return before

    def bundles(self) -> list[InstalledBundle]:
        """All installed bundles by name."""
        current, previous = self._target(CURRENT), self._target(PREVIOUS)
        names = [path.parent.name for path in sorted(self._folder.glob(f"[!.]*/{MANIFEST}"))]
        return [
            InstalledBundle(name=name, current=name == current, previous=name == previous)
            for name in names
            if name not in (CURRENT, PREVIOUS)
        ]

    def _target(self, link: str) -> str | None:
        path = self._folder / link
        return path.readlink().name if path.is_symlink() else None

    def _link(self, link: str, name: str) -> None:
        with tempfile.TemporaryDirectory(prefix=".link-", dir=self._folder) as scratch:
            fresh = Path(scratch) / link
            fresh.symlink_to(name)
            fresh.replace(self._folder / link)


def _copy_source(source: Path | IO[bytes], target: Path) -> None:
    try:
        if isinstance(source, Path):
            shutil.copytree(source, target)
            return
        # As a stream, since standard input cannot be sought.
        with tarfile.open(fileobj=source, mode="r|*") as archive:
            for member in archive:
                _unpack(archive, member, target)
    except (OSError, tarfile.TarError) as error:
        raise ConfigurationRefused(f"The bundle could not be copied: {type(error).__name__}.") from error


def _unpack(archive: tarfile.TarFile, member: tarfile.TarInfo, target: Path) -> None:
    # Checked here because the filter of tarfile is not part of every Python 3.11.
    path = target / member.name
    if not (member.isfile() or member.isdir()) or ".." in path.parts or not path.is_relative_to(target):
        raise ConfigurationRefused("A bundle is made of files and folders, and the archive holds something else.")
    if member.isdir():
        path.mkdir(parents=True, exist_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if (content := archive.extractfile(member)) is not None:
        with path.open("wb") as file:
            shutil.copyfileobj(content, file)


def _bundle_name(folder: Path) -> str:
    manifest = folder / MANIFEST
    if not manifest.is_file():
        raise ConfigurationRefused(f"This is not a bundle: it has no {MANIFEST}.")
    return hashlib.sha256(manifest.read_bytes()).hexdigest()[:NAME_DIGITS]
