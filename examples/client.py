"""Score a recording with its transcript and print each outcome's probability. Needs only `pip install httpx`.

HILBERT_CLIENT_API_KEY=hil_... python examples/client.py interview.flac interview.vtt
"""

import os
import sys
import time
import uuid
from pathlib import Path

import httpx

FINAL = {"succeeded", "abstained", "failed", "cancelled"}
TRIES = 5


def submit(client: httpx.Client, audio: Path, transcript: Path) -> httpx.Response:
    """The answer to a submission; sent again when none came, which its key makes safe."""
    key = {"Idempotency-Key": f'"{uuid.uuid4()}"'}
    for _ in range(TRIES):
        with audio.open("rb") as sound, transcript.open("rb") as words:
            try:
                answer = client.post("/v1/assessments", files={"audio": sound, "transcript": words}, headers=key)
            except httpx.TransportError:
                time.sleep(1)
                continue
        if answer.status_code not in {409, 503}:
            return answer.raise_for_status()
        time.sleep(int(answer.headers.get("Retry-After", "1")))
    raise SystemExit("the service does not take the recording now")


def assess(client: httpx.Client, audio: Path, transcript: Path) -> dict:
    """The finished assessment of one recording."""
    accepted = submit(client, audio, transcript)
    while True:
        answer = client.get(accepted.headers["location"], headers={"Prefer": "wait=20"})
        answer.raise_for_status()
        assessment = answer.json()
        if assessment["state"] in FINAL:
            return assessment
        time.sleep(1)


def report(assessment: dict) -> str:
    """A few lines for a person, whatever the state."""
    if assessment["state"] == "succeeded":
        result = assessment["result"]
        lines = [f"{entry['outcome']:12} {entry['probability']:.3f}" for entry in result["probabilities"]]
        return "\n".join([*lines, result["notice"]])
    if assessment["state"] == "abstained":
        flags = assessment["result"]["quality"]["flags"]
        return "\n".join(["No score:", *(flag["message"] for flag in flags if flag["hard"])])
    error = assessment["error"] or {"detail": assessment["state"], "advice": ""}
    return f"{error['detail']} {error['advice']}"


if __name__ == "__main__":
    environment = os.environ  # noqa: TID251  an application beside the service, with no settings of its
    with httpx.Client(
        base_url=environment.get("HILBERT_URL", "http://127.0.0.1:8000"),
        headers={"Authorization": f"Bearer {environment['HILBERT_CLIENT_API_KEY']}"},
        timeout=60,
    ) as service:
        sys.stdout.write(report(assess(service, Path(sys.argv[1]), Path(sys.argv[2]))) + "\n")
