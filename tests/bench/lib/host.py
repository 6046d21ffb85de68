"""A host with systemd as its PID 1, as the host tests have it, with skep installed and run by its units."""
import json
import os
import subprocess
import time

from hive import Hive, Refused

ENVIRONMENT = ('env', '-i', 'HOME=/root', 'LANG=C.UTF-8', 'PATH=/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin')
# Runs what it is told and answers with the milliseconds, so that coming into the host is not measured.
RUNNER = '''import json, subprocess, sys, time
for line in sys.stdin:
    began = time.perf_counter()
    done = subprocess.run(json.loads(line), stdin=subprocess.DEVNULL, capture_output=True, text=True)
    took = (time.perf_counter() - began) * 1000
    print(json.dumps({"ms": took, "status": done.returncode, "out": done.stdout, "error": done.stderr[-500:]}), flush=True)
'''


class Host:
    def __init__(self, bench, *options):
        self.bench = bench
        self.name = f'bench{os.getpid()}'
        self.dir = bench.scratch('hosts')
        self.tool = os.path.join(bench.top, 'tests/host/lib/testhost')
        self.env = {'PATH': os.environ['PATH'], 'TESTHOST_DIR': self.dir}
        stage = os.path.join(bench.programs, 'stage')  # make bench installs there
        machines = bench.scratch('machines')
        os.chmod(machines, 0o700)
        bench.at_end(self.end)
        self.testhost('up', self.name, f'--bind-ro={stage}/usr/local:/usr/local', f'--bind-ro={stage}/etc:/stage',
                      f'--bind={machines}:/var/lib/machines', *options)
        self.leader = self.testhost('leader', self.name).strip()
        self.runner = subprocess.Popen(['nsenter', '-t', self.leader, '-a', '--', *ENVIRONMENT, 'python3', '-c', RUNNER],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.run('cp', '-a', '--no-preserve=ownership', '/stage/.', '/etc/')
        self.run('systemd-sysusers')
        self.run('systemd-tmpfiles', '--create', '/etc/tmpfiles.d/skep.conf')
        self.run('systemctl', 'daemon-reload')

    def testhost(self, *words):
        done = subprocess.run([self.tool, *words], env=self.env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                              stdin=subprocess.DEVNULL)
        if done.returncode:
            raise RuntimeError(f'testhost {words[0]}: {done.stderr[-500:]}')
        return done.stdout

    def timed(self, *argv):
        """Runs a command in it; (milliseconds, what it printed)."""
        self.runner.stdin.write(json.dumps(argv) + '\n')
        self.runner.stdin.flush()
        done = json.loads(self.runner.stdout.readline())
        if done['status']:
            raise RuntimeError(f'{" ".join(argv)}: {done["error"]}')
        return done['ms'], done['out']

    def ms(self, *argv):
        return self.timed(*argv)[0]

    def run(self, *argv):
        return self.timed(*argv)[1]

    def write(self, path, text):
        with open(f'/proc/{self.leader}/root{path}', 'w') as f:
            f.write(text)

    def end(self):
        self.bench.forget(self.end)
        if not os.path.isdir(os.path.join(self.dir, self.name)):
            return
        if hasattr(self, 'runner'):
            self.runner.kill()
            self.runner.wait()
        self.testhost('kill', self.name)


class UnitHive(Hive):
    """The hive of a host: its clients and its manager's repositories are reached from outside."""

    def __init__(self, bench, host, **config):
        self.host = host
        self.bench = bench
        self.state = os.path.join(host.dir, host.name, 'disk/var/lib/skep')
        self.config = {'proposals_per_hour': 100000, **config}

    def socket_path(self, name='operator'):
        return f'/proc/{self.host.leader}/root/run/skep/{name}.sock'

    def start(self):
        host = self.host
        host.write('/etc/skep.json', json.dumps(self.config))
        host.run('mkdir', '-p', '/run/systemd/system/skepd.service.d')
        host.write('/run/systemd/system/skepd.service.d/bench.conf',
                   '[Service]\nExecStart=\nExecStart=/usr/local/libexec/skep/skepd --config /etc/skep.json\n')
        host.run('systemctl', 'daemon-reload')
        host.run('systemctl', 'enable', '--now', 'skepd.socket', 'skepd-read.socket', 'skep-exec.socket')
        deadline = time.monotonic() + 30
        while True:
            try:
                self.client().ask('hello')
                return
            except (OSError, Refused):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)
