"""What became of a script that is a command now."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn


def refuse(script: str, successor: str) -> NoReturn:
    """End with exit code 2 and one line that names the command that took a script's place."""
    name = Path(script).name
    print(f"{name}: error: tools/{name} is gone; take: {successor}", file=sys.stderr)
    sys.exit(2)
