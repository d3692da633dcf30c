"""Every device's account: what came of each of its starts, what is missing, when it was last heard.

    accounts = Accounts(journal)
    account = accounts.get("buoy-1", 7, now_ms)

The accounts of boots that are being added to are kept in memory. What decides about duplicates is
written with each commit; the rest (when a boot was last heard, how many duplicates) every few seconds,
so a kill may cost the last of these.
"""

from typing import Final

from gateway.journal.journal import Account, Journal

KEPT_MAX: Final = 50_000  # accounts in memory, some 2 kB each
RANGES_MAX: Final = 300_000  # ranges in all of them: a device that sends at random has many


class Accounts:
    """The accounts in memory. Used by the one thread that writes the journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._kept: dict[tuple[str, int], Account] = {}
        self._changed: list[Account] = []

    def get(self, device: str, boot: int, now_ms: int) -> Account:
        """Return a boot's account; at first sight it is noted. Inside a transaction."""
        account = self._kept.get((device, boot))
        if account is None:
            account = self._kept[device, boot] = self._journal.account(device, boot, now_ms)
        return account

    def find(self, device: str, boot: int) -> Account | None:
        """Return a boot's account if it is known. Inside a transaction."""
        account = self._kept.get((device, boot))
        if account is None and self._journal.knows(device, boot):
            account = self.get(device, boot, 0)
        return account

    def change(self, account: Account) -> None:
        """Note that an account is to be saved."""
        account.changed = True
        self._changed.append(account)

    def save(self) -> None:
        """Save what changed. Inside a transaction."""
        self._journal.save_accounts(self._changed)
        self._changed.clear()
        ranges = sum(account.seen.pieces for account in self._kept.values())
        if len(self._kept) > KEPT_MAX or ranges > RANGES_MAX:
            # The older half: who is still there will be read again.
            for key in list(self._kept)[: len(self._kept) // 2 + 1]:
                del self._kept[key]

    def forget(self) -> None:
        """Forget everything: a transaction was undone, and the file is right."""
        self._kept.clear()
        self._changed.clear()
