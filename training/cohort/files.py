"""The files that a manifest names: there, inside its folder, not empty, and each in one family alone."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

from training.cohort.problem import Problem, name_lines
from training.cohort.row import RECORDING, TRANSCRIPT, CohortRow


def check_files(root: Path, rows: Sequence[CohortRow]) -> Iterator[Problem]:
    """Files that cannot be used, recordings that stand twice, and recordings shared by families."""
    for column in (RECORDING, TRANSCRIPT):
        usable: list[tuple[CohortRow, Path]] = []
        for row in rows:
            path = row.recording if column == RECORDING else row.transcript
            refused = _refuse(root, path) if path else None
            if refused:
                yield Problem(line=row.line, column=column, detail=refused[0], advice=refused[1])
            elif path:
                usable.append((row, root / path))
        yield from _check_sharing(column, usable)


def _refuse(root: Path, path: str) -> tuple[str, str] | None:
    """What is wrong with a file, and what to do."""
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).drive:
        return (
            "the path is absolute",
            "write it relative to the manifest, and keep the file below the manifest's folder",
        )
    if "\\" in path:
        return "the path has backslashes", "write / between folders"
    if _escapes(path):
        return "the path leads out of the manifest's folder", "keep the file below the manifest's folder"
    try:
        size = (root / path).stat().st_size if (root / path).is_file() else None
    except (OSError, ValueError):
        return "the file cannot be opened", "check that you may read it"
    if size is None:
        return "there is no such file", "check the spelling, capitals included; paths are relative to the manifest"
    return ("the file is empty", "copy it again, or leave the cell empty") if size == 0 else None


def _escapes(path: str) -> bool:
    depth = 0
    for part in PurePosixPath(path).parts:
        depth += -1 if part == ".." else 1
        if depth < 0:
            return True
    return False


def _check_sharing(column: str, usable: Sequence[tuple[CohortRow, Path]]) -> Iterator[Problem]:
    """Equal contents: in one person's rows a recording that counts twice, in two families a leak."""
    for members in _equal_contents(usable):
        lines = name_lines([row.line for row in members])
        last = members[-1].line
        if len({row.family for row in members if row.family}) > 1:
            advice = f"families that share a recording are one family: give {lines} the same family, or mend the path"
            yield Problem(line=last, column=column, detail=f"two families share one {column}", advice=advice)
        elif len({row.person for row in members}) < len(members):
            advice = f"keep one of {lines}, for each would count"
            yield Problem(line=last, column=column, detail=f"one person's {column} stands twice", advice=advice)


def _equal_contents(usable: Sequence[tuple[CohortRow, Path]]) -> Iterator[list[CohortRow]]:
    """Rows whose files hold the same bytes; only files of equal size are read."""
    sizes: dict[int, list[tuple[CohortRow, Path]]] = defaultdict(list)
    for row, path in usable:
        sizes[path.stat().st_size].append((row, path))
    for candidates in sizes.values():
        digests: Mapping[str, list[CohortRow]] = defaultdict(list)
        for row, path in candidates if len(candidates) > 1 else ():
            digests[_digest(path)].append(row)
        yield from (rows for rows in digests.values() if len(rows) > 1)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
