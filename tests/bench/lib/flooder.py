"""An agent that floods on everything it can reach: flooder.py UID SOCKET PORT AGENT COMMIT... While its standard input last said
"on" it does so, with one process for each way; "off" closes what it has open. It answers each with a line."""
import mmap
import os
import signal
import socket
import sys
import time

OFF, ON = b'\0', b'\1'


def connect(path):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(1)
    s.connect(path)
    return s


def drain(s):
    s.setblocking(False)
    try:
        while s.recv(1 << 16):
            pass
    except BlockingIOError:
        pass


def asks(path, is_on):
    """Requests that are in order, as many as fit."""
    line = b'{"cmd":"status"}\n' * 200
    held = [connect(path), connect(path)]
    while is_on():
        for s in held:
            drain(s)
            try:
                s.send(line)
            except BlockingIOError:
                time.sleep(0.0005)


def pieces(path, is_on):
    """Lines that never end, a byte at a time, and empty ones."""
    held = [connect(path), connect(path)]
    held[0].sendall(b'{"cmd":"')
    while is_on():
        for s, byte in zip(held, (b'x', b'\n')):
            s.setblocking(False)
            try:
                s.send(byte)
            except BlockingIOError:
                time.sleep(0.0005)


def large(path, is_on):
    """Lines as long as they may be, and longer ones."""
    fits = b'{"cmd":"set_status","text":"' + b'x' * 65000 + b'"}\n'
    while is_on():
        s = connect(path)
        s.sendall(fits)
        s.sendall(fits)
        s.sendall(b'x' * 70000)
        s.recv(1 << 16)
        s.close()


def knocks(path, is_on):
    while is_on():
        connect(path).close()


def submits(path, is_on, commits):
    """What takes an import to its limits, and is refused there: it can be asked for again."""
    s, n = connect(path), 0
    s.settimeout(120)
    while is_on():
        s.sendall(b'{"cmd":"submit","commit":"%s"}\n' % commits[n % len(commits)].encode())
        n += 1
        if n > 8:
            s.recv(1 << 16)


def pages(port, is_on):
    """The dashboard, which agents on the machine's network can reach: requests without a login, and half ones."""
    held = []
    while is_on():
        s = socket.create_connection(('127.0.0.1', port), 1)
        s.sendall(b'GET /api/v1/agents HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n\r\n' % port * 20)
        held.append(s)
        half = socket.create_connection(('127.0.0.1', port), 1)
        half.sendall(b'GET /api/v1/age')
        held.append(half)
        while len(held) > 400:
            held.pop(0).close()


def work(way, flag, args):
    def is_on():
        return flag[0:1] == ON
    while True:
        if not is_on():
            time.sleep(0.01)
            continue
        try:
            way(*args(is_on))
        except OSError:
            time.sleep(0.001)


def main():
    uid, path, port, commits = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4:]
    flag = mmap.mmap(-1, 1)
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    for way, args in ((asks, lambda on: (path, on)), (pieces, lambda on: (path, on)), (large, lambda on: (path, on)),
                      (knocks, lambda on: (path, on)), (submits, lambda on: (path, on, commits)), (pages, lambda on: (port, on))):
        if os.fork() == 0:
            # whoever started us may die first
            os.set_inheritable(0, False)
            signal.signal(signal.SIGPIPE, signal.SIG_IGN)
            work(way, flag, args)
    for line in sys.stdin:
        flag[0:1] = ON if line.strip() == 'on' else OFF
        print('done', flush=True)
    os.killpg(0, signal.SIGKILL)


main()
