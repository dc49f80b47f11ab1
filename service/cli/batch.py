"""`hilbert batch`: from a manifest to a table of results, through a running service."""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
from rich.console import Console

from service.cli.batch_client.client import ServiceClient, StopRequested, describe_problem, expect
from service.cli.batch_client.errors import BatchCommandError, invalid_input
from service.cli.batch_client.journal import FileKey, Journal
from service.cli.batch_client.manifest import ManifestEntry, read_manifest
from service.cli.batch_client.progress import upload_bar, wait_for_batch
from service.cli.batch_client.results import ResultRow, check_output, result_row, write_results
from service.cli.batch_client.uploading import Uploader, manifest_files

INTERRUPTED_STATUS = 130
BATCHES = "/v1/batches"
SCORED_STATES = ("succeeded", "abstained")


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOptions:
    """The options of the command."""

    manifest: Path
    out: Path
    url: str
    key: str | None
    retry_timeout: timedelta
    cancel_on_interrupt: bool

    @property
    def journal(self) -> Path:
        """The file that records the steps of the run."""
        return self.out.with_name(f"{self.out.name}.journal")


def run_batch(options: BatchOptions, console: Console) -> int:
    """Run the command. Returns 0 when every line has a result, 1 when some have none, else a status of sysexits.h."""
    try:
        return _run(options, console)
    except BatchCommandError as error:
        console.print(error.message, markup=False, highlight=False, soft_wrap=True)
        return error.status


def _run(options: BatchOptions, console: Console) -> int:
    if options.key is None:
        raise BatchCommandError("Set HILBERT_CLIENT_API_KEY to an API key of the service.", os.EX_CONFIG)
    check_output(options.out)
    # Without the tasks at first, so that mistakes of the manifest show before any request.
    read_manifest(options.manifest)
    client = ServiceClient(options.url, options.key, retry_timeout=options.retry_timeout, stop=threading.Event())
    try:
        entries = read_manifest(options.manifest, _tasks(client))
        digest = hashlib.sha256(options.manifest.read_bytes()).hexdigest()
        journal = Journal(options.journal, manifest=digest, url=options.url)
        try:
            return _Run(client, journal, entries, console).execute(options)
        finally:
            journal.close()
    except (KeyboardInterrupt, StopRequested):
        console.print("Interrupted. Run the same command again to go on.")
        return INTERRUPTED_STATUS
    finally:
        client.close()


def _tasks(client: ServiceClient) -> frozenset[str]:
    """The tasks of the loaded models; this first request also checks the address and the key."""
    models = expect(client.request("GET", "/v1/models"), httpx.codes.OK).json()
    return frozenset(task["name"] for model in models["items"] for task in model["tasks"])


class _Run:
    """One run of the command with an open journal."""

    def __init__(
        self, client: ServiceClient, journal: Journal, entries: Sequence[ManifestEntry], console: Console
    ) -> None:
        self._client = client
        self._journal = journal
        self._entries = entries
        self._console = console

    def execute(self, options: BatchOptions) -> int:
        """Upload, submit, wait and write the results; returns the exit status."""
        try:
            batch = self._journal.batch or self._submit()
            self._console.print(f"The service has batch {batch}.", highlight=False)
            wait_for_batch(self._client, f"{BATCHES}/{batch}", self._console)
            rows = self._collect(batch)
        except (KeyboardInterrupt, StopRequested):
            # The client sends nothing while it is stopped, and the cancellation is a request too.
            self._client.stop.clear()
            self._console.print(self._interrupt_message(cancel=options.cancel_on_interrupt), soft_wrap=True)
            return INTERRUPTED_STATUS
        write_results(rows, options.out)
        # Once the results are on disk: until then the same command goes on with this run.
        self._journal.remove()
        return self._summarise(rows, options.out)

    def _submit(self) -> str:
        """Submit the batch and return its id.

        The body is journalled first, and the Idempotency-Key is derived from it: an interrupted run that repeats the
        request does not submit the batch twice.
        """
        if self._journal.request_body is None:
            self._journal.record_request(self._body(self._upload()))
        body = (self._journal.request_body or "").encode()
        key = hashlib.sha256(f"{self._journal.run} {self._journal.refusals}".encode() + body).hexdigest()
        headers = {"Content-Type": "application/x-ndjson", "Idempotency-Key": f'"{key}"'}
        answer = self._client.request("POST", BATCHES, headers, body)
        if answer.status_code != httpx.codes.ACCEPTED:
            self._journal.record_refusal()
            if answer.headers.get("content-type") == "application/problem+json" and "errors" in answer.json():
                raise self._refusal(answer)
        batch: str = expect(answer, httpx.codes.ACCEPTED).json()["id"]
        self._journal.record_batch(batch)
        return batch

    def _upload(self) -> dict[FileKey, str]:
        files = manifest_files(self._entries)
        with upload_bar(self._console, sum(file.size for file in files)) as progress:
            task = progress.task_ids[0]
            return Uploader(self._client, self._journal, lambda size: progress.advance(task, size)).send_all(files)

    def _body(self, uploads: dict[FileKey, str]) -> str:
        lines = []
        for entry in self._entries:
            line = {"custom_id": entry.custom_id, "task": entry.task, "reference": entry.reference, **entry.recording}
            line |= {f"{role}_upload": uploads.get((entry.line, role)) for role in ("audio", "transcript")}
            lines.append(json.dumps({name: value for name, value in line.items() if value is not None}) + "\n")
        return "".join(lines)

    def _refusal(self, answer: httpx.Response) -> BatchCommandError:
        """The problems of the service, with the line numbers of the manifest."""
        lines = [describe_problem(answer)]
        for problem in answer.json()["errors"]:
            word, _, number = problem["location"].partition(" ")
            location = problem["location"]
            if word == "line" and number.isdigit() and 0 < int(number) <= len(self._entries):
                location = f"line {self._entries[int(number) - 1].line}"
            lines.append(f"  {location}: {problem['reason']}")
        return invalid_input("\n".join(lines))

    def _collect(self, batch: str) -> list[ResultRow]:
        """A row for each line of the manifest, in its order."""
        rows: dict[str, ResultRow] = {}

        def keep(line: str) -> None:
            row = result_row(json.loads(line))
            rows[str(row["custom_id"])] = row

        for name in ("output", "errors"):
            self._client.read_lines(f"{BATCHES}/{batch}/{name}", keep)
        return [rows.get(entry.custom_id) or _erased_row(entry) for entry in self._entries]

    def _interrupt_message(self, *, cancel: bool) -> str:
        batch = self._journal.batch
        if batch is None:
            return "Interrupted. Run the same command again to go on with the uploads."
        if not cancel:
            return "Interrupted; the batch goes on in the service. Run the same command again to fetch its results."
        expect(self._client.request("DELETE", f"{BATCHES}/{batch}"), httpx.codes.NO_CONTENT, httpx.codes.ACCEPTED)
        return "Interrupted; the batch was cancelled. Run the same command again to fetch what was done."

    def _summarise(self, rows: Sequence[ResultRow], out: Path) -> int:
        counts = Counter(str(row["state"]) for row in rows)
        summary = ", ".join(f"{count} {state}" for state, count in counts.most_common())
        self._console.print(f"{len(rows)} lines: {summary}. Results are in {out}", markup=False, soft_wrap=True)
        return 0 if all(state in SCORED_STATES for state in counts) else 1


def _erased_row(entry: ManifestEntry) -> ResultRow:
    advice = "Its assessment was erased from the service."
    return {"custom_id": entry.custom_id, "state": "erased", "error_code": "erased", "error_advice": advice}
