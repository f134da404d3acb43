"""The command line as `python -m keras_symgrad`."""

import sys

from keras_symgrad.cli import main

if __name__ == "__main__":
    sys.exit(main())
