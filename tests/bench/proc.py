"""What processes cost, from /proc: CPU time and memory of one and of all its children."""

import os
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def _stat(pid: str) -> list[str]:
    """Return the fields of /proc/PID/stat after the name (proc(5): field 3 is the first)."""
    return Path("/proc", pid, "stat").read_text("ascii", "replace").rpartition(")")[2].split()


def family(pid: int) -> list[int]:
    """Return a process and all its children's children that are alive."""
    parents: dict[int, list[int]] = {}
    for entry in (path.name for path in Path("/proc").iterdir()):
        if entry.isdigit():
            try:
                parents.setdefault(int(_stat(entry)[1]), []).append(int(entry))
            except (FileNotFoundError, ProcessLookupError):
                continue  # it ended while we looked
    found = [pid]
    for one in found:
        found += parents.get(one, [])
    return found


def cpu_s(pid: int, *, alone: bool = False) -> float:
    """Return the CPU seconds of a family, those of children that have ended too; or of one process."""
    total = 0
    for one in [pid] if alone else family(pid):
        try:
            total += sum(int(n) for n in _stat(str(one))[11 : 13 if alone else 15])
        except (FileNotFoundError, ProcessLookupError):
            continue
    return total * _TICK_S


def memory_mb(pid: int, what: str = "VmRSS") -> float:
    """Return the sum of a line of /proc/PID/status over a family: VmRSS now, VmHWM its highest.

    Pages that they share count in each: it is an upper bound.
    """
    total = 0
    for one in family(pid):
        try:
            lines = Path("/proc", str(one), "status").read_text("ascii", "replace").splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith(what + ":"))
    return total / 1024
