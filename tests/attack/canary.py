# What the host has and a container must not reach: the file, open here, and sockets of every kind.
import os
import signal
import socket

NAME, PORT = "skep-canary", 7799
kept = [open("/etc/skep-canary")]


def listening(family, address):
    s = socket.socket(family)
    if family != socket.AF_UNIX:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    s.bind(address)
    s.listen()
    kept.append(s)


os.makedirs("/nix/var/nix/daemon-socket", exist_ok=True)
listening(socket.AF_UNIX, "/nix/var/nix/daemon-socket/socket")
listening(socket.AF_UNIX, "\0" + NAME)
listening(socket.AF_INET, ("127.0.0.1", PORT))
listening(socket.AF_INET6, ("::1", PORT))
open("/run/skep-canary.ready", "w").close()
signal.pause()
