"""Start the worker; apart from it, so that the worker itself is kept compiled."""

from __future__ import annotations

import sys

if __name__ == "__main__":
    sys.path.insert(0, __file__.removesuffix("/engine/adapters/trees/start.py"))
    from engine.adapters.trees.worker import main

    sys.exit(main())
