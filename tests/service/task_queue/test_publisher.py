import json

import pytest

from service.task_queue.publisher import (
    QUEUES,
    BrokerUnreachable,
    TaskPublisher,
    open_celery,
    task_name,
    transport_options,
)


@pytest.fixture
def app(tmp_path):
    app = open_celery(f"spool://localhost{tmp_path / 'queue'}")
    yield app
    app.close()


def messages(tmp_path):
    return [json.loads(path.read_text()) for path in (tmp_path / "queue").glob("*.msg")]


def test_a_message_holds_one_stage_id_and_goes_to_its_queue(app, tmp_path):
    TaskPublisher(app).publish("encode", "stage-1")
    (message,) = messages(tmp_path)
    assert message["headers"]["task"] == "hilbert.encode"
    assert message["properties"]["delivery_info"]["routing_key"] == "encode"
    assert "stage-1" in message["headers"]["argsrepr"]


@pytest.mark.parametrize("queue", QUEUES)
def test_each_queue_has_its_task(queue):
    assert task_name(queue) == f"hilbert.{queue}"


def test_a_reachable_queue_passes_the_check(app):
    TaskPublisher(app).check()


def test_an_unreachable_broker_raises(closed_port):
    app = open_celery(f"redis://127.0.0.1:{closed_port}/0")
    with pytest.raises(BrokerUnreachable):
        TaskPublisher(app).check()
    with pytest.raises(BrokerUnreachable):
        TaskPublisher(app).publish("encode", "stage-1")
    app.close()


def test_a_queue_without_its_folder_is_unreachable(app, tmp_path):
    (tmp_path / "queue").rename(tmp_path / "gone")
    with pytest.raises(BrokerUnreachable):
        TaskPublisher(app).publish("encode", "stage-1")


def test_no_result_backend_and_no_pickle(app):
    assert app.conf.result_backend is None
    assert app.conf.accept_content == ["json"]
    assert app.conf.task_acks_late is True
    assert app.conf.worker_prefetch_multiplier == 1


def test_redis_connections_time_out():
    options = transport_options("redis://localhost/0")
    assert options["socket_timeout"] == 10
    assert options["visibility_timeout"] == 3600


def test_other_transports_have_no_options():
    assert transport_options("memory://") == {}
