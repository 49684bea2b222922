"""`python -m penstock`, and the `penstock` script."""

import sys


def main() -> None:
    """Import the command late, so that Ctrl-C ends quietly from the first moment on."""
    try:
        from penstock.cli.main import main as command

        command()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
