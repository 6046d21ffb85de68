"""say.py SOCKET: sends each line of standard input on a connection of its own and prints the first line of each answer."""
import socket
import sys

for line in sys.stdin.buffer:
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sys.argv[1])
    try:
        s.sendall(line)
    except BrokenPipeError:
        pass  # refused before it was said
    print(s.makefile().readline(), end="")
    s.close()
