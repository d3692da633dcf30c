"""First code of this firmware: see recovery.py. Frozen in place of the port's _boot.py.

One flash, two volumes: the spare is its last part.
"""

import gc

import recovery
import rp2
import vfs

_SPARE = 128 * 1024


def make(device):
    """Return the file system on a device; the flash is programmed in pages of 256 bytes."""
    return vfs.VfsLfs2(device, progsize=256)


def mkfs(device):
    """Make a file system."""
    vfs.VfsLfs2.mkfs(device, progsize=256)


whole = rp2.Flash()
size = whole.ioctl(4, 0) * whole.ioctl(5, 0)
main = recovery.Volume(rp2.Flash(start=0, len=size - _SPARE), make, mkfs, vfs.mount)
spare = recovery.Volume(rp2.Flash(start=size - _SPARE, len=_SPARE), make, mkfs, vfs.mount)
ram = recovery.Volume(recovery.RAMBlocks(), vfs.VfsLfs2, vfs.VfsLfs2.mkfs, vfs.mount)
where = recovery.bring_up(main, spare, ram)
if where == recovery.MAIN:
    del ram
    gc.collect()
else:
    recovery.run(where)
