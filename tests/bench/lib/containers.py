"""Real containers: the sysctls that skep ships while they are measured, and plain systemd-nspawn over the same roots."""
import os
import signal
import socket
import subprocess
import time

from hive import nspawns


def raise_sysctls(bench):
    """Raised to what is shipped, never lowered; put back at the end."""
    before = {}
    with open(os.path.join(bench.top, 'share/sysctl.d/50-skep.conf')) as f:
        for line in f:
            key, sign, value = line.partition('=')
            path = '/proc/sys/' + key.strip().replace('.', '/')
            if not sign or line.startswith('#'):
                continue
            with open(path) as old:
                now = int(old.read())
            if now < int(value):
                before[path] = now
                with open(path, 'w') as new:
                    new.write(value.strip())

    def back():
        for path, value in before.items():
            with open(path, 'w') as f:
                f.write(str(value))
    bench.at_end(back)


def own_cgroups(name):
    """A group in every hierarchy for a systemd that manages what is below it."""
    made = []
    with open('/proc/self/cgroup') as f:
        lines = f.read().split('\n')
    for line in filter(None, lines):
        _, controllers, path = line.split(':', 2)
        top = '/sys/fs/cgroup/' + controllers.replace('name=', '') if controllers else '/sys/fs/cgroup'
        if not controllers and os.path.isdir('/sys/fs/cgroup/unified'):
            top = '/sys/fs/cgroup/unified'
        if not os.path.isdir(top):
            continue
        parent = top + path.rstrip('/')
        group = os.path.join(parent, name)
        os.makedirs(group, exist_ok=True)
        if controllers == 'cpuset':
            for file in ('cpuset.cpus', 'cpuset.mems'):
                with open(os.path.join(parent, file)) as old, open(os.path.join(group, file), 'w') as new:
                    new.write(old.read())
        made.append(group)
    return made


def remove_cgroups(groups):
    for top in groups:
        for path, _, _ in os.walk(top, topdown=False):
            try:
                os.rmdir(path)
            except OSError:
                pass


def nspawn_line(root):
    """The command line of the systemd-nspawn whose root this is, as skep-exec started it."""
    for line in nspawns(root).values():
        return line
    raise RuntimeError(f'no systemd-nspawn runs on {root}')


class Plain:
    """systemd-nspawn with the same arguments over the same root, and nobody else."""

    def __init__(self, bench, line, name):
        self.line, self.name = line, name
        self.path = os.path.join(bench.scratch('notify'), 'socket')
        self.groups = []
        self.process = self.socket = None
        bench.at_end(self.stop)

    def begin(self):
        self.groups = own_cgroups('skep-bench-' + self.name)
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.settimeout(120)

        def enter():
            for group in self.groups:
                with open(os.path.join(group, 'cgroup.procs'), 'w') as f:
                    f.write('0')
        self.process = subprocess.Popen(self.line, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                                        env={'PATH': os.environ['PATH'], 'NOTIFY_SOCKET': self.path}, preexec_fn=enter,
                                        start_new_session=True)

    def wait_ready(self):
        while b'READY=1' not in self.socket.recv(8192):
            pass

    def stop(self):
        began = time.perf_counter()
        if self.process:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        took = (time.perf_counter() - began) * 1000
        self.process = None
        if self.socket:
            self.socket.close()
            self.socket = None
            os.unlink(self.path)
        remove_cgroups(self.groups)
        return took

    def start_ms(self):
        began = time.perf_counter()
        self.begin()
        self.wait_ready()
        return (time.perf_counter() - began) * 1000
