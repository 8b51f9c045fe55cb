"""Put on the path of a kernel: whoever reaches for anything but this machine is written down and refused.

It is an audit hook, which no code that runs later can take off again.
"""

import os
import sys

LOG = os.environ.get("COURSE_NETWORK_LOG", "")
HERE = ("127.", "localhost", "::1", "0.0.0.0")


def _is_here(host: object) -> bool:
    text = host.decode() if isinstance(host, bytes) else str(host)
    return text == "" or text == "None" or text.startswith(HERE)


def _watch(event: str, args: tuple) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = args[1] if len(args) > 1 else None
        if not isinstance(address, tuple) or _is_here(address[0]):
            return
        host = address[0]
    elif event in ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr"):
        host = args[0]
        if _is_here(host):
            return
    else:
        return
    with open(LOG, "a", encoding="utf-8") as stream:
        stream.write(f"{event} {host}\n")
    raise OSError(f"the network is off in this test: {event} {host}")


if LOG:
    sys.addaudithook(_watch)
