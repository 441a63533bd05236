"""Record the outcomes of this project's stories anew: `python -m tests.sim.record`.

Look at the difference before you keep it: a changed outcome is changed behaviour.
"""

from __future__ import annotations

from pathlib import Path

from tests.sim.interpreter import Interpreter
from tests.sim.traces import read_commands, rewrite

SCRIPTS = Path(__file__).parent / "scripts"


def record(path: Path) -> None:
    """Play a script and write its outcomes into it."""
    interpreter = Interpreter(lambda limit: limit - 1)
    outputs = [interpreter.play(command) for command in read_commands(path)]
    path.write_text(rewrite(path, outputs))


if __name__ == "__main__":
    for script in sorted(SCRIPTS.glob("*.txt")):
        record(script)
