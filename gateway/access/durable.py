"""Replaces a small file in one durable step: what a power cut leaves is the old one or the new one."""

import os
import secrets
from pathlib import Path
from typing import Final

_NEW_MODE: Final = 0o644


def replace(path: Path, data: bytes, mode: int = _NEW_MODE) -> None:
    """Replace what is at `path`, through a link too; owner and mode stay, `mode` is a new file's.

    A new file belongs to whoever owns its folder: root may write it for a service.

    Raises:
        OSError: it was not replaced, as when we may not keep its owner: a broker that cannot read its
            password file any more would let nobody in.
    """
    real = Path(os.path.realpath(path))
    owner: tuple[int, int] | None
    try:
        like = real.stat()
        mode = like.st_mode & 0o7777
        owner = (like.st_uid, like.st_gid)
    except FileNotFoundError:
        folder = real.parent.stat()
        owner = (folder.st_uid, folder.st_gid) if os.geteuid() == 0 else None
    new = real.with_name(f".{real.name}.{secrets.token_hex(4)}")
    number = os.open(new, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(number, "wb") as file:
            made = os.fstat(file.fileno())
            if owner and owner != (made.st_uid, made.st_gid):
                os.fchown(file.fileno(), *owner)
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        new.rename(real)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
    inside = os.open(real.parent, os.O_RDONLY)
    try:
        os.fsync(inside)
    finally:
        os.close(inside)
