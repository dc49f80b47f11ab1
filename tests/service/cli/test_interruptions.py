import os
import signal

import pytest

from service.cli.interruptions import SIGNALS, DeferredSignals, SignalInterrupt


@pytest.fixture(autouse=True)
def handlers_are_restored():
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    yield
    assert {signum: signal.getsignal(signum) for signum in SIGNALS} == before


def interrupted_while(signals, steps, signum=None):
    """Go into an allowed section, note it in `steps`, send a signal to ourselves, note that too."""
    with signals.allowed():
        steps.append("in")
        if signum is not None:
            os.kill(os.getpid(), signum)
        steps.append("after")


@pytest.mark.parametrize("signum", SIGNALS)
def test_a_signal_ends_an_allowed_section_at_once(signum):
    steps: list[str] = []
    with DeferredSignals() as signals:
        with pytest.raises(SignalInterrupt) as caught:
            interrupted_while(signals, steps, signum)
        assert caught.value.signum == signum
    assert steps == ["in"]


def test_a_signal_outside_waits_for_the_next_allowed_section():
    steps = []
    with DeferredSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        steps.append("cleaned up")
        with pytest.raises(SignalInterrupt):
            interrupted_while(signals, steps)
    assert steps == ["cleaned up"]


def test_a_second_signal_does_not_disturb_the_cleaning_up():
    steps: list[str] = []
    with DeferredSignals() as signals:
        with pytest.raises(SignalInterrupt):
            interrupted_while(signals, steps, signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGTERM)
        steps.append("cleaned up")
    assert steps == ["in", "cleaned up"]


def test_an_ignored_signal_stays_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with DeferredSignals() as signals, signals.allowed():
            os.kill(os.getpid(), signal.SIGHUP)
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
