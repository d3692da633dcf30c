"""The trial site's passwords and device keys: drawn once, kept in the data folder, readable by its owner alone."""

import json
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

_BYTES = 16
_KEY = 32


class Secrets:
    """`word(name)` is a name's password; new names get one at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._words: dict[str, str] = {}
        if path.exists():
            self._words = json.loads(path.read_text("utf-8"))

    def word(self, name: str) -> str:
        """Return a name's password."""
        return self.words([name])[name]

    def words(self, names: Iterable[str]) -> dict[str, str]:
        """Return the passwords of several names."""
        names = list(names)
        missing = [name for name in names if name not in self._words]
        if missing:
            self._words.update({name: secrets.token_urlsafe(_BYTES) for name in missing})
            self._save()
        return {name: self._words[name] for name in names}

    def key(self, device: str) -> str:
        """Return a device's key, 64 hexadecimal digits."""
        name = f"key of {device}"
        if name not in self._words:
            self._words[name] = secrets.token_hex(_KEY)
            self._save()
        return self._words[name]

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        beside = self._path.with_suffix(".new")
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            json.dump(self._words, file, indent=1)
        beside.replace(self._path)
