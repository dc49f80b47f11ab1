from model.encoders.cancellation import Cancellation


def test_a_callback_is_called_once_and_only_while_it_is_registered() -> None:
    cancellation, told = Cancellation(), []
    with cancellation.listening(lambda: told.append("gone before")):
        pass
    with cancellation.listening(lambda: told.append("listens")):
        assert not cancellation.cancelled
        cancellation.cancel()
        cancellation.cancel()
    assert cancellation.cancelled
    assert told == ["listens"]


def test_a_callback_after_the_cancellation_is_called_immediately() -> None:
    cancellation, told = Cancellation(), []
    cancellation.cancel()
    with cancellation.listening(lambda: told.append("late")):
        assert told == ["late"]
    assert told == ["late"]
