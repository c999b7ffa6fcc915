"""`python -m graphforget` is the command `graphforget`."""

import sys

from graphforget.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
