"""Folders that one can scan, and no crumbs: what is small and read by one stands in its reader."""

from collections import Counter

from tests.architecture.sources import PACKAGES, ROOT, importers, modules, name_of

MOST_FILES = 16
SMALL_LINES = 50
MOST_SMALL = 25


def test_a_folder_holds_at_most_sixteen_python_files():
    folders = Counter(path.parent for path in modules(*PACKAGES, "bench", "tests"))
    assert {name_of(folder): count for folder, count in folders.items() if count > MOST_FILES} == {}


def test_few_small_modules_have_a_single_importer():
    readers = importers()
    small = [
        name_of(path)
        for path in modules(*PACKAGES)
        if path.stem != "__init__"
        and len(path.read_text().splitlines()) < SMALL_LINES
        and len(readers[".".join(path.relative_to(ROOT).with_suffix("").parts)]) == 1
    ]
    print(f"{len(small)} modules under {SMALL_LINES} lines have a single importer:", *small, sep="\n  ")  # noqa: T201
    assert len(small) <= MOST_SMALL, small
