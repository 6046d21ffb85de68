"""say.py SOCKET: sends each line of standard input on a connection of its own and prints the first line of each answer.
Who is told to wait a moment waits and says it again."""
import json
import socket
import sys
import time


def answer_to(line):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(60)
    s.connect(sys.argv[1])
    try:
        s.sendall(line)
    except BrokenPipeError:
        pass  # refused before it was said
    answer = s.makefile().readline()
    s.close()
    return answer


for line in sys.stdin.buffer:
    answer = answer_to(line)
    while '"code":"rate_limited"' in answer:
        time.sleep(json.loads(answer)["retry_after_s"])
        answer = answer_to(line)
    print(answer, end="")
