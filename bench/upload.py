"""Memory of an API process that takes a large recording, in one form and in pieces (tus).

    python bench/upload.py [--megabytes 635] [--allowed 64]

For each way a real `hilbert api` is started in a temporary folder, with a row in place of a worker's model, and a child
process generates a WAV and sends it; the folder is deleted afterwards. Printed are the resident memory before and the
most there was until the assessment was accepted. Status 1 when that grew by more megabytes than are allowed.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.auth.keys import ApiKeyRepository, load_peppers
from service.settings import Settings
from service.storage.database import Database
from service.storage.migration import migrate
from service.worker_registry import LoadedModel, TaskOutcomes, WorkerIdentity, register

ROOT = Path(__file__).resolve().parents[1]
BLOCK = 256 * 1024
PIECE = 16_000_000
BOUNDARY = "bench"
TUS = {"Tus-Resumable": "1.0.0"}
WAYS = ("multipart", "tus, one PATCH", "tus, many PATCHes")
MODEL = LoadedModel(
    bundle="bench",
    version="1",
    digest="sha256:bench",
    demonstration=True,
    tasks=(TaskOutcomes(name="spectrum", outcomes=("none", "mild")),),
    encoders={},
)


def wav(size: int, start: int = 0, end: int | None = None) -> Iterator[bytes]:
    """The bytes from `start` to `end` of a WAV of `size` bytes: 16 bits at 44.1 kHz, the same at every call."""
    head = (
        b"RIFF" + struct.pack("<I", size - 8) + b"WAVEfmt " + struct.pack("<IHHIIHH", 16, 1, 1, 44_100, 88_200, 2, 16)
    )
    head += b"data" + struct.pack("<I", size - 44)
    block = hashlib.shake_128(b"speech").digest(BLOCK)
    end = size if end is None else end
    position = start
    while position < end:
        if position < len(head):
            piece = head[position:end]
        else:
            within = (position - len(head)) % BLOCK
            piece = block[within : within + min(BLOCK, end - position)]
        yield piece
        position += len(piece)


def ask(connection: http.client.HTTPConnection, method: str, path: str, body: object, headers: dict[str, str]) -> str:
    """The location or body of a good answer."""
    connection.request(method, path, body=body, headers=headers)  # type: ignore[arg-type]
    response = connection.getresponse()
    content = response.read().decode()
    if response.status >= 300:
        raise SystemExit(f"{method} {path}: {response.status} {content}")
    return response.headers.get("Location") or content


def send_multipart(connection: http.client.HTTPConnection, key: dict[str, str], size: int) -> None:
    before = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="audio"; filename="a.wav"\r\n\r\n'.encode()
    after = f"\r\n--{BOUNDARY}--\r\n".encode()

    def body() -> Iterator[bytes]:
        yield before
        yield from wav(size)
        yield after

    form = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", "Idempotency-Key": "bench"}
    length = {"Content-Length": str(len(before) + size + len(after))}
    ask(connection, "POST", "/v1/assessments", body(), key | form | length)


def send_tus(connection: http.client.HTTPConnection, key: dict[str, str], size: int, piece: int) -> None:
    path = ask(connection, "POST", "/v1/uploads", None, key | TUS | {"Upload-Length": str(size)})
    for start in range(0, size, piece):
        end = min(size, start + piece)
        offsets = {"Upload-Offset": str(start), "Content-Length": str(end - start)}
        kind = {"Content-Type": "application/offset+octet-stream"}
        ask(connection, "PATCH", path, wav(size, start, end), key | TUS | kind | offsets)
    body = json.dumps({"audio": {"upload": path.rpartition("/")[2]}})
    ask(connection, "POST", "/v1/assessments", body, key | {"Content-Type": "application/json"})


def send(way: str, port: int, secret: str, size: int) -> None:
    """What the child process does."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    key = {"Authorization": f"Bearer {secret}"}
    if way == "multipart":
        send_multipart(connection, key, size)
    else:
        send_tus(connection, key, size, size if way == "tus, one PATCH" else PIECE)
    connection.close()


def memory(process: int, field: str) -> float:
    """Megabytes that /proc tells: VmRSS now, VmHWM at most so far."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise SystemExit("this system does not tell the resident memory of a process")


@contextmanager
def api(folder: Path, size: int) -> Iterator[tuple[int, int, str]]:
    """A running `hilbert api`: its process, its port and a key."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = Settings(data_dir=folder, port=port, upload_limit=2 * size)
    database = Database(settings.database)
    migrate(database)
    with database.writing() as session:
        register(session, WorkerIdentity(id="bench", queues=("prepare",)), MODEL)
    secret = ApiKeyRepository(database, load_peppers(settings)).issue(name="bench", tenant="bench").secret
    database.close()
    command = (sys.executable, "-m", "service.cli.app", "api")
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=settings.child_environment(), stdout=log, stderr=log)
    try:
        wait_until_it_lives(port, process)
        yield process.pid, port, secret
    finally:
        process.terminate()
        process.wait(30)


def wait_until_it_lives(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/livez")
            connection.getresponse().read()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
        finally:
            connection.close()
    raise SystemExit("the API did not start")


def measure(way: str, size: int) -> float:
    """Print one line; megabytes by which the memory grew."""
    with tempfile.TemporaryDirectory() as name, api(Path(name), size) as (process, port, secret):
        time.sleep(1)
        before, begun = memory(process, "VmRSS"), time.perf_counter()
        child = (sys.executable, __file__, "--send", way, "--port", str(port), "--megabytes", str(size / 1e6))
        subprocess.run(child, env={**os.environ, "HILBERT_BENCH_KEY": secret}, check=True)  # noqa: TID251
        seconds, most = time.perf_counter() - begun, memory(process, "VmHWM")
        stored = sum(path.stat().st_size for path in (Path(name) / "objects").rglob("*") if path.is_file())
        if stored != size:
            raise SystemExit(f"{stored} bytes are stored, {size} were sent")
    print(f"{way:18}  {size / 1e6:6.0f}  {seconds:7.1f}  {before:9.1f}  {most:7.1f}  {most - before:6.1f}", flush=True)
    return most - before


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=635)
    parser.add_argument("--allowed", type=float, default=64)
    parser.add_argument("--send", choices=WAYS, help=argparse.SUPPRESS)
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    size = round(chosen.megabytes * 1e6)
    if chosen.send:
        send(chosen.send, chosen.port, os.environ["HILBERT_BENCH_KEY"], size)  # noqa: TID251
        return 0
    print("way                     MB  seconds  MB before  MB most  growth")
    worst = max(measure(way, size) for way in WAYS)
    print(f"the memory grew by {worst:.1f} MB at most (allowed {chosen.allowed:.0f})")
    return int(worst > chosen.allowed)


if __name__ == "__main__":
    sys.exit(main())
