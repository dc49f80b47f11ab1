import pytest

from service.errors.request import AudioUnsupported, MaterialMissing, UploadIncomplete
from service.storage.database import now
from service.storage.objects import part_key
from service.uploads.material import Material, resolve_material
from service.uploads.repository import StoredUpload

WAV = b"RIFF\x00\x00\x00\x00WAVE"


@pytest.fixture
def upload(objects):
    def upload(upload_id, content, *, sha256="any"):
        objects.write(part_key(upload_id, 0, 1), content)
        moment = now()
        return StoredUpload(
            id=upload_id,
            length=len(content),
            offset=len(content),
            sha256=sha256,
            created_at=moment,
            updated_at=moment,
            used_by=None,
        )

    return upload


def check(objects, *, audio=None, transcript=None):
    return resolve_material(objects, audio=audio, transcript=transcript, transcript_limit=100)


def test_uploads_become_the_material_of_an_order(objects, upload):
    audio, transcript = upload("u1", WAV + b"\x00" * 31_988), upload("u2", b"hello")
    assert check(objects, audio=audio, transcript=transcript) == Material(
        audio_key="uploads/u1/", transcript_key="uploads/u2/", audio_seconds=1.0, uploads=("u1", "u2")
    )
    alone = Material(audio_key=None, transcript_key="uploads/u2/", audio_seconds=None, uploads=("u2",))
    assert check(objects, transcript=transcript) == alone


def test_unfit_uploads_are_refused(objects, upload):
    with pytest.raises(MaterialMissing):
        check(objects)
    with pytest.raises(AudioUnsupported):
        check(objects, audio=upload("u1", b"hello there"))
    with pytest.raises(UploadIncomplete):
        check(objects, audio=upload("u1", WAV, sha256=None))
