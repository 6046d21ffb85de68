"""A hive to measure: the real skepd as in `make demo`, with real containers or with simulated ones."""
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time

SKEP_UID, BUILD_UID, WEB_UID = 1310000, 1310001, 1310002
MANAGER_UID = 1310720
SHM_LEAST = 6 << 30
DIRS = {'applied': 0o2750, 'meta': 0o2750, 'logs': 0o750, 'audit': 0o750}


class Refused(Exception):
    pass


class Client:
    """One connection to a socket of the hive: requests and answers in turn."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        # with a limit of time, a full queue of connections would be an error
        self.socket.connect(path)
        self.socket.settimeout(120)
        self.file = self.socket.makefile('rb')

    def send(self, cmd, **keys):
        self.socket.sendall(json.dumps({'cmd': cmd, **keys}).encode() + b'\n')

    def line(self):
        return self.file.readline()

    def ask(self, cmd, **keys):
        self.send(cmd, **keys)
        answer = json.loads(self.line() or b'{"ok":false,"error":"the connection was closed"}')
        if not answer.get('ok'):
            raise Refused(f'{cmd}: {answer.get("error")}')
        return answer

    def close(self):
        self.file.close()
        self.socket.close()


def children(pid):
    try:
        with open(f'/proc/{pid}/task/{pid}/children') as f:
            return [int(p) for p in f.read().split()]
    except OSError:
        return []


def comm(pid):
    try:
        with open(f'/proc/{pid}/comm') as f:
            return f.read().strip()
    except OSError:
        return ''


def jobs(pid):
    """Its children that have something to do: not those that wait to be asked to fork."""
    found = []
    for child in children(pid):
        try:
            with open(f'/proc/{child}/cmdline', 'rb') as f:
                words = f.read().split(b'\0')
        except OSError:
            continue
        if words[1:2] != [b'zygote']:
            found.append(child)
    return found


def memory_mib(pid, key='VmRSS'):
    with open(f'/proc/{pid}/status') as f:
        for line in f:
            if line.startswith(key + ':'):
                return int(line.split()[1]) / 1024
    return 0.0


def descriptors(pid):
    return len(os.listdir(f'/proc/{pid}/fd'))


def nspawns(part):
    """pid -> command line of each systemd-nspawn that has this in one of its words."""
    found = {}
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/cmdline', 'rb') as f:
                line = [w.decode(errors='replace') for w in f.read().split(b'\0')[:-1]]
        except OSError:
            continue
        if line and line[0].endswith('systemd-nspawn') and any(part in w for w in line):
            found[int(pid)] = line
    return found


class Hive:
    def __init__(self, bench, simulated=True, state=None, **config):
        self.bench = bench
        self.programs = bench.programs if simulated else bench.build
        self.dir = bench.scratch('hive')
        self.state = state or os.path.join(self.dir, 'state')
        # sockets lie in memory where skep runs for real; /run of a container may be a disk's
        self.runtime = tempfile.mkdtemp(prefix='skep-bench.', dir='/dev/shm' if os.path.isdir('/dev/shm') else '/run')
        os.chmod(self.runtime, 0o751)
        self.config = {'dashboard': False, 'proposals_per_hour': 100000, **config}
        self.process = None
        bench.at_end(self.end)

    def socket_path(self, name='operator'):
        return os.path.join(self.runtime, name + '.sock')

    def start(self):
        """Starts skepd and waits until it answers; returns the milliseconds that took."""
        path = os.path.join(self.dir, 'skep.json')
        with open(path, 'w') as f:
            json.dump(self.config, f)
        self.log = open(os.path.join(self.dir, 'skepd.log'), 'ab')
        try:
            os.unlink(self.socket_path())
        except FileNotFoundError:
            pass
        began = time.perf_counter()
        self.process = subprocess.Popen(
            [os.path.join(self.programs, 'skepd'), '--standalone', '--config', path, '--state', self.state, '--runtime',
             self.runtime], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log)
        deadline = time.monotonic() + 120
        while True:
            try:
                client = self.client()
                client.ask('hello')
                took = (time.perf_counter() - began) * 1000
                client.close()
                return took
            except (OSError, Refused):
                if self.process.poll() is not None or time.monotonic() > deadline:
                    with open(os.path.join(self.dir, 'skepd.log')) as f:
                        raise RuntimeError('skepd does not serve: ' + f.read()[-600:])
                time.sleep(0.0005)

    def client(self, name='operator'):
        return Client(self.socket_path(name))

    def pids(self):
        """name -> pid of its processes; the parent is "standalone"."""
        found = {'standalone': self.process.pid}
        for pid in children(self.process.pid):
            found[comm(pid)] = pid
        return found

    def skepd(self):
        return self.pids()['skepd']

    def stop(self):
        if not self.process:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None
        self.log.close()

    def end(self):
        self.stop()
        for pid in nspawns(self.dir + '/'):
            os.kill(pid, signal.SIGKILL)
        subprocess.run(['rm', '-rf', '--one-file-system', self.dir, self.runtime])
        self.bench.forget(self.end)

    # ---- the manager's side ----

    def proposed(self, agent):
        return os.path.join(self.state, 'proposed', agent)

    def git(self, agent, *words, data=None, env=None):
        """git in an agent's proposed repository, as its owner; what it prints."""
        env = {'PATH': os.environ['PATH'], 'HOME': '/nonexistent', 'GIT_CONFIG_NOSYSTEM': '1',
               'GIT_AUTHOR_NAME': 'hm1nd', 'GIT_AUTHOR_EMAIL': 'hm1nd@hive', 'GIT_COMMITTER_NAME': 'hm1nd',
               'GIT_COMMITTER_EMAIL': 'hm1nd@hive', **(env or {})}
        done = subprocess.run(['git', '-C', self.proposed(agent), '-c', 'gc.auto=0', *words], input=data, env=env,
                              capture_output=True, user=MANAGER_UID, group=MANAGER_UID, extra_groups=[])
        if done.returncode:
            raise RuntimeError(f'git {words}: {done.stderr.decode()[-300:]}')
        return done.stdout.decode().strip()

    def fast_import(self, agent, changes, parent=None, message='a change'):
        """One commit from {path: bytes}, on parent; prints no work tree. Returns its id."""
        out = [b'commit refs/heads/work\nmark :1\ncommitter hm1nd <hm1nd@hive> 1700000000 +0000\n']
        text = message.encode()
        out.append(b'data %d\n%s\n' % (len(text), text))
        if parent:
            out.append(b'from %s\n' % parent.encode())
        for path, data in changes.items():
            out.append(b'M 100644 inline %s\ndata %d\n%s\n' % (path.encode(), len(data), data))
        out.append(b'get-mark :1\n')
        return self.git(agent, 'fast-import', '--quiet', '--force', '--cat-blob-fd=1', data=b''.join(out)).split()[-1]

    def applied(self, agent):
        return os.path.join(self.state, 'applied', agent, '.git')


def make_state(path):
    """What skepd's parent would make, so that a record can be put there before it starts."""
    os.makedirs(path, 0o755)
    os.chmod(path, 0o755)
    for name, mode in DIRS.items():
        os.mkdir(os.path.join(path, name))
        os.chown(os.path.join(path, name), SKEP_UID, BUILD_UID)
        os.chmod(os.path.join(path, name), mode)
    os.mkdir(os.path.join(path, 'proposed'), 0o755)
    # the one file beside them is the stand-in's
    open(os.path.join(path, 'stand-in'), 'w').close()
    os.chown(os.path.join(path, 'stand-in'), SKEP_UID, BUILD_UID)


def filled(bench, agents, tags, packed=True):
    """A state directory with so many agents that have so many tags each. Made in memory where there is room: what is
    packed in the end is a small part of what is written on the way. A packed one is made once for all rows of a run."""
    key = (agents, tags)
    if packed and key in bench.filled:
        return bench.filled[key]
    wanted = os.path.join(bench.scratch('filled'), 'state')
    shm = os.path.isdir('/dev/shm') and shutil.disk_usage('/dev/shm').free > SHM_LEAST
    top = tempfile.mkdtemp(prefix='skep-bench.', dir='/dev/shm' if shm else os.path.dirname(wanted))
    os.chmod(top, 0o755)

    def remove():
        subprocess.run(['rm', '-rf', top])
        bench.forget(remove)
    path = os.path.join(top, 'state')
    make_state(path)
    bench.at_end(remove)
    done = subprocess.run([os.path.join(bench.programs, 'fill'), path, str(agents), str(tags),
                           'packed' if packed else 'loose'], capture_output=True, text=True, user=SKEP_UID,
                          group=BUILD_UID, extra_groups=[])
    if done.returncode:
        raise RuntimeError(f'fill: {done.stderr[-500:]}')
    subprocess.run(['cp', '-a', path, wanted], check=True)
    remove()
    os.sync()  # who syncs a file later must not have to wait for these
    if packed:
        bench.filled[key] = wanted
    return wanted


class Floor:
    """The same bytes in the same number of files, synced, by the least that can do it."""

    def __init__(self, bench):
        self.dir = bench.scratch('floor')
        self.process = subprocess.Popen([os.path.join(bench.programs, 'floor'), self.dir], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE)
        bench.at_end(self.end)
        self.bench = bench

    def ms(self, files, size):
        self.process.stdin.write(b'%d %d\n' % (files, size))
        self.process.stdin.flush()
        return int(self.process.stdout.readline()) / 1e6

    def end(self):
        self.process.stdin.close()
        self.process.wait()
        self.bench.forget(self.end)
