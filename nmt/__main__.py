"""``python -m nmt``: the command ``nmt``, where its script is not on the path."""

import sys

from nmt.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
