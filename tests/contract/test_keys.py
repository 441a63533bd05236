"""A manager's keys on disk: locked or not, changed at any moment, tried by the wrong people."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from api.swarm_errors import InvalidUnlockKey, SwarmLocked, SwarmNotLocked
from manager.adapters.cipher import OVERHEAD_BYTES, RingCipher, key_number
from manager.adapters.keys import Keys
from manager.core.ca.unlock_rate import TooManyTries
from manager.ports.cipher import CannotOpen
from protos.identity.keyring import DamagedKeys
from protos.identity.tokens import new_unlock_key
from tests.kill import killed_at_every_stage


class Clock:
    """A clock that stands until it is moved."""

    now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def opened(folder: Path, unlock_key: bytes | None = None) -> Keys:
    """Return the keys of a manager that starts."""
    keys = Keys(folder, Clock())
    if not keys.open():
        keys.unlock(unlock_key or b"")
    return keys


def created(folder: Path, unlock_key: bytes | None = None) -> Keys:
    """Return the keys of a manager that is new."""
    keys = Keys(folder, Clock())
    keys.create(unlock_key)
    return keys


def test_keys_without_a_lock_open_by_themselves(tmp_path: Path) -> None:
    ring = created(tmp_path).ring

    assert ring == opened(tmp_path).ring


def test_keys_with_a_lock_need_the_operators_key(tmp_path: Path) -> None:
    unlock_key = new_unlock_key()
    ring = created(tmp_path, unlock_key).ring
    restarted = Keys(tmp_path, Clock())

    assert not restarted.open()
    with pytest.raises(SwarmLocked):
        _ = restarted.ring
    with pytest.raises(InvalidUnlockKey):
        restarted.unlock(new_unlock_key())
    restarted.unlock(unlock_key)

    assert ring == restarted.ring
    with pytest.raises(SwarmNotLocked):
        restarted.unlock(unlock_key)


def test_file_is_for_its_owner_and_tells_no_key(tmp_path: Path) -> None:
    unlock_key = new_unlock_key()
    keys = created(tmp_path, unlock_key)
    content = (tmp_path / "keys.json").read_bytes()

    assert 0o600 == stat.S_IMODE((tmp_path / "keys.json").stat().st_mode)
    for secret in (unlock_key, keys.ring.node_key, *keys.ring.data.values()):
        for form in (secret, secret.hex().encode(), json.dumps(list(secret)).encode()):
            assert form not in content
        assert repr(secret) not in repr(keys.ring)


def test_keys_are_never_made_twice(tmp_path: Path) -> None:
    created(tmp_path)

    with pytest.raises(FileExistsError):
        created(tmp_path)


def test_lock_is_put_on_changed_and_taken_off(tmp_path: Path) -> None:
    first, second = new_unlock_key(), new_unlock_key()
    keys = created(tmp_path)
    sealed = RingCipher(lambda: keys.ring).seal(b"before", b"")

    assert keys.follow(first)
    assert not keys.follow(first)
    assert not Keys(tmp_path, Clock()).open()

    assert opened(tmp_path, first).is_locked_by(first)
    assert opened(tmp_path, first).follow(second)
    with pytest.raises(InvalidUnlockKey):
        opened(tmp_path, first)

    assert opened(tmp_path, second).follow(None)
    content = (tmp_path / "keys.json").read_text()
    assert not opened(tmp_path).follow(None)
    assert not opened(tmp_path).is_locked_by(second)
    assert second.hex() not in content
    ring = opened(tmp_path).ring
    assert b"before" == RingCipher(lambda: ring).open(sealed, b"")


@pytest.mark.parametrize("locks", [(None, b"n" * 32), (b"o" * 32, b"n" * 32), (b"o" * 32, None)])
def test_kill_at_any_stage_of_a_change_opens_by_the_old_key_or_the_new(
    tmp_path: Path, locks: tuple[bytes | None, bytes | None]
) -> None:
    old, new = locks
    before = created(tmp_path, old).ring
    sealed = RingCipher(lambda: before).seal(b"data", b"")
    content = (tmp_path / "keys.json").read_bytes()

    for _ in killed_at_every_stage(lambda: _follow(tmp_path, old, new)):
        ring = _opened_by_either(tmp_path, old, new).ring
        assert b"data" == RingCipher(lambda ring=ring: ring).open(sealed, b"")  # type: ignore[misc]
        (tmp_path / "keys.json").write_bytes(content)

    assert b"data" == RingCipher(lambda: opened(tmp_path, new).ring).open(sealed, b"")


def _follow(folder: Path, old: bytes | None, new: bytes | None) -> None:
    opened(folder, old).follow(new)


def _opened_by_either(folder: Path, old: bytes | None, new: bytes | None) -> Keys:
    try:
        return opened(folder, old)
    except InvalidUnlockKey:
        return opened(folder, new)


def test_wrong_keys_cannot_be_tried_fast(tmp_path: Path) -> None:
    unlock_key = new_unlock_key()
    created(tmp_path, unlock_key)
    clock = Clock()
    keys = Keys(tmp_path, clock)
    for _ in range(3):
        with pytest.raises(InvalidUnlockKey):
            keys.unlock(new_unlock_key())

    with pytest.raises(TooManyTries):
        keys.unlock(unlock_key)
    clock.now_s += 1.0
    keys.unlock(unlock_key)

    assert keys.is_open


@pytest.mark.parametrize(
    "damage", [b"", b"{}", b"\0" * 100, b'{"version":1,"kek_digest":"","keys":[]}']
)
def test_damaged_file_says_which_and_what_to_do(tmp_path: Path, damage: bytes) -> None:
    created(tmp_path)
    (tmp_path / "keys.json").write_bytes(damage)

    with pytest.raises(DamagedKeys, match=r"keys\.json is damaged.*backup"):
        Keys(tmp_path, Clock()).open()


def test_one_changed_byte_of_a_key_is_noticed(tmp_path: Path) -> None:
    created(tmp_path)
    path = tmp_path / "keys.json"
    document = json.loads(path.read_text())
    document["keys"][1]["sealed"] = "A" + document["keys"][1]["sealed"][1:]
    document["keys"][0]["sealed"] = document["keys"][1]["sealed"]
    path.write_text(json.dumps(document))

    with pytest.raises(DamagedKeys):
        Keys(tmp_path, Clock()).open()


def test_missing_file_is_not_made_up(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Keys(tmp_path, Clock()).open()


def test_cipher_opens_what_it_sealed_in_its_place_alone(tmp_path: Path) -> None:
    keys = created(tmp_path)
    cipher = RingCipher(lambda: keys.ring)

    sealed = cipher.seal(b"plain", b"record 7")

    assert b"plain" == cipher.open(sealed, b"record 7")
    assert len(b"plain") + OVERHEAD_BYTES == len(sealed)
    assert b"plain" not in sealed
    with pytest.raises(CannotOpen):
        cipher.open(sealed, b"record 8")
    for place in range(len(sealed)):
        damaged = bytearray(sealed)
        damaged[place] ^= 1
        with pytest.raises(CannotOpen):
            cipher.open(bytes(damaged), b"record 7")
    for cut in (b"", sealed[:-1], sealed[:20]):
        with pytest.raises(CannotOpen):
            cipher.open(cut, b"record 7")


def test_data_keys_rotate_and_old_ones_are_forgotten_when_told(tmp_path: Path) -> None:
    keys = created(tmp_path)
    cipher = RingCipher(lambda: keys.ring)
    old = cipher.seal(b"x", b"")

    keys.rotate_data_key()
    new = cipher.seal(b"x", b"")

    assert (1, 2) == (key_number(old), key_number(new))
    assert b"x" == cipher.open(old, b"")
    keys.forget_before(key_number(new))
    fresh = RingCipher(lambda: opened(tmp_path).ring)
    assert b"x" == fresh.open(new, b"")
    with pytest.raises(CannotOpen):
        fresh.open(old, b"")


def test_newest_data_key_is_never_forgotten(tmp_path: Path) -> None:
    keys = created(tmp_path)

    keys.forget_before(99)

    assert {1} == set(keys.ring.data)


def test_nonces_do_not_repeat(tmp_path: Path) -> None:
    keys = created(tmp_path)
    ciphers = [RingCipher(lambda: keys.ring) for _ in range(4)]

    nonces = {each.seal(b"", b"")[5:17] for each in ciphers for _ in range(500)}

    assert 2000 == len(nonces)
