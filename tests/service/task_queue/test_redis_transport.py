import os
import signal

import pytest
import redis

from service.task_queue.publisher import open_celery
from tests.servers import redis_server


@pytest.fixture
def stoppable_redis(tmp_path):
    """A Redis of its own, with its process."""
    server = redis_server(tmp_path)
    with server.running() as process:
        yield f"redis://127.0.0.1:{server.port}/0", process
        os.kill(process.pid, signal.SIGCONT)


def test_a_failed_acknowledgement_frees_its_slot(stoppable_redis):
    url, process = stoppable_redis
    app = open_celery(url)
    app.conf.broker_transport_options = {**app.conf.broker_transport_options, "socket_timeout": 0.2}
    app.send_task("hilbert.score", args=["s1"], queue="score")
    with app.connection_for_read() as connection, connection.channel() as channel:
        channel.basic_qos(0, 1, False)
        message = channel.basic_get("score")
        assert not channel.qos.can_consume()
        os.kill(process.pid, signal.SIGSTOP)
        with pytest.raises(redis.exceptions.TimeoutError):
            channel.basic_ack(message.delivery_tag)
        os.kill(process.pid, signal.SIGCONT)
        assert channel.qos.can_consume()
    app.close()
