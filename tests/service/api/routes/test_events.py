"""Events over a real server: the test client reads no answer before its end."""

import dataclasses
import json
import threading
import time
from datetime import timedelta

import httpx
import pytest

from service.api.app import create_app
from service.api.change_feed import ChangeFeed
from service.api.server import Server
from service.assessments.lifecycle import finish, record_change
from service.assessments.repository import AssessmentRepository
from service.assessments.states import State
from service.auth.caller import Caller
from service.storage.tables import AssessmentRow
from tests.waiting import wait_for

FINISH = timedelta(seconds=40)


class Service:
    """The API on a port of its own, in a thread."""

    def __init__(self, settings):
        settings = settings.model_copy(update={"port": 0, "shutdown_timeout": FINISH})
        self.app = create_app(settings)
        self.server = Server(self.app, settings)
        self.thread = threading.Thread(target=self.server.run)
        self.thread.start()
        wait_for(lambda: self.server.started)
        self.keep_alive(0.4)
        self.key = self.parts.api_keys.issue(name="a", tenant="ward-a").secret
        port = self.server.servers[0].sockets[0].getsockname()[1]
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=20, trust_env=False)
        self.http.headers["Authorization"] = f"Bearer {self.key}"

    @property
    def parts(self):
        return self.app.state.components

    def keep_alive(self, seconds):
        watcher = ChangeFeed(self.parts.database, self.parts.queue_positions, poll_seconds=0.05, keep_alive=seconds)
        self.app.state.components = dataclasses.replace(self.parts, change_feed=watcher)

    def events(self, assessment_id="a1", **headers):
        path = f"/v1/assessments/{assessment_id}/events"
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.http.stream("GET", path, headers=names)

    def change(self, **values):
        with self.parts.database.writing() as session:
            row = session.get(AssessmentRow, "a1")
            for name, value in values.items():
                setattr(row, name, value)
            record_change(row)

    def finish(self):
        with self.parts.database.writing() as session:
            finish(session, session.get(AssessmentRow, "a1"), State.FAILED)

    def stop(self):
        self.server.should_exit = True
        self.thread.join(10)
        self.http.close()


@pytest.fixture
def service(settings, submit):
    service = Service(settings)
    submit(service.parts.database)
    yield service
    service.stop()


def read(response):
    """Events as they come, comments as None."""
    event = {}
    for line in response.iter_lines():
        if line.startswith(":"):
            yield None
        elif line:
            name, _, value = line.partition(": ")
            event[name] = value
        elif event:
            yield event | {"data": json.loads(event["data"])}
            event = {}


def told(event):
    return event["event"], int(event["id"]), event["data"]["state"]


def test_the_stream_sends_the_current_state_each_change_and_the_end(service):
    with service.events() as response:
        assert response.headers["content-type"].startswith("text/event-stream")
        events = (event for event in read(response) if event is not None)
        seen = [next(events)]
        service.change(state=State.PREPARING)
        seen.append(next(events))
        service.change(state=State.ENCODING, segments_total=8, segments_done=4)
        seen.append(next(events))
        service.finish()
        seen += list(events)
    assert [told(event) for event in seen] == [
        ("progress", 1, "queued"),
        ("progress", 2, "preparing"),
        ("progress", 3, "encoding"),
        ("end", 4, "failed"),
    ]
    assert "result" not in seen[-1]["data"]
    assert seen[0]["data"]["progress"]["position"] == 0
    assert seen[2]["data"]["progress"]["segments_done"] == 4
    wait_for(lambda: service.parts.change_feed.subscribers == 0)


def test_a_reconnected_client_receives_missed_events_once(service):
    service.change(state=State.PREPARING)
    service.change(state=State.ENCODING)
    with service.events(Last_Event_ID="1") as response:
        assert told(next(read(response))) == ("progress", 3, "encoding")
    with service.events(Last_Event_ID="3") as response:
        events = read(response)
        assert next(events) is None
        service.finish()
        assert [told(event) for event in events if event] == [("end", 4, "failed")]
    with service.events(Last_Event_ID="Ada") as response:
        assert told(next(read(response))) == ("end", 4, "failed")


def test_a_final_assessment_is_sent_at_once_and_only_once(service):
    service.finish()
    with service.events() as response:
        assert [told(event) for event in read(response)] == [("end", 2, "failed")]
    with service.events(Last_Event_ID="2") as response:
        assert (response.status_code, response.read()) == (204, b"")


def test_an_unknown_id_is_a_problem_and_no_stream(service):
    with service.events("unknown") as response:
        response.read()
        assert (response.status_code, response.json()["code"]) == (404, "assessment_not_found")


def test_clients_that_go_away_are_forgotten(service):
    with service.events() as response:
        events = read(response)
        next(events)
        wait_for(lambda: service.parts.change_feed.subscribers == 1)
    wait_for(lambda: service.parts.change_feed.subscribers == 0)


def test_an_erased_assessment_ends_its_stream(service):
    with service.events() as response:
        events = read(response)
        next(events)
        with service.parts.database.writing() as session:
            row = session.get(AssessmentRow, "a1")
            row.state = State.CANCELLED
            session.flush()
            AssessmentRepository(session, Caller(key_id="x", tenant="ward-a")).erase("a1")
        assert [event for event in events if event] == []


def test_a_stream_outlives_a_database_that_goes_away(service, caplog):
    with service.events() as response:
        events = read(response)
        next(events)
        hide = "ALTER TABLE assessment RENAME TO hidden"
        with service.parts.database.engine.begin() as connection:
            connection.exec_driver_sql(hide)
        assert [next(events), next(events)] == [None, None]
        with service.parts.database.engine.begin() as connection:
            connection.exec_driver_sql("ALTER TABLE hidden RENAME TO assessment")
        service.finish()
        assert [told(event) for event in events if event] == [("end", 2, "failed")]


def test_a_server_that_stops_ends_its_streams_first(service):
    with service.events() as response:
        events = read(response)
        next(events)
        started = time.monotonic()
        service.server.should_exit = True
        assert [event for event in events if event] == []
        service.thread.join()
        assert time.monotonic() - started < FINISH.total_seconds() / 2


def test_many_followers_cost_one_question(service):
    asked = []
    watcher = service.parts.change_feed
    original = watcher._read

    def read_counted(known):
        asked.append(len(known))
        return original(known)

    watcher._read = read_counted

    def follow():
        with service.events() as response:
            seen.append([told(event)[0] for event in read(response) if event])

    seen: list[list[str]] = []
    threads = [threading.Thread(target=follow) for _ in range(30)]
    for thread in threads:
        thread.start()
    wait_for(lambda: watcher.subscribers == 30)
    service.finish()
    for thread in threads:
        thread.join(10)
    assert seen == [["progress", "end"]] * 30
    assert max(asked) == 1
