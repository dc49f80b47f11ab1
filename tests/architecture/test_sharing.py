from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from tests.sharing import made_once


class Folders:
    """pytest's factory of temporary folders in one of several processes."""

    def __init__(self, own: Path) -> None:
        self.own = own

    def getbasetemp(self) -> Path:
        return self.own


def test_what_several_processes_ask_for_at_once_is_made_by_one_of_them(tmp_path: Path) -> None:
    processes = [Folders(tmp_path / f"popen-gw{number}") for number in range(3)]
    together, made = Barrier(len(processes)), []

    @made_once
    def bundle(tmp_path_factory: Folders) -> Path:
        made.append(tmp_path_factory.own)
        return tmp_path_factory.own / "bundle"

    def ask(folders: Folders) -> Path:
        together.wait()
        return bundle(tmp_path_factory=folders)

    with ThreadPoolExecutor(len(processes)) as pool:
        answers = list(pool.map(ask, processes))
    assert len(made) == 1
    assert set(answers) == {made[0] / "bundle"}


def test_what_could_not_be_made_is_tried_again(tmp_path: Path) -> None:
    attempts = []

    @made_once
    def bundle(tmp_path_factory: Folders) -> Path:
        attempts.append(1)
        if len(attempts) == 1:
            raise OSError("no space left")
        return tmp_path_factory.own

    with pytest.raises(OSError, match="no space"):
        bundle(tmp_path_factory=Folders(tmp_path))
    assert bundle(tmp_path_factory=Folders(tmp_path)) == tmp_path
