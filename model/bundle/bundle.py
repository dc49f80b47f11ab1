"""Open a bundle after verifying its signature and digests, and seal a new bundle."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from model.bundle.manifest import (
    CALIBRATION,
    MANIFEST,
    NETWORK,
    SIGNATURE,
    SPEECH,
    TEXT,
    Calibration,
    Manifest,
    Task,
)
from model.bundle.signature import Signature, Trust, read_signature
from model.encoders.description import fingerprint
from model.errors import BundleInvalid, BundleTampered, TaskNotInBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A verified bundle."""

    folder: Path
    digest: str
    manifest: Manifest
    calibration: Calibration
    signature: Signature | None = None
    signed_by: str | None = None  # id of the trusted key behind the signature

    @property
    def speech(self) -> Path:
        """Folder of the speech encoder."""
        return self.folder / SPEECH

    @property
    def text(self) -> Path:
        """Folder of the language encoder."""
        return self.folder / TEXT

    @property
    def network(self) -> Path:
        """Graph of the HILBERT network."""
        return self.folder / NETWORK

    def task(self, name: str) -> Task:
        """The task of that name; raises TaskNotInBundle."""
        for task in self.manifest.tasks:
            if task.name == name:
                return task
        known = ", ".join(task.name for task in self.manifest.tasks)
        raise TaskNotInBundle("the bundle predicts no such task", advice=f"Ask for one of: {known}.")


def open_bundle(folder: Path, trust: Trust | None = None) -> Bundle:
    """Read and verify a bundle; without `trust` any signature, or none, is accepted.

    Raises:
        BundleInvalid: the manifest or the calibration is missing, malformed or of another format.
        BundleTampered: a file is missing, added or differs from its digest, or the signature does not match.
        BundleUntrusted: the signature is not by a trusted key, and trust is required.
    """
    try:
        content = (folder / MANIFEST).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        signature = read_signature(folder, digest)
        signed_by = (trust or Trust()).judge(signature)
        manifest = Manifest.model_validate_json(content)
        _verify(folder, manifest)
        calibration = Calibration.model_validate_json((folder / CALIBRATION).read_bytes())
    except OSError as error:
        raise BundleInvalid(f"no readable bundle at {folder}") from error
    except ValidationError as error:
        raise BundleInvalid("the manifest or calibration is malformed or of another format") from error
    return Bundle(
        folder=folder,
        digest=digest,
        manifest=manifest,
        calibration=calibration,
        signature=signature,
        signed_by=signed_by,
    )


def seal(folder: Path, manifest: Manifest) -> Bundle:
    """Write the manifest with the digests of all other files of a complete folder, and open the bundle."""
    encoders = {SPEECH: fingerprint(folder / SPEECH), TEXT: fingerprint(folder / TEXT)}
    digests = {path: _sha256(folder / path) for path in _files(folder)}
    sealed = Manifest.model_validate(manifest.model_dump() | {"files": digests, "encoders": encoders})
    (folder / MANIFEST).write_text(sealed.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return open_bundle(folder)


def _verify(folder: Path, manifest: Manifest) -> None:
    # An added file is refused as well: nothing unsigned may lie in a bundle.
    if set(_files(folder)) != set(manifest.files):
        raise BundleTampered("the files of the bundle are not those that its manifest lists")
    for path, digest in manifest.files.items():
        if _sha256(folder / path) != digest:
            raise BundleTampered(f"{path} differs from its digest")


def _files(folder: Path) -> list[str]:
    paths = (file.relative_to(folder).as_posix() for file in folder.rglob("*") if file.is_file())
    return sorted(path for path in paths if path not in (MANIFEST, SIGNATURE))


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
