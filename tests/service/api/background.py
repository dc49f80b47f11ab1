"""Something that happens while a test waits for an answer."""

import threading
import time


class soon:  # noqa: N801 - reads as a verb's adverb: with soon(0.3, finish, ...)
    """Do it in a thread after so many seconds; at the end of the block it is done."""

    def __init__(self, seconds, act, *arguments):
        self._thread = threading.Thread(target=self._run, args=(seconds, act, *arguments))

    def _run(self, seconds, act, *arguments):
        time.sleep(seconds)
        act(*arguments)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._thread.join(30)
        assert not self._thread.is_alive()
