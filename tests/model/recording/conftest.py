import pytest

from model.config import AudioLimits
from model.recording.decoding import decode


@pytest.fixture
def decoded(tmp_path):
    """Decode bytes as a client's upload of an unspoken name; the first goes to `scratch.pcm`."""
    scratches = (tmp_path / f"scratch{number}.pcm" for number in ("", *range(1, 100)))

    def run(content, seconds=600.0, **options):
        source = tmp_path / "upload"
        source.write_bytes(content)
        return decode(source, next(scratches), AudioLimits(seconds=seconds), **options)

    return run
