from tests.training.fit.test_console import REPORT
from training.fit.tensorboard import open_tracker


def test_event_files_are_written_if_configured(tmp_path):
    reported = []
    with open_tracker(tmp_path / "events") as tracker:
        tracker.wrap(lambda title, report: reported.append((title, report.step)))("stack 1", REPORT)
    (file,) = (tmp_path / "events").iterdir()
    content = file.read_bytes()
    for name in (b"spectrum/stack_1", b"cka/stack_1", b"total/stack_1", b"validation/stack_1"):
        assert name in content
    assert reported == [("stack 1", 5)]


def test_nothing_is_written_unless_configured(tmp_path):
    with open_tracker(None) as tracker:
        tracker.wrap(lambda title, report: None)("stack 1", REPORT)
    assert not list(tmp_path.iterdir())
