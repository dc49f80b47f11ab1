from dataclasses import replace

import pytest
from sqlalchemy.exc import OperationalError


class Breaking:
    """Stands before the database of the routes: the next connections break in the middle."""

    def __init__(self, database, times):
        self.database, self.left = database, times

    def reading(self):
        return self._opened("reading")

    def writing(self):
        return self._opened("writing")

    def write(self, work):
        with self.writing() as session:
            return work(session)

    def _opened(self, verb):
        if self.left:
            self.left -= 1
            raise OperationalError("select", {}, Exception("gone"), connection_invalidated=True)
        return getattr(self.database, verb)()


@pytest.fixture
def breaking(api):
    state = api.client.app.state
    state.components = replace(state.components, database=Breaking(state.components.database, 0))
    return state.components.database


def test_a_reading_request_whose_connection_broke_is_answered(api, breaking):
    breaking.left = 1
    answer = api.get("/v1/assessments")
    assert answer.status_code == 200
    assert answer.headers["x-request-id"]


def test_it_is_tried_twice_and_no_more(api, breaking):
    breaking.left = 2
    answer = api.get("/v1/assessments")
    assert (answer.status_code, answer.json()["code"], breaking.left) == (503, "database_unavailable", 0)


def test_a_writing_request_is_not_repeated(api, breaking):
    breaking.left = 2
    answer = api.delete("/v1/assessments/a1")
    assert (answer.status_code, breaking.left) == (503, 1)
