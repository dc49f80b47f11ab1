"""Uploads by tus 1.0 for an application under test: files come in pieces, and faults come when asked for."""

import asyncio

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from service.api.dependencies import Authenticated, RunningParts
from service.jobs.uploads import UploadRepository
from service.storage.objects import part_key
from service.storage.tables import UploadRow


class TusStandIn:
    """Routes for `/v1/uploads`; `faults` answers so many pieces with 503 after half of them was stored."""

    def __init__(self) -> None:
        self.created = 0
        self.completed = []
        self.faults = 0
        self.delay = 0.0
        self.router = APIRouter(prefix="/v1/uploads")
        self.router.add_api_route("", self.create, methods=["POST"])
        self.router.add_api_route("/{upload_id}", self.head, methods=["HEAD"])
        self.router.add_api_route("/{upload_id}", self.patch, methods=["PATCH"])

    def create(self, request: Request, caller: Authenticated, parts: RunningParts) -> Response:
        assert request.headers["tus-resumable"] == "1.0.0"
        with parts.database.writing() as session:
            upload = UploadRepository(session, caller).add(int(request.headers["upload-length"]))
        self.created += 1
        return Response(status_code=201, headers={"Location": f"{request.url}/{upload.id}"})

    def head(self, upload_id: str, caller: Authenticated, parts: RunningParts) -> Response:
        with parts.database.reading() as session:
            upload = UploadRepository(session, caller).get(upload_id)
        return Response(headers={"Upload-Offset": str(upload.offset), "Upload-Length": str(upload.length)})

    async def patch(self, upload_id: str, request: Request, caller: Authenticated, parts: RunningParts) -> Response:
        assert request.headers["content-type"] == "application/offset+octet-stream"
        content = await request.body()
        await asyncio.sleep(self.delay)
        fault, self.faults = self.faults > 0, max(0, self.faults - 1)
        content = content[: len(content) // 2] if fault else content
        offset = int(request.headers["upload-offset"])
        reached = await run_in_threadpool(self._store, parts, upload_id, offset, content)
        if reached is None:
            return Response(status_code=409)
        return Response(status_code=503 if fault else 204, headers={"Upload-Offset": str(reached), "Retry-After": "0"})

    def _store(self, parts, upload_id, offset, content):
        with parts.database.writing() as session:
            row = session.get(UploadRow, upload_id)
            if row.offset != offset:
                return None
            parts.objects.write(part_key(upload_id, row.parts), content)
            row.offset, row.parts = row.offset + len(content), row.parts + 1
            if row.offset == row.length:
                row.sha256 = "0" * 64
                self.completed.append(upload_id)
            return row.offset
