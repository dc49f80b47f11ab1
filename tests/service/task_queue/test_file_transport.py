import threading
from queue import Empty

import pytest
from kombu import Connection, Queue

from service.task_queue.file_transport import file_transport_options, register_transport

register_transport()


@pytest.fixture
def connect(tmp_path):
    opened = []

    def connect():
        connection = Connection("spool://localhost/", transport_options=file_transport_options(tmp_path / "spool"))
        opened.append(connection)
        return connection

    yield connect
    for connection in opened:
        connection.release()


def put(connection, queue, *bodies):
    with connection.Producer() as producer:
        for body in bodies:
            producer.publish(body, routing_key=queue, declare=[Queue(queue)], serializer="json")


def take(connection, queue):
    with connection.SimpleQueue(queue) as simple:
        message = simple.get(block=False)
        message.ack()
        return message.payload


def test_messages_are_taken_in_the_order_of_publishing(connect):
    put(connect(), "encode", "a", "b", "c")
    assert [take(connect(), "encode") for _ in range(3)] == ["a", "b", "c"]


def test_a_message_is_taken_once(connect):
    put(connect(), "encode", "a")
    take(connect(), "encode")
    with pytest.raises(Empty):
        take(connect(), "encode")


def test_queues_are_separate(connect):
    put(connect(), "encode", "a")
    with pytest.raises(Empty):
        take(connect(), "score")


def test_half_written_messages_are_not_seen(connect, tmp_path):
    connection = connect()
    (tmp_path / "spool" / ".00000000000000000001-x.encode.msg").write_text('{"bo')
    with pytest.raises(Empty):
        take(connection, "encode")


def test_nothing_is_left_of_a_taken_message(connect, tmp_path):
    put(connect(), "encode", "a")
    take(connect(), "encode")
    assert [path for path in (tmp_path / "spool").iterdir() if path.is_file()] == []


def test_competing_readers_take_each_message_once(connect):
    bodies = [str(number) for number in range(60)]
    put(connect(), "encode", *bodies)
    taken = []

    def drain():
        connection = connect()
        while True:
            try:
                taken.append(take(connection, "encode"))
            except Empty:
                return

    threads = [threading.Thread(target=drain) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken, key=int) == bodies
