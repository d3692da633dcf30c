"""The two roots of every error the agent raises (STYLE 9).

`LocalError`: we misused our own interface, a bug. `RemoteError`: a peer, sensor or file said
something wrong; carries a short `code` (counted, one per kind) and a `detail` for people.
"""


class LocalError(Exception):
    """Our own misuse of an interface."""


class RemoteError(Exception):
    """A peer, a sensor or a file said something wrong.

    `code` is one of the words listed where the subclass is defined; `detail` says where and what.
    """

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(code if not detail else code + ": " + detail)
        self.code = code
        self.detail = detail
