"""Node-RED as a peer: mqtt in → function → join → http request, as its users build it.

    install()                      from the npm registry, once, into build/peers
    command(folder, port, url)     how to start it

The function makes a line of each record, the join node puts 500 together (or what came in a second),
the http request writes them. No node keeps anything on disk: that is how the nodes are.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from agent.wire import series
from simulators.board.process import node
from tests.bench import peer
from tests.chain.processes import free_port

VERSION: Final = "5.0.7"
MODULES: Final = Path("build/peers")
_BATCH: Final = 500
_LINGER_S: Final = 1

# A record is an array of integers: reference, RFC 8949 §3.
_FUNCTION: Final = """\
const b = msg.payload, names = NAMES, device = msg.topic.split('/')[3], lines = [];
let p = 0;
function item() {
    const head = b[p++];
    let n = head & 31;
    if (n === 24) { n = b[p]; p += 1; }
    else if (n === 25) { n = b.readUInt16BE(p); p += 2; }
    else if (n === 26) { n = b.readUInt32BE(p); p += 4; }
    return head >> 5 === 1 ? -1 - n : n;
}
while (p < b.length) {
    const count = item(), items = [];
    for (let i = 0; i < count; i++) items.push(item());
    const [, boot, seq, t] = items;
    let line = `beacon,device=${device} boot=${boot}i,seq=${seq}i`;
    for (let i = 4; i < count; i++) line += `,${names[i - 4]}=${items[i]}i`;
    lines.push(`${line} ${(t + EPOCH) * 1000 + seq % 1000}`);
}
msg.payload = lines.join('\\n');
msg.headers = { 'content-type': 'text/plain' };
delete msg.topic;
return msg;
"""

_SETTINGS: Final = """\
module.exports = {
    uiHost: '127.0.0.1', uiPort: PORT, httpAdminRoot: false, httpNodeRoot: false,
    flowFile: 'flows.json', credentialSecret: false, telemetry: { enabled: false },
    logging: { console: { level: 'warn' } },
};
"""


def _npm() -> str | None:
    """Return npm: the virtual environment's, else the system's."""
    beside = Path(sys.executable).parent / "npm"
    return str(beside) if beside.exists() else shutil.which("npm")


def install() -> str:
    """Install Node-RED under build/peers; return what is wrong, "" if nothing."""
    package = MODULES / "node_modules/node-red/package.json"
    if package.exists() and json.loads(package.read_text("utf-8"))["version"] == VERSION:
        return ""
    npm = _npm()
    if npm is None:
        return "npm is not here"
    MODULES.mkdir(parents=True, exist_ok=True)
    words = "install --no-audit --no-fund --no-update-notifier --loglevel=error --prefix"
    done = subprocess.run(
        [npm, *words.split(), str(MODULES), f"node-red@{VERSION}"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stderr.strip()[-200:] if done.returncode else ""


def command(folder: Path, port: int, url: str) -> list[str]:
    """Write its flow for a broker's port and a store's URL; return how to start it."""
    names = json.dumps(peer.FIELDS)
    code = _FUNCTION.replace("NAMES", names).replace("EPOCH", str(series.EPOCH_2020))
    broker = {"id": "broker", "type": "mqtt-broker", "broker": "127.0.0.1", "port": str(port)}
    broker |= {"clientid": peer.NAME, "cleansession": False, "autoConnect": True, "usetls": False}
    broker |= {"protocolVersion": "4", "keepalive": "60", "autoUnsubscribe": False}
    nodes = [
        {"type": "mqtt in", "topic": peer.FILTER, "qos": "1", "datatype": "buffer"}
        | {"broker": "broker", "inputs": 0},
        {"type": "function", "func": code, "outputs": 1, "libs": []},
        {"type": "join", "mode": "custom", "build": "string", "property": "payload"}
        | {"propertyType": "msg", "key": "topic", "joiner": "\\n", "joinerType": "str"}
        | {"count": str(_BATCH), "timeout": str(_LINGER_S), "accumulate": False},
        {"type": "http request", "method": "POST", "ret": "txt", "paytoqs": "ignore"}
        | {"url": f"{url}/write?precision=ms", "persist": True, "headers": []},
    ]
    flow: list[dict[str, object]] = [{"id": "flow", "type": "tab", "label": "bench"}, broker]
    for n, one in enumerate(nodes):
        wires = [[f"n{n + 1}"]] if n + 1 < len(nodes) else [[]]
        flow.append(one | {"id": f"n{n}", "z": "flow", "wires": wires})
    home = folder / "node-red"
    home.mkdir()
    (home / "flows.json").write_text(json.dumps(flow), "utf-8")
    words = {"broker": {"user": peer.NAME, "password": peer.NAME[::-1]}}
    (home / "flows_cred.json").write_text(json.dumps(words), "utf-8")
    (home / "settings.js").write_text(_SETTINGS.replace("PORT", str(free_port())), "utf-8")
    program = MODULES.resolve() / "node_modules/node-red/red.js"
    return [node(), str(program), "--userDir", str(home)]
