"""Structured logs of every process: JSON lines with request id and trace ids, without patient data."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path

import structlog

from service.observability.traces import current_ids

REPOSITORY = Path(__file__).resolve().parent.parent.parent


def configure_logging(process: str) -> None:
    """Write the records of structlog and the standard library to stderr as JSON lines with the name of the process."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _process_name(process),
        _trace_ids,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
            foreign_pre_chain=[*shared, _without_exception_text],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.INFO)
    logging.captureWarnings(capture=True)
    for noisy in ("celery", "kombu", "alembic", "uvicorn", "httpx"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    # It logs every failed export; `span_export` logs one a minute.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def failure_fields(error: BaseException) -> dict[str, object]:
    """Type and stack of an exception without its message, which may hold client data."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error_type": type(error).__name__,
        "trace": [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }


def _process_name(process: str) -> structlog.typing.Processor:
    """Add the process name to every record. A context variable would be missing in new threads."""

    def name(
        _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event.setdefault("process", process)
        return event

    return name


def _trace_ids(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Add the ids of the current trace and span, if there is one."""
    event.update(current_ids())
    return event


def _short(filename: str) -> str:
    path = Path(filename)
    if path.is_relative_to(REPOSITORY):
        return str(path.relative_to(REPOSITORY))
    return "/".join(path.parts[-2:])


def _without_exception_text(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Replace the traceback of a library's record by its frames: the message may hold client data."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord) and record.exc_info and record.exc_info[1] is not None:
        event.update(failure_fields(record.exc_info[1]))
        record.exc_info = None
        record.exc_text = None
        event.pop("exc_info", None)
    return event
