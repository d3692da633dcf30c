"""First code of this firmware: see recovery.py. This port has no _boot.py, but a frozen boot.py comes first.

The port's C code must not mount, and so not format, the flash: MICROPY_HW_FLASH_MOUNT_AT_BOOT is 0.
"""

import gc
import os
import sys

import pyb
import recovery
import vfs

_SPARE = 32 * 1024

whole = pyb.Flash(start=0)
size = whole.ioctl(4, 0) * whole.ioctl(5, 0)
make, mkfs = vfs.VfsLfs2, vfs.VfsLfs2.mkfs
main = recovery.Volume(pyb.Flash(start=0, len=size - _SPARE), make, mkfs, vfs.mount)
spare = recovery.Volume(pyb.Flash(start=size - _SPARE), make, mkfs, vfs.mount)
ram = recovery.Volume(recovery.RAMBlocks(), make, mkfs, vfs.mount)
where = recovery.bring_up(main, spare, ram)
if where == recovery.MAIN:
    del ram
    gc.collect()
    os.chdir("/")
    sys.path[:] = ["", ".frozen", "/lib"]
else:
    recovery.run(where)
