import pytest

from service.cli.batch_client.errors import BatchCommandError
from service.cli.batch_client.journal import Journal, JournalUpload

SENT = JournalUpload(upload="u1", size=3, modified=7)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "results.csv.journal"


@pytest.fixture
def reopen(file):
    journals: list[Journal] = []

    def reopen(manifest="m", url="http://a"):
        for journal in journals:
            journal.close()
        journals.append(Journal(file, manifest=manifest, url=url))
        return journals[-1]

    yield reopen
    for journal in journals:
        journal.close()


def test_what_was_done_is_known_after_a_restart(reopen):
    first = reopen()
    first.record_upload((2, "audio"), SENT)
    first.record_request("body\n")
    again = reopen()
    assert again.run == first.run
    assert (again.find_upload((2, "audio")), again.find_upload((3, "audio"))) == (SENT, None)
    assert (again.request_body, again.batch) == ("body\n", None)
    again.record_batch("b1")
    assert reopen().batch == "b1"


def test_a_refused_batch_may_be_put_together_anew(reopen):
    journal = reopen()
    journal.record_request("body\n")
    journal.record_refusal()
    assert (reopen().request_body, reopen().refusals) == (None, 1)


def test_a_line_cut_off_by_a_crash_does_not_count(reopen, file):
    run = reopen().run
    with file.open("ab") as torn:
        torn.write(b'{"batch": "b')
    journal = reopen()
    assert (journal.run, journal.batch) == (run, None)
    journal.record_batch("b2")
    assert reopen().batch == "b2"


@pytest.mark.parametrize("other", [{"manifest": "other"}, {"url": "http://b"}])
def test_the_journal_of_another_manifest_or_service_is_left_alone(reopen, file, other):
    reopen()
    content = file.read_bytes()
    with pytest.raises(BatchCommandError, match="another manifest or service"):
        reopen(**other)
    assert file.read_bytes() == content


def test_two_runs_cannot_write_the_same_results(reopen, file):
    reopen()
    with pytest.raises(BatchCommandError) as stopped:
        Journal(file, manifest="m", url="http://a")
    assert stopped.value.status == 75


def test_an_unwritable_folder_is_reported(tmp_path):
    with pytest.raises(BatchCommandError, match="cannot be written"):
        Journal(tmp_path / "gone" / "x.journal", manifest="m", url="u")
