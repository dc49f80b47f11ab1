from model.encoders.cancellation import Cancellation


def test_whoever_listens_is_told_once_and_only_while_it_listens() -> None:
    cancellation, told = Cancellation(), []
    with cancellation.listening(lambda: told.append("gone before")):
        pass
    with cancellation.listening(lambda: told.append("listens")):
        assert not cancellation.cancelled
        cancellation.cancel()
        cancellation.cancel()
    assert cancellation.cancelled
    assert told == ["listens"]


def test_whoever_comes_too_late_is_told_at_once() -> None:
    cancellation, told = Cancellation(), []
    cancellation.cancel()
    with cancellation.listening(lambda: told.append("late")):
        assert told == ["late"]
    assert told == ["late"]
