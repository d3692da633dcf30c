"""Asks a gateway under test whether it is ready: "connected" in its log comes before its subscriptions.

ready = watch(config)                     before it is started
wait_ready(ready)
"""

import urllib.error
import urllib.request

from tests.chain.processes import free_port, wait_for


def watch(config):
    """Give a gateway's configuration a port for its pages; return the address of /readyz."""
    port = free_port()
    text = config.read_text()
    told = text.replace('listen = ""', f'listen = "127.0.0.1:{port}"')
    assert told != text, "the configuration has no [operation] listen to replace"
    config.write_text(told)
    return f"http://127.0.0.1:{port}/readyz"


def page(url):
    """Return (status, text) of a page; (0, why) while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except OSError as error:
        return 0, str(error)


def wait_ready(url, timeout_s=60):
    """Wait until a gateway takes everything in."""
    wait_for("the gateway to be ready", lambda: page(url)[0] == 200, timeout_s)
