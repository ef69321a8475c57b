"""nmt-train by the name that torchrun is given: ``torchrun ... -m nmt.cli.train``; all of it is in hydra/."""

from __future__ import annotations

import sys

from nmt.cli.hydra.train import main

if __name__ == "__main__":
    sys.exit(main())
