"""One structured log stream for every process: JSON lines, correlated by request id and trace, without patient data."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import Path

import structlog

from service.observability.traces import current_ids

REPOSITORY = Path(__file__).resolve().parent.parent.parent


def configure_logging(process: str) -> None:
    """Send structlog's and the standard library's records to stderr as JSON lines, naming the process."""

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
    # It writes a line for each failure to send; `span_export` says it once a minute.
    logging.getLogger("opentelemetry").setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def failure_fields(error: BaseException) -> dict[str, object]:
    """Where an exception came from, without its message: that may hold what a client sent."""
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error_type": type(error).__name__,
        "trace": [f"{_short(frame.filename)}:{frame.lineno} {frame.name}" for frame in frames[-8:]],
    }


def _process_name(process: str) -> structlog.typing.Processor:
    """Puts the process into every record; no context variable, for threads begin without those."""

    def name(
        _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
    ) -> structlog.typing.EventDict:
        event.setdefault("process", process)
        return event

    return name


def _trace_ids(
    _logger: structlog.typing.WrappedLogger, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Ids of the present trace and span, where there is one."""
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
    """A library's traceback keeps its frames and loses its message."""
    record = event.get("_record")
    if isinstance(record, logging.LogRecord) and record.exc_info and record.exc_info[1] is not None:
        event.update(failure_fields(record.exc_info[1]))
        record.exc_info = None
        record.exc_text = None
        event.pop("exc_info", None)
    return event
