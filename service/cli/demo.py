"""`hilbert demo`: assess the example recording with a service in a temporary data folder.

The demo starts `hilbert serve` as a subprocess, waits until it is ready, sends the example over HTTP, polls the
assessment and prints the result. However it ends, also by a signal, it stops the service and removes the folder.
"""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from pydantic import BaseModel, ValidationError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn
from rich.text import Text

from service.assessments.result import Result
from service.cli.interruptions import DeferredSignals, SignalInterrupt
from service.cli.rendering import render_result
from service.setting_groups import REPOSITORY
from service.settings import Settings

SERVE_COMMAND = (sys.executable, "-m", "service.cli.app", "serve")
KEY_PATTERN = re.compile(r"hil_[A-Za-z0-9_-]{20,}")
READY_SECONDS = 60.0
SCORE_SECONDS = 600.0
STOP_SECONDS = 10.0
REQUEST_SECONDS = 30.0
POLL_SECONDS = 0.2
LOG_LINES = 12
FINAL_STATES = frozenset({"succeeded", "abstained", "failed", "cancelled"})
STAGES = {
    "prepare": "cutting the recording into segments",
    "encode": "turning segments into features",
    "score": "scoring the recording",
}
NEXT_STEPS = """\
Now with a recording of your own:

  make serve                       # prints the address, and once the key
  export HILBERT_CLIENT_API_KEY=hil_...       # the key it printed
  curl -H "Authorization: Bearer $HILBERT_CLIENT_API_KEY" \\
       -F audio=@interview.wav -F transcript=@interview.vtt \\
       http://127.0.0.1:8000/v1/assessments
  curl -H "Authorization: Bearer $HILBERT_CLIENT_API_KEY" \\
       http://127.0.0.1:8000/v1/assessments/ID     # the id of the first answer\
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """The recording and the transcript that the demo sends."""

    audio: Path
    transcript: Path


INTERVIEW = Example(
    audio=REPOSITORY / "examples" / "interview.flac", transcript=REPOSITORY / "examples" / "interview.vtt"
)


class DemoFailed(Exception):
    """The demo failed; the message is printed to the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoService:
    """A running `hilbert serve`, with the file that its output goes to and the folder of its children's logs."""

    process: subprocess.Popen[bytes]
    url: str
    log: Path
    logs: Path

    def require_life(self) -> None:
        """Raise `DemoFailed` with the end of the logs when the process has ended, or ends just now."""
        with suppress(subprocess.TimeoutExpired):
            status = self.process.wait(POLL_SECONDS)
            raise DemoFailed(f"The service stopped by itself (status {status}). The end of its logs:\n{self.tail()}")

    def tail(self) -> str:
        """The last lines of each log, without API keys."""
        logs = [self.log, *sorted(self.logs.glob("*.log"))]
        lines = [line for log in logs for line in _read(log).splitlines()[-LOG_LINES:]]
        return "\n".join(KEY_PATTERN.sub("hil_...", line) for line in lines)

    def key(self) -> str | None:
        """The API key that the service prints at its first start; None before."""
        printed = KEY_PATTERN.search(_read(self.log))
        return None if printed is None else printed.group()


class StageProgress(BaseModel):
    """The fields of an assessment's progress that the demo shows."""

    stage: str | None = None
    segments_done: int = 0
    segments_total: int | None = None


class ServiceProblem(BaseModel):
    """The problem of a refused request, or the error of a failed assessment."""

    code: str = "unknown"
    title: str = "The service refused the request"
    detail: str = ""
    advice: str = ""

    def __str__(self) -> str:
        return "\n".join(line for line in (f"{self.title} ({self.code})", self.detail, self.advice) if line)


class AssessmentStatus(BaseModel):
    """The fields of an assessment that the demo reads."""

    state: str
    progress: StageProgress = StageProgress()
    result: Result | None = None
    error: ServiceProblem | None = None


def run_demo(
    console: Console | None = None, command: Sequence[str] = SERVE_COMMAND, example: Example = INTERVIEW
) -> int:
    """Score the example through a service started for it; returns the exit status (128 + n after signal n)."""
    console = console or Console()
    try:
        with DeferredSignals() as signals:
            _demonstrate(console, command, example, signals)
    except SignalInterrupt as interrupted:
        with suppress(OSError):  # after SIGHUP there may be no terminal to print on
            console.print("Stopped. Nothing is left running.", style="yellow")
        return 128 + interrupted.signum
    except DemoFailed as failure:
        console.print(Text(str(failure), "red"), soft_wrap=True)
        return 1
    return 0


def _demonstrate(console: Console, command: Sequence[str], example: Example, signals: DeferredSignals) -> None:
    cleanup = ExitStack()
    try:
        server = _start(command, cleanup)
        with signals.allowed():
            result = _score(example, server, console)
            console.print()
            render_result(result, console)
    finally:
        cleanup.close()
    console.print("The service has stopped and its data folder is gone.\n")
    console.print(Text(NEXT_STEPS), soft_wrap=True)


def _start(command: Sequence[str], cleanup: ExitStack) -> DemoService:
    folder = Path(tempfile.mkdtemp(prefix="hilbert-demo-"))
    cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
    port = _free_port()
    log = folder / "serve.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=_environment(folder / "data", port),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # A Ctrl-C reaches the demo alone, which then stops the service in order.
            start_new_session=True,
        )
    # Registered second and so run first: the folder is removed when the service has ended.
    cleanup.callback(_stop, process)
    return DemoService(process=process, url=f"http://127.0.0.1:{port}", log=log, logs=folder / "data" / "logs")


def _environment(data: Path, port: int) -> dict[str, str]:
    """The environment without settings of the service, so that the demo uses no database but its own."""
    inherited = Settings.model_construct().child_environment()
    foreign = {name: value for name, value in inherited.items() if not name.upper().startswith("HILBERT_")}
    readable = {"PYTHONUNBUFFERED": "1", "COLUMNS": "200"}  # the key appears at once, and on one line
    return {**foreign, **readable, "HILBERT_DATA_DIR": str(data), "HILBERT_PORT": str(port)}


def _read(log: Path) -> str:
    return log.read_text(encoding="utf-8", errors="replace")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _score(example: Example, server: DemoService, console: Console) -> Result:
    console.print("HILBERT: a calibrated, explained risk estimate from speech and its transcript.\n", style="bold")
    # trust_env off: a proxy named in the environment has no business on the loopback.
    with httpx.Client(base_url=server.url, timeout=REQUEST_SECONDS, trust_env=False) as client:
        with console.status("Starting the service: API, workers, queue ..."):
            key = _await_readiness(client, server)
        console.print(f"The service is ready on {server.url}, with a data folder of its own for this demo.")
        client.headers["Authorization"] = f"Bearer {key}"
        location = _submit(example, client, server)
        console.print(f"POST /v1/assessments with {example.audio.name} and {example.transcript.name}: accepted\n")
        return _result(_follow(client, location, server, console))


def _await_readiness(client: httpx.Client, server: DemoService) -> str:
    deadline = time.monotonic() + READY_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            if client.get("/healthz").is_success and (key := server.key()):
                return key
        server.require_life()
    raise DemoFailed(f"The service was not ready in {READY_SECONDS:.0f} s. The end of its logs:\n{server.tail()}")


def _submit(example: Example, client: httpx.Client, server: DemoService) -> str:
    with example.audio.open("rb") as audio, example.transcript.open("rb") as transcript:
        files = {
            "audio": (example.audio.name, audio, "audio/flac"),
            "transcript": (example.transcript.name, transcript, "text/vtt"),
        }
        request = client.build_request("POST", "/v1/assessments", files=files)
        return str(_send(request, client, server).headers["location"])


def _send(request: httpx.Request, client: httpx.Client, server: DemoService) -> httpx.Response:
    try:
        response = client.send(request)
    except httpx.TransportError as error:
        server.require_life()
        raise DemoFailed(f"The service does not answer. The end of its logs:\n{server.tail()}") from error
    if response.is_success:
        return response
    try:
        raise DemoFailed(str(ServiceProblem.model_validate_json(response.content)))
    except ValidationError:
        raise DemoFailed(f"The service answered with status {response.status_code}.") from None


def _follow(client: httpx.Client, location: str, server: DemoService, console: Console) -> AssessmentStatus:
    deadline = time.monotonic() + SCORE_SECONDS
    with _progress(console) as progress:
        task = progress.add_task("waiting for a worker", total=None, segments="")
        while time.monotonic() < deadline:
            request = client.build_request("GET", location)
            assessment = AssessmentStatus.model_validate_json(_send(request, client, server).content)
            _advance(progress, task, assessment)
            if assessment.state in FINAL_STATES:
                return assessment
            time.sleep(POLL_SECONDS)
    raise DemoFailed(f"No result in {SCORE_SECONDS:.0f} s. The end of the service's logs:\n{server.tail()}")


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[segments]}"),
        TimeElapsedColumn(),
        console=console,
    )


def _advance(progress: Progress, task: TaskID, assessment: AssessmentStatus) -> None:
    at = assessment.progress
    description = STAGES.get(at.stage or "", "waiting for a worker")
    if assessment.state in FINAL_STATES:
        description = assessment.state
    segments = f"{at.segments_done}/{at.segments_total} segments" if at.segments_total else ""
    progress.update(
        task, description=description, completed=at.segments_done, total=at.segments_total, segments=segments
    )


def _result(assessment: AssessmentStatus) -> Result:
    if assessment.result is not None:
        return assessment.result
    problem = assessment.error or ServiceProblem()
    raise DemoFailed(str(problem.model_copy(update={"title": f"No result: the assessment {assessment.state}"})))
