"""`python -m bench [NAME ...]`: run the benches and print what they found, ready to be quoted."""

import sys
from datetime import date
from importlib import import_module

import uvloop

from bench.harness import machine

NAMES = (
    "streaming",
    "overload",
    "startup",
    "overhead",
    "adapters",
    "streams",
    "refusals",
    "first_byte",
    "bulk",
    "growth",
    "compare",
)


def main() -> None:
    wanted = sys.argv[1:] or NAMES
    if unknown := [name for name in wanted if name not in NAMES]:
        sys.exit(f"unknown bench {unknown[0]}; there are: {', '.join(NAMES)}")
    print(f"{date.today()}, {machine()}")
    for name in wanted:
        module = import_module(f"bench.{name}")
        print(f"\n{name}: {module.__doc__}")
        for line in uvloop.run(module.run()):
            print(f"  {line}")


if __name__ == "__main__":
    main()
