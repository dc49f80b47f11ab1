"""A client library that others wrote, over a real socket, with a connection that breaks."""

import hashlib
import io
import socket
from urllib.parse import urlsplit

import pytest
from tusclient.client import TusClient

from service.uploads import writer
from tests.waiting import wait_for

MEGABYTE = 1024 * 1024
CONTENT = hashlib.shake_128(b"a recording").digest(5 * MEGABYTE)


@pytest.fixture
def served(settings, listen, monkeypatch):
    monkeypatch.setattr("service.api.intake.upload.PART_BYTES", MEGABYTE)  # several parts, without so many bytes
    generous = settings.model_copy(update={"upload_limit": len(CONTENT)})
    with listen(generous) as (url, parts):
        yield url, parts, {"Authorization": f"Bearer {parts.api_keys.issue(name='a', tenant='t').secret}"}


def break_off(location, headers, content, announced):
    """Announce a body, send less of it, and hang up."""
    address = urlsplit(location)
    own = {"Host": "x", "Tus-Resumable": "1.0.0", "Upload-Offset": "0", "Content-Length": str(announced)}
    own["Content-Type"] = "application/offset+octet-stream"
    lines = "".join(f"{name}: {value}\r\n" for name, value in (headers | own).items())
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(f"PATCH {address.path} HTTP/1.1\r\n{lines}\r\n".encode() + content)


def test_an_interrupted_upload_resumes_at_its_offset(served):
    url, parts, headers = served
    client = TusClient(f"{url}/v1/uploads", headers=headers)
    first = client.uploader(file_stream=io.BytesIO(CONTENT), metadata={"filename": "patient.wav"})
    location = first.create_url()
    sent = 3 * MEGABYTE + 12_345
    break_off(location, headers, CONTENT[:sent], len(CONTENT))

    resumed = wait_for(lambda: resuming(client, location, sent))
    resumed.upload()
    key = f"uploads/{location.rpartition('/')[2]}/"
    assert parts.objects.get(key) == CONTENT
    sizes = [len(parts.objects.get(part)) for part in parts.objects.list(key)]
    assert max(sizes) <= MEGABYTE
    assert len(sizes) > 5
    assert writer.PART_BYTES == 8 * MEGABYTE


def resuming(client, location, offset):
    """An uploader that goes on at the offset, once all before it has been stored."""
    uploader = client.uploader(
        file_stream=io.BytesIO(CONTENT),
        url=location,
        chunk_size=MEGABYTE,
        upload_checksum=True,
        retries=20,
        retry_delay=0,
    )
    return uploader if uploader.offset == offset else None
