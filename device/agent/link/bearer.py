"""The interface under the link: which one, how long it may take, and when it is switched off and on.

    bearer = Bearer(hal)
    bearer.use(access)
    if bearer.up(now_ms): connect

An interface that does not come up is a fault at home, so it is begun again, and after some such times
switched off and on, at most once an hour. What is silent behind an interface that is up is never a
reason for that: it is only brought up anew, because a modem can keep a connection that its network
has forgotten.
"""

from agent.compat import const
from agent.errors import RemoteError
from agent.wire.codes import LINK_NONE

_RAISE_MS = const(240000)  # a modem starts, finds its network and dials
_LOCAL_MAX = const(3)  # so often in a row, then the switch
_CYCLE_MS = const(3600000)
_DEAF_MAX = const(6)  # attempts in a row without one byte back


class Nothing:
    """The interface of a board that has none for its access; the protocol of them all.

    `kind` is a code of `wire.codes.LINK_*`, `metered` says whether its bytes cost money, `error` why it
    is not up, for people.
    """

    kind = LINK_NONE
    metered = False
    error = "this board has no interface for its access"

    def start(self, now_ms):
        """Begin to bring it up, or begin again."""

    def up(self, now_ms):
        """Return whether there is an address to send from; do the interface's own work."""
        return False

    def stop(self):
        """Take it down, radio off."""

    def cycle(self, now_ms):
        """Switch it off and on: the last resort."""

    def signal(self):
        """Return the signal in dBm, None when it cannot be told."""


class Bearer:
    """`net` is the interface; `cycles` counts how often it was switched off and on."""

    def __init__(self, hal):
        self.net = Nothing()
        self.cycles = 0
        self._hal = hal
        self._wifi = self._apn = None
        self._chosen = False
        self._since_ms = None  # it is being brought up since then
        self._local = 0
        self._deaf = 0
        self._cycled_ms = None

    def use(self, access):
        """Take the interface that this access wants; the one that is up stays up if it is the same.

        Raises RemoteError, and keeps the old one, when the board cannot open it.
        """
        wifi, apn = access.get("wifi"), access.get("apn")
        if self._chosen and wifi == self._wifi and apn == self._apn:
            return
        try:
            net = self._hal.network(access)
        except OSError as error:
            raise RemoteError("interface", str(error))
        self.stop()
        self._chosen = True
        self._wifi, self._apn = wifi, apn
        self.net = net

    def up(self, now_ms):
        """Return whether there is an address to send from; begin to get one if there is not.

        Raises RemoteError "interface" each time when it took too long.
        """
        net = self.net
        if net.up(now_ms):
            self._local = 0
            self._since_ms = None
            return True
        if self._since_ms is None:
            self._since_ms = now_ms
            net.start(now_ms)
        elif now_ms - self._since_ms > _RAISE_MS:
            error = RemoteError("interface", net.error or "not up")
            self._since_ms = now_ms
            self._local += 1
            rested = self._cycled_ms is None or now_ms - self._cycled_ms >= _CYCLE_MS
            if self._local >= _LOCAL_MAX and rested:
                self._local = 0
                self._cycled_ms = now_ms
                self.cycles += 1
                net.cycle(now_ms)
            else:
                net.start(now_ms)
            raise error
        return False

    def stop(self):
        """Take the interface down."""
        self._since_ms = None
        self.net.stop()

    def failed(self, deaf):
        """Note that an attempt failed, or a connection broke; `deaf`: nothing ever came back."""
        self._deaf = self._deaf + 1 if deaf else 0
        if self._deaf >= _DEAF_MAX:
            self._deaf = 0
            self.stop()
