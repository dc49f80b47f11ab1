from tests.training.fit.test_console import LOOK
from training.fit.tensorboard import track


def test_event_files_are_written_when_asked_for(tmp_path):
    told = []
    with track(tmp_path / "events") as tracker:
        tracker.beside(lambda title, look: told.append((title, look.step)))("stack 1", LOOK)
    (file,) = (tmp_path / "events").iterdir()
    content = file.read_bytes()
    for name in (b"spectrum/stack_1", b"cka/stack_1", b"total/stack_1", b"validation/stack_1"):
        assert name in content
    assert told == [("stack 1", 5)]


def test_nothing_is_written_unless_asked_for(tmp_path):
    with track(None) as tracker:
        tracker.beside(lambda title, look: None)("stack 1", LOOK)
    assert not list(tmp_path.iterdir())
