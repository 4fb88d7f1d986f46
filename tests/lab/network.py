"""Sends what is lost: frames that nobody wants, packets that find no route, calls that a server leaves waiting.

Usage: `python network.py CARD TUNNEL`, in a network namespace.
"""

import socket
import sys
from contextlib import suppress

COUNT = 2000  # packets of each kind
CALLS = 60
TO_ALL = b"\xff" * 6
OF_NOBODY = b"\x02" + bytes(5)
EXPERIMENTAL = b"\x88\xb5"  # an EtherType for which no handler is there

for name in sys.argv[1:]:
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as card:
        card.bind((name, 0))
        for _ in range(COUNT):
            with suppress(OSError):  # a tunnel without a route may refuse at once
                card.send(TO_ALL + OF_NOBODY + EXPERIMENTAL + bytes(50))

with socket.create_server(("127.0.0.1", 0), backlog=0) as server:  # which never accepts
    calls = [socket.socket() for _ in range(CALLS)]
    for call in calls:
        call.settimeout(0)
        call.connect_ex(server.getsockname())
