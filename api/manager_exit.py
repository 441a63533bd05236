"""How the manager's process tells the daemon, which started it, why it ended."""

from __future__ import annotations

REMOVED_CODE = 3
"""It was removed from the cluster, and is not to be started again."""
