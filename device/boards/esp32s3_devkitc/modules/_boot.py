"""First code of this firmware: see recovery.py. Frozen in place of the port's _boot.py."""

import gc

import recovery
import vfs
from esp32 import Partition


def volume(label):
    """Return the volume in the partition of this name, None if there is none."""
    found = Partition.find(Partition.TYPE_DATA, label=label)
    if not found:
        return None
    return recovery.Volume(found[0], vfs.VfsLfs2, vfs.VfsLfs2.mkfs, vfs.mount)


ram = recovery.Volume(recovery.RAMBlocks(), vfs.VfsLfs2, vfs.VfsLfs2.mkfs, vfs.mount)
where = recovery.bring_up(volume("vfs"), volume("spare"), ram)
if where == recovery.MAIN:
    # Else it holds 32 kB until the next reset.
    del ram
    gc.collect()
else:
    recovery.run(where)
