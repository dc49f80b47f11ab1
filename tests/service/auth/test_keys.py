import re

import pytest
from pydantic import SecretStr
from sqlalchemy import select

from service.auth.keys import ApiKeyRepository, Peppers, load_peppers
from service.errors.tree import Unauthenticated
from service.settings import Settings
from service.storage.tables import ApiKeyRow


@pytest.fixture
def keys(database):
    return ApiKeyRepository(database, Peppers(by_version={1: b"pepper"}))


def test_a_key_has_a_visible_part_and_256_random_bits(keys):
    issued = keys.issue(name="app", tenant="ward-a")
    assert re.fullmatch(r"hil_[a-z0-9]{8}_[A-Za-z0-9_-]{43}", issued.secret)
    assert issued.secret.split("_")[1] == issued.id


def test_a_key_identifies_its_tenant(keys):
    issued = keys.issue(name="app", tenant="ward-a")
    caller = keys.verify(issued.secret)
    assert (caller.key_id, caller.tenant) == (issued.id, "ward-a")


def test_no_two_keys_are_alike(keys):
    assert keys.issue(name="a", tenant="t").secret != keys.issue(name="a", tenant="t").secret


def test_the_secret_is_not_stored(keys, database):
    issued = keys.issue(name="app", tenant="ward-a")
    with database.reading() as session:
        row = session.scalars(select(ApiKeyRow)).one()
    assert issued.secret not in (row.digest, row.name)
    assert len(row.digest) == 64


def test_the_secret_is_not_shown_by_repr(keys):
    issued = keys.issue(name="app", tenant="ward-a")
    assert issued.secret not in repr(issued)


@pytest.mark.parametrize(
    "secret", ["", "hil_", "hil_aaaaaaaa_" + "x" * 43, "Bearer x", "hil_aaaaaaaa_" + "x" * 43 + "\n"]
)
def test_a_wrong_key_is_refused(keys, secret):
    keys.issue(name="app", tenant="ward-a")
    with pytest.raises(Unauthenticated):
        keys.verify(secret)


def test_one_wrong_character_is_enough(keys):
    secret = keys.issue(name="app", tenant="ward-a").secret
    wrong = secret[:20] + ("A" if secret[20] != "A" else "B") + secret[21:]
    with pytest.raises(Unauthenticated):
        keys.verify(wrong)


def test_a_revoked_key_is_refused_at_once(keys):
    issued = keys.issue(name="app", tenant="ward-a")
    assert keys.revoke(issued.id) is True
    with pytest.raises(Unauthenticated):
        keys.verify(issued.secret)


def test_a_key_is_revoked_once(keys):
    issued = keys.issue(name="app", tenant="ward-a")
    keys.revoke(issued.id)
    assert keys.revoke(issued.id) is False
    assert keys.revoke("nosuchid") is False


def test_all_keys_are_listed_without_their_secrets(keys):
    first, second = keys.issue(name="a", tenant="t"), keys.issue(name="b", tenant="t")
    keys.revoke(first.id)
    listed = keys.all()
    assert [key.id for key in listed] == [first.id, second.id]
    assert listed[0].revoked_at is not None
    assert listed[1].revoked_at is None


def test_old_keys_work_after_the_pepper_is_rotated(database):
    issued = ApiKeyRepository(database, Peppers(by_version={1: b"old"})).issue(name="a", tenant="t")
    rotated = ApiKeyRepository(database, Peppers(by_version={1: b"old", 2: b"new"}))
    assert rotated.verify(issued.secret).key_id == issued.id
    assert rotated.verify(rotated.issue(name="b", tenant="t").secret).tenant == "t"


def test_keys_of_a_withdrawn_pepper_are_refused(database):
    issued = ApiKeyRepository(database, Peppers(by_version={1: b"old"})).issue(name="a", tenant="t")
    with pytest.raises(Unauthenticated):
        ApiKeyRepository(database, Peppers(by_version={2: b"new"})).verify(issued.secret)


def test_another_pepper_makes_other_digests():
    peppers = Peppers(by_version={1: b"one", 2: b"two"})
    assert peppers.digest("key", 1) != peppers.digest("key", 2)
    assert peppers.digest("key", 3) is None


def test_peppers_are_not_shown_by_repr():
    assert "secret" not in repr(Peppers(by_version={1: b"secret"}))


def test_configured_peppers_are_taken(tmp_path):
    settings = Settings(data_dir=tmp_path, peppers={3: SecretStr("p" * 32)})
    assert load_peppers(settings).current == 3
    assert not (tmp_path / "pepper").exists()


def test_an_embedded_pepper_is_made_once_for_its_owner_alone(tmp_path):
    settings = Settings(data_dir=tmp_path / "new")
    first, second = load_peppers(settings), load_peppers(settings)
    assert first == second
    assert (tmp_path / "new" / "pepper").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["pepper"]
