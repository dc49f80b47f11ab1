import json
import logging
from typing import Any

import pytest
import structlog

from service.observability.logs import configure_logging, failure_fields
from service.observability.traces import span


@pytest.fixture
def lines(capsys):
    return lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_a_record_is_one_line_of_json_that_names_its_process(lines):
    configure_logging("test")
    structlog.stdlib.get_logger("a").info("stage done", attempt=1)
    (line,) = lines()
    assert (line["event"], line["attempt"], line["process"], line["level"]) == ("stage done", 1, "test", "info")
    assert line["timestamp"].endswith("Z")


def test_records_of_libraries_come_in_the_same_form(lines):
    configure_logging("test")
    logging.getLogger("library").warning("hello %s", "there")
    (line,) = lines()
    assert (line["event"], line["logger"]) == ("hello there", "library")


def test_bound_context_is_in_every_line(lines):
    configure_logging("test")
    with structlog.contextvars.bound_contextvars(request_id="r1"):
        structlog.stdlib.get_logger("a").info("one")
        logging.getLogger("library").warning("two")
    assert [line["request_id"] for line in lines()] == ["r1", "r1"]


def test_a_librarys_traceback_keeps_its_frames_and_loses_its_message(lines):
    configure_logging("test")
    try:
        raise ValueError("Ada Lovelace")
    except ValueError:
        logging.getLogger("library").exception("it broke")
    (line,) = lines()
    assert line["error_type"] == "ValueError"
    assert "test_a_librarys_traceback" in line["trace"][-1]
    assert "Ada" not in json.dumps(line)


def test_failure_fields_are_the_type_and_the_frames():
    try:
        json.loads("Ada Lovelace")
    except ValueError as error:
        fields: dict[str, Any] = failure_fields(error)
    assert fields["error_type"] == "JSONDecodeError"
    assert fields["trace"][0].startswith("tests/service/observability/test_logs.py:")
    assert "Ada" not in str(fields)


def test_a_line_names_the_trace_that_it_belongs_to(lines, traced):
    configure_logging("test")
    log = structlog.stdlib.get_logger("a")
    with span("work"):
        log.info("inside")
        logging.getLogger("library").warning("inside")
    log.info("outside")
    ours, library, outside = lines()
    (got,) = traced("work")
    ids = {"trace_id": f"{got.context.trace_id:032x}", "span_id": f"{got.context.span_id:016x}"}
    assert ids.items() <= ours.items()
    assert ids.items() <= library.items()
    assert not ids.keys() & outside.keys()


@pytest.mark.parametrize("library", ["celery.worker", "kombu.connection", "uvicorn.error"])
def test_warnings_of_the_servers_libraries_are_lines_of_json_too(library, lines):
    configure_logging("test")
    logging.getLogger(library).warning("consumer: %s", "away")
    logging.getLogger(library).info("too much")
    (line,) = lines()
    assert (line["event"], line["level"], line["process"]) == ("consumer: away", "warning", "test")
