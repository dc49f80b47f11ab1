import pytest

from service.cli.batch_client.errors import BatchCommandError
from service.cli.batch_client.manifest import read_manifest


@pytest.fixture
def manifest(tmp_path):
    (tmp_path / "sub").mkdir()
    for name in ("a.wav", "b.wav", "sub/a.vtt"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "empty.wav").touch()

    def manifest(text, name="m.csv", encoding="utf-8"):
        file = tmp_path / name
        file.write_text(text, encoding=encoding)
        return file

    return manifest


def test_paths_are_those_beside_the_manifest(manifest, tmp_path):
    file = manifest("custom_id,audio,transcript,task,reference\nv1,a.wav,sub/a.vtt,spectrum,r1\nv2,b.wav,,,\n")
    first, second = read_manifest(file)
    assert first.files == {"audio": tmp_path / "a.wav", "transcript": tmp_path / "sub/a.vtt"}
    assert (first.line, first.custom_id, first.task, first.reference) == (2, "v1", "spectrum", "r1")
    assert (second.line, second.files, second.task) == (3, {"audio": tmp_path / "b.wav"}, None)


def test_excel_s_byte_order_mark_and_the_column_id_are_understood(manifest):
    assert read_manifest(manifest("id,audio\nv1,a.wav\n", encoding="utf-8-sig"))[0].custom_id == "v1"


def test_json_lines_are_understood(manifest):
    text = '{"custom_id": "v1", "audio": "a.wav", "task": null}\n\n{"custom_id": "v2", "audio": "b.wav"}\n'
    assert [(entry.line, entry.custom_id) for entry in read_manifest(manifest(text, "m.jsonl"))] == [
        (1, "v1"),
        (3, "v2"),
    ]


WRONG = {
    "no lines": ("custom_id,audio\n", ["there are no lines"]),
    "no id": ("custom_id,audio\n,a.wav\n", ["line 2: custom_id is missing"]),
    "no file named": ("custom_id,audio\nv1,\n", ["line 2: names neither audio nor a transcript"]),
    "an empty file": ("custom_id,audio\nv1,empty.wav\n", ["line 2: audio: ", "empty.wav is empty"]),
    "an unknown column": ("custom_id,audio,age\nv1,a.wav,7\n", ["line 2: unknown column 'age'; known: custom_id, "]),
    "too many fields": ("custom_id,audio\nv1,a.wav,x\n", ["line 2: has more fields than the header"]),
    "an unknown task": ("id,audio,task\nv1,a.wav,tarot\n", ["line 2: unknown task; known: spectrum"]),
    "too long": (f"id,audio\n{'x' * 129},a.wav\n", ["line 2: custom_id is longer than 128"]),
    "no CSV": ('id,audio\n"v1"x,a.wav\n', ["line 2: is not CSV"]),
    "everything at once": (
        "custom_id,audio\nv1,a.wav\nv1,b.wav\nv2,gone.wav\n",
        ["line 3: custom_id 'v1' was used in line 2", "line 4: audio: there is no file ", "gone.wav"],
    ),
}


@pytest.mark.parametrize(("text", "expected"), WRONG.values(), ids=WRONG)
def test_problems_are_reported_with_their_lines(manifest, text, expected):
    with pytest.raises(BatchCommandError) as stopped:
        read_manifest(manifest(text), frozenset({"spectrum"}))
    assert stopped.value.status == 65
    assert [part for part in expected if part not in stopped.value.message] == []


@pytest.mark.parametrize("line", ["{", "[1]", '{"custom_id": 7}', "[" * 10_000])
def test_lines_that_are_not_json_objects_are_reported(manifest, line):
    with pytest.raises(BatchCommandError, match="line 2: is not"):
        read_manifest(manifest(f'{{"custom_id": "v1", "audio": "a.wav"}}\n{line}\n', "m.jsonl"))


def test_a_long_list_of_problems_is_cut(manifest):
    with pytest.raises(BatchCommandError, match=r"\.\.\. and 10 more"):
        read_manifest(manifest("custom_id,audio\n" + ",a.wav\n" * 30))


def test_a_manifest_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "m.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BatchCommandError, match="UTF-8"):
        read_manifest(tmp_path / "m.csv")


def test_who_is_heard_is_sent_with_the_line(manifest):
    columns = "custom_id,audio,participant,interviewer,audio_track,participant_channel\n"
    first, second = read_manifest(manifest(columns + "v1,a.wav,Ann | Ben,Dr. Roe,2,1\nv2,b.wav,,,,\n"))
    assert first.recording == {
        "participant": ["Ann", "Ben"],
        "interviewer": ["Dr. Roe"],
        "audio_track": 2,
        "participant_channel": 1,
    }
    assert second.recording == {}


@pytest.mark.parametrize("cells", ["Ann,Ann,,", ",,0,", ",,,left", "everyone|Ann,,,"])
def test_who_is_heard_is_checked_before_anything_is_sent(manifest, cells):
    columns = "custom_id,audio,participant,interviewer,audio_track,participant_channel\n"
    with pytest.raises(BatchCommandError, match="line 2: "):
        read_manifest(manifest(f"{columns}v1,a.wav,{cells}\n"))
