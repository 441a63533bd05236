"""A manager's keys on disk: opened at start or by the unlock key, changed without a gap.

Every change is one replacement of keys.json, so that a kill at any moment leaves the keys of
before or those of after, and both open all that lies on the disk.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path

from api.swarm_errors import InvalidUnlockKey, SwarmLocked, SwarmNotLocked
from manager.core.ca.unlock_rate import FIRST_TRY, UnlockRate
from protos.identity.durable import replace_file
from protos.identity.keyring import (
    KEY_FILE,
    KeyFile,
    Keyring,
    new_key,
    new_keyring,
    read_key_file,
    unwrap,
    wrap,
)


class Keys:
    """The keys of one manager.

    Methods that write block for a disk flush: call them in a thread, one at a time; `ring` may be
    read from anywhere.
    """

    def __init__(self, state_dir: Path, now_s: Callable[[], float]) -> None:
        self._path = state_dir / KEY_FILE
        self._now_s = now_s
        self._rate: UnlockRate = FIRST_TRY
        self._ring: Keyring | None = None
        self._kek = b""
        self._is_autolocked = False

    @property
    def is_open(self) -> bool:
        """Whether the keys are in hand."""
        return self._ring is not None

    @property
    def ring(self) -> Keyring:
        """The keys. Errors: SwarmLocked before they are open."""
        if self._ring is None:
            raise SwarmLocked
        return self._ring

    def create(self, unlock_key: bytes | None) -> None:
        """Make the keys of a new manager; with an unlock key they lock at once.

        Keys that are there already are never overwritten: FileExistsError.
        """
        if self._path.exists():
            raise FileExistsError(f"{self._path} exists: this manager has its keys already")
        self._write(new_keyring(), unlock_key or new_key(), is_locked=unlock_key is not None)

    def open(self) -> bool:
        """Open the keys if no unlock key is needed; return whether they are open.

        Errors:  DamagedKeys; FileNotFoundError when this manager has none.
        """
        file = self._read()
        if not file.is_locked:
            self._take(file, None)
        return self.is_open

    def unlock(self, kek: bytes) -> None:
        """Open the keys by the operator's key.

        Errors:  SwarmNotLocked when they are open, InvalidUnlockKey for a wrong key, and
                 TooManyTries, with nothing tried, when wrong ones came too fast.
        """
        if self.is_open:
            raise SwarmNotLocked
        self._rate.check(self._now_s())
        try:
            self._take(self._read(), kek)
        except InvalidUnlockKey:
            self._rate = self._rate.after_failure(self._now_s())
            raise
        self._rate = FIRST_TRY

    def follow(self, unlock_key: bytes | None) -> bool:
        """Lock by this key from now on, or not at all (None); return whether that was news.

        A KEK that was in use is done with: there is a new data key for what comes, and where
        managers stop locking the operator's key does not get onto the disk.
        """
        is_locked = unlock_key is not None
        if is_locked == self._is_autolocked and unlock_key in (None, self._kek):
            return False
        self._write(self.ring.with_new_key(), unlock_key or new_key(), is_locked=is_locked)
        return True

    def rotate_data_key(self) -> None:
        """Seal with a fresh data key from now on."""
        self._write(self.ring.with_new_key(), self._kek, is_locked=self._is_autolocked)

    def forget_before(self, number: int) -> None:
        """Drop data keys older than this one: nothing on the disk is sealed by them any more."""
        ring = self.ring.without_before(number)
        if len(ring.data) < len(self.ring.data):
            self._write(ring, self._kek, is_locked=self._is_autolocked)

    def is_locked_by(self, unlock_key: bytes) -> bool:
        """Tell whether this key, and no other, opens the keys after a restart."""
        return self._is_autolocked and hmac.compare_digest(unlock_key, self._kek)

    def _read(self) -> KeyFile:
        return read_key_file(self._path.read_bytes(), str(self._path))

    def _take(self, file: KeyFile, kek: bytes | None) -> None:
        ring = unwrap(file, kek, str(self._path))
        self._kek = file.kek or kek or b""
        self._is_autolocked = file.is_locked
        self._ring = ring

    def _write(self, ring: Keyring, kek: bytes, *, is_locked: bool) -> None:
        replace_file(self._path, wrap(ring, kek, is_locked=is_locked))
        self._kek, self._is_autolocked, self._ring = kek, is_locked, ring
