"""What tests that run side by side on one host must not share: each process has its own."""

from __future__ import annotations

import os

from engine.settings import AddressPool

_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))

# Two daemons that look for a free subnet at the same moment may find the same one.
POOL = AddressPool(f"10.{64 + 16 * (_WORKER % 8)}.0.0/12", 18)
POOL_FLAG = ("--default-address-pool", f"base={POOL.base},size={POOL.size}")
PORT = str(28080 + _WORKER)
