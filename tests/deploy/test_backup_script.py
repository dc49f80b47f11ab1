"""What `deploy/backup.sh` and the service have to agree on; `make endurance` runs it."""

from service.maintenance.retention import BACKUP_LOCK
from tests.docker.stack import ROOT


def test_the_script_holds_the_lock_that_the_service_looks_for():
    script = (ROOT / "deploy" / "backup.sh").read_text()
    assert f"pg_advisory_lock({BACKUP_LOCK})" in script
    order = ("\nhold\n", "pg_dump", "objects-after.tar", "\n  release\n")
    places = [script.index(words) for words in order]
    assert places == sorted(places)
