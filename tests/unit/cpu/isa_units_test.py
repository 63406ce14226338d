#!/usr/bin/python3
"""No unit that is compiled for one instruction set may share a function with another unit.

The linker keeps one copy of a weak (inline or template) function. If that copy came from such a
unit, the program would run its instructions on machines that lack them, or another unit's
arithmetic in its place. Names of the project that one unit alone defines are harmless; names of
libraries are not, since anyone may define them too.

Usage: isa_units_test.py LIBRARY.a...
"""
import collections
import subprocess
import sys

ISA_UNITS = ("_avx2.cc.o", "_avx512.cc.o", "_portable.cc.o")
WEAK = "WVu"  # nm's letters: weak function, weak object, unique global
# Data for debuggers and sanitizers carries no instructions.
NOT_CODE = ("__asan", "__odr_asan", "__ubsan", "__tsan", "DW.ref.")


def weak_symbols(library):
    """Yields (unit, None) for every unit, and (unit, name) for every weak symbol in it."""
    listing = subprocess.run(["nm", "--defined-only", library],
                             check=True, capture_output=True, text=True).stdout
    unit = ""
    for line in listing.splitlines():
        if line.endswith(".o:"):
            unit = f"{library}:{line[:-1]}"
            yield unit, None
        elif line:
            _, kind, name = line.split(maxsplit=2)
            if kind in WEAK and not name.startswith(NOT_CODE):
                yield unit, name


def main():
    isa_units, units_of = set(), collections.defaultdict(set)
    for library in sys.argv[1:]:
        for unit, name in weak_symbols(library):
            if unit.endswith(ISA_UNITS):
                isa_units.add(unit)
            if name is not None:
                units_of[name].add(unit)
    bad = 0
    for name, units in sorted(units_of.items()):
        if units & isa_units and (len(units) > 1 or "7memory3" not in name):
            bad += 1
            print(f"shared: {name} in {', '.join(sorted(units))}")
    print(f"{len(isa_units)} units, {bad} shared functions")
    return 0 if isa_units and bad == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
