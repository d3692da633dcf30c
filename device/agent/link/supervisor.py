"""When to connect, how long to wait for each answer, and what to do when it does not come.

    link = Supervisor(hal, "buoy-1", access, keepalive_s, boot, outbox, downlink, clock)
    wait_ms = link.poll(now_ms)
    link.heard_ms          uptime when the gateway last answered, None: not yet in this boot

One table of states. Each state but WAIT and UP has a time it may last. A connection counts only when
the gateway itself has answered: a broker without a gateway behind it is left and tried again. Every
failure leads to WAIT, where the back-off doubles with jitter; a connection that held for a while
starts it anew. A silent peer is a reason to connect again, never to reset the board. Names are
resolved at each attempt.
"""

from agent.compat import const
from agent.errors import RemoteError
from agent.link.bearer import Bearer
from agent.link.session import NOTHING, SUBSCRIBED, Session
from agent.link.trust import WARN_DAYS, Trust

WAIT = const(0)
RAISING = const(1)  # the interface: Wi-Fi, cable, modem
OPENING = const(2)  # name, TCP
SECURING = const(3)  # TLS
GREETING = const(4)  # CONNACK
SUBSCRIBING = const(5)  # SUBACK
PROVING = const(6)  # the gateway's answer
UP = const(7)

NAMES = ("wait", "interface", "opening", "tls", "greeting", "subscribing", "proving", "up")
# The interface's time is its bearer's. A handshake takes a board some seconds, over a bad link many;
# the gateway may be busy with a fleet that came back.
_LIMIT_MS = (0, 0, 20000, 40000, 20000, 20000, 120000, 0)

_BACKOFF_MS = const(1000)
_BACKOFF_MAX_MS = const(300000)
_BACKOFF_METERED_MS = const(900000)  # each TLS attempt costs some kilobytes
_STABLE_MS = const(60000)  # a connection that held this long was a good one
_SILENT_MS = const(3600000)  # a gateway not heard of for so long is asked
_LOOK_MS = const(20)  # how often a connection without readiness events is looked at
_RAISE_MS = const(100)  # how often an interface is
_DAY_MS = const(86400000)

# Bytes of an attempt that no stream sees: segments to open and close, the name, the certificates.
_CONNECT_BYTES = const(200)
_HANDSHAKE_BYTES = const(5000)


class Supervisor:
    """The link to the broker; `errors` and `connects` are counted, `last_error` is for people.

    `bearer.net` is the interface: its `kind`, whether it is `metered`.
    """

    def __init__(self, hal, device, access, keepalive_s, boot, outbox, downlink, clock):
        self.state = WAIT
        self.connects = 0
        self.errors = 0
        self.last_error = ""
        self.heard_ms = None
        self.bearer = Bearer(hal)
        self._session = Session(device, boot, outbox, downlink)
        self._hal = hal
        self._keepalive_s = keepalive_s
        self._connection = 0
        self._attempt_bytes = 0
        self._outbox = outbox
        self._downlink = downlink
        self._clock = clock
        self._access = {}
        self._trust = None
        self._resting = False
        self._since_ms = 0
        self._wait_ms = 0
        self._backoff_ms = _BACKOFF_MS
        self._checked_ms = None
        self._alarm = None
        try:
            self.use(access)
        except RemoteError as error:
            # A device that cannot use its access keeps its records; somebody may give it a better.
            self.last_error = str(error)

    def use(self, access):
        """Connect with this access from now on; raise RemoteError, and go on as before, if it is bad.

        `access`: host, port; tls (then ca, and cert with key if the broker wants them, all PEM);
        password; wifi {"ssid", "key"} or apn {"name", …} where the board wants them.
        """
        trust = Trust(access) if access.get("tls") else None
        if not access.get("host") or not access.get("port"):
            raise RemoteError("access", "no host or port")
        self.close()
        self.bearer.use(access)
        self._access = access
        self._trust = trust
        self._checked_ms = None
        self._backoff_ms = _BACKOFF_MS
        self._wait_ms = 0

    def rest(self, on):
        """Leave the link and switch the radio off, or (False) begin again."""
        if on and not self._resting:
            self.close()
            self.bearer.stop()
        self._resting = on

    def alarm(self):
        """Return the days until a certificate expires, when they are few; None when all is well."""
        return self._alarm

    def bytes(self):
        """Return how many bytes were sent and received since start, an estimate of the heads included."""
        return self._session.bytes + self._attempt_bytes

    def close(self):
        """Say goodbye so that the broker does not publish the will, and close."""
        now_ms = self._clock.now_ms
        self._session.close(now_ms)
        self._outbox.broken(now_ms // 1000)
        self.state = WAIT

    def poll(self, now_ms):
        """Do what is due; return the milliseconds until it wants to run again."""
        if self._checked_ms is None or now_ms - self._checked_ms > _DAY_MS:
            self._check(now_ms)
        try:
            if self.state == WAIT:
                return self._wait(now_ms)
            if self.state == RAISING:
                return self._raise(now_ms)
            if self.state == OPENING:
                self._opening(now_ms)
            elif self.state == SECURING:
                self._securing(now_ms)
            else:
                self._talk(now_ms)
            limit_ms = _LIMIT_MS[self.state]
            if limit_ms and now_ms - self._since_ms > limit_ms:
                raise RemoteError("timeout", "in state " + NAMES[self.state])
        except (RemoteError, OSError) as error:
            self._fail(now_ms, error)
        return _LOOK_MS

    def _wait(self, now_ms):
        if self._resting or not self._access:
            return 1000
        left_ms = self._wait_ms - (now_ms - self._since_ms)
        if left_ms > 0:
            return left_ms
        self._enter(RAISING, now_ms)
        return self._raise(now_ms)

    def _raise(self, now_ms):
        try:
            if not self.bearer.up(now_ms):
                return _RAISE_MS
        except RemoteError as error:
            # Nobody else waits for our own interface: it is tried on without a back-off.
            self.errors += 1
            self.last_error = str(error)
            return _RAISE_MS
        self._connection += 1
        self._attempt_bytes += _CONNECT_BYTES
        if self._trust is not None:
            self._trust.at(self._clock.t(), self._clock.floor())
            self._attempt_bytes += _HANDSHAKE_BYTES
        access = self._access
        self._session.stream = self._hal.connect(access["host"], access["port"], self._trust)
        self._enter(OPENING, now_ms)
        return _LOOK_MS

    def _opening(self, now_ms):
        state = self._session.stream.state()
        if state < 0:
            raise RemoteError("connect", self._session.stream.error)
        if state:
            password = (self._access.get("password") or "").encode()
            self._session.greet(self._connection, password, self._keepalive_s, now_ms)
            self._enter(SECURING, now_ms)
            self._securing(now_ms)

    def _securing(self, now_ms):
        self._session.flush()
        state = self._session.stream.state()
        if state < 0:
            raise RemoteError(
                "closed" if self._trust is None else "tls", self._session.stream.error
            )
        if state == 1:
            self._checked_ms = None
            self._enter(GREETING, now_ms)

    def _talk(self, now_ms):
        self._session.talk(now_ms)
        stage = self._session.stage
        if self.state == GREETING and stage != NOTHING:
            self.connects += 1
            self._enter(SUBSCRIBING, now_ms)
        if self.state == SUBSCRIBING and stage == SUBSCRIBED:
            self._enter(PROVING, now_ms)
        if self._downlink.heard_ms != self.heard_ms:
            self.heard_ms = self._downlink.heard_ms
            if self.state == PROVING:
                self._enter(UP, now_ms)
        if self.state == PROVING:
            self._downlink.ask(now_ms)
        elif self.state == UP:
            if now_ms - self._since_ms > _STABLE_MS:
                self._backoff_ms = _BACKOFF_MS
            if now_ms - self.heard_ms > _SILENT_MS:
                self._enter(PROVING, now_ms)

    def _check(self, now_ms):
        """Look at the certificates' ends: once a day, and after each handshake."""
        self._checked_ms = now_ms
        self._alarm = None
        t = self._clock.t()
        if self._trust is not None and t >= 0:
            days = self._trust.days_left(t)
            if days < WARN_DAYS:
                self._alarm = days

    def _enter(self, state, now_ms):
        self.state = state
        self._since_ms = now_ms

    def _fail(self, now_ms, error):
        self.errors += 1
        self.last_error = str(error)
        self.heard_ms = self._downlink.heard_ms
        deaf = getattr(error, "code", None) in ("connect", "timeout")
        deaf = deaf and not self._session.answered
        self._session.drop()
        self._outbox.broken(now_ms // 1000)
        # A fleet that lost its broker must not come back in one second.
        jitter = self._hal.random(1)[0]
        self._wait_ms = self._backoff_ms * (256 + jitter) // 512
        longest_ms = _BACKOFF_METERED_MS if self.bearer.net.metered else _BACKOFF_MAX_MS
        self._backoff_ms = min(self._backoff_ms * 2, longest_ms)
        self._enter(WAIT, now_ms)
        self.bearer.failed(deaf)
