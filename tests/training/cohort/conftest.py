from dataclasses import dataclass
from pathlib import Path

import pytest

from training.cohort.manifest import NO_REQUIREMENTS, CohortRequirements, ManifestInspection, inspect_manifest

HEADER = "person,family,recording,transcript,label_spectrum,role,age,sex"


@dataclass(frozen=True)
class Folder:
    """A cohort's folder, to write manifests and files into."""

    path: Path

    def put(self, name: str, content: bytes = b"sound") -> None:
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)

    def manifest(self, *lines: str, header: str = HEADER) -> Path:
        return self.write("\n".join([header, *lines, ""]).encode())

    def write(self, content: bytes) -> Path:
        (self.path / "manifest.csv").write_bytes(content)
        return self.path / "manifest.csv"

    def inspect(
        self, *lines: str, header: str = HEADER, wanted: CohortRequirements = NO_REQUIREMENTS
    ) -> ManifestInspection:
        return inspect_manifest(self.manifest(*lines, header=header), wanted)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """Files a.flac to f.flac and a.vtt to c.vtt, each of its own content."""
    folder = Folder(tmp_path)
    for name in "abcdef":
        folder.put(f"{name}.flac", f"sound {name}".encode())
    for name in "abc":
        folder.put(f"{name}.vtt", f"secret words {name}".encode())
    return folder


@pytest.fixture
def errors_of(folder: Folder):
    """`errors_of(line, ...)` inspects a manifest of these lines: (line, column, what is wrong) of each error."""

    def inspect(*lines: str, header: str = HEADER, wanted: CohortRequirements = NO_REQUIREMENTS):
        errors = folder.inspect(*lines, header=header, wanted=wanted).errors
        return [(error.line, error.column, error.detail) for error in errors]

    return inspect


@pytest.fixture
def warnings_of(folder: Folder):
    """As `errors_of`, for the warnings of a manifest without an error."""

    def inspect(*lines: str, header: str = HEADER, wanted: CohortRequirements = NO_REQUIREMENTS):
        found = folder.inspect(*lines, header=header, wanted=wanted)
        assert found.errors == ()
        return [(one.column, one.detail) for one in found.problems]

    return inspect
