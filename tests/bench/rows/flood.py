"""flood: what others wait while one agent floods on its socket, with imports at their limits, and on the dashboard"""
import os
import random
import subprocess
import sys
import time

from dashboard import PORT, log_in, request, wait_for_pages
from hive import Client, Hive, comm, jobs

ORDER = 115
SECONDS = 110
QUIET = ('bob', 'carol', 'dave', 'erin')
MOST = 1.5
CPU_PERCENT = 50  # what an agent's container may take by default


class Flooder:
    """Processes with the agent's own uid, in a control group that has what a container has."""

    def __init__(self, bench, hive, agent, uid, commits):
        self.group = self.make_group()
        bench.at_end(self.end)
        script = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), 'lib/flooder.py')
        self.process = subprocess.Popen([sys.executable, script, str(uid), agent_socket(hive, agent), str(PORT), *commits],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                                        preexec_fn=self.enter)

    def make_group(self):
        for top, file, value in (('/sys/fs/cgroup/cpu', 'cpu.cfs_quota_us', CPU_PERCENT * 1000),
                                 ('/sys/fs/cgroup', 'cpu.max', f'{CPU_PERCENT * 1000} 100000')):
            group = os.path.join(top, f'skep-bench-flood-{os.getpid()}')
            try:
                os.mkdir(group)
                with open(os.path.join(group, file), 'w') as f:
                    f.write(str(value))
                return group
            except OSError:
                if os.path.isdir(group):
                    os.rmdir(group)
        return None

    def enter(self):
        os.setpgid(0, 0)
        if self.group:
            with open(os.path.join(self.group, 'cgroup.procs'), 'w') as f:
                f.write(str(os.getpid()))

    def say(self, word):
        self.process.stdin.write(word + '\n')
        self.process.stdin.flush()
        self.process.stdout.readline()

    def end(self):
        if self.process:
            self.process.stdin.close()
            self.process.wait()
        self.process = None
        for _ in range(100):
            try:
                if self.group:
                    os.rmdir(self.group)
                break
            except OSError:
                time.sleep(0.05)


def agent_socket(hive, agent):
    return os.path.join(hive.runtime, 'agents', agent, 'agent.sock')


def agent_client(hive, agent, uid):
    """The kernel tells who connects by its effective uid."""
    os.seteuid(uid)
    try:
        return Client(agent_socket(hive, agent))
    finally:
        os.seteuid(0)


def refused_commits(hive, agent):
    """One with too many bytes, one with too many objects: both are taken over as far as they may be."""
    rng = random.Random(1)
    heavy = hive.fast_import(agent, {f'rootfs/b{i}': rng.randbytes(3 << 20) for i in range(12)})
    many = hive.fast_import(agent, {f'rootfs/d{i % 100:02}/f{i}': b'%d\n' % i for i in range(21000)})
    return [heavy, many]


def wait_idle(hive):
    """Until what was begun for the one that floods is over."""
    for _ in range(600):
        if not [pid for pid in jobs(hive.skepd()) if comm(pid) == 'skepd'] and not jobs(hive.pids()['skep-exec']):
            return
        time.sleep(0.1)
    raise RuntimeError('an import does not end')


class Samples:
    def __init__(self):
        self.of = {}

    def take(self, case, run):
        began = time.perf_counter()
        found = run()
        self.of.setdefault(case, []).append((time.perf_counter() - began) * 1000)
        return found


def percentile(samples, part):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))]


def measure(bench):
    hive = Hive(bench, dashboard=True, dashboard_port=PORT)
    hive.start()
    client = hive.client()
    for agent in ('hm1nd', 'mallory', *QUIET):
        client.ask('spawn', name=agent, wait=True)
    wait_for_pages()
    cookie = log_in(client)
    uids = {agent: client.ask('agent', name=agent)['agent']['uid_base'] for agent in ('mallory', *QUIET)}
    flooder = Flooder(bench, hive, 'mallory', uids['mallory'], refused_commits(hive, 'mallory'))
    blocks, rounds = bench.of_size((8, 8), (4, 2))
    calm, flood = Samples(), Samples()
    n = 0

    def one_round(samples):
        nonlocal n
        n += 1
        agent = QUIET[n % len(QUIET)]
        quiet = agent_client(hive, agent, uids[agent])
        commit = hive.fast_import(agent, {'agent.json': b'{}', 'rootfs/n': b'%d\n' % n})
        for _ in range(2):
            samples.take('status of a quiet agent', lambda: quiet.ask('status'))
        number = samples.take('submit of a quiet agent', lambda: quiet.ask('submit', commit=commit))['proposal']['id']
        for _ in range(4):
            samples.take("operator's list", lambda: client.ask('list'))
        samples.take("operator's verdict", lambda: client.ask('deny', id=number, note='not today'))
        for _ in range(2):
            samples.take("operator's page", lambda: request('GET', '/api/v1/agents', headers={'Cookie': cookie}))
        quiet.close()
        time.sleep(0.1)

    one_round(Samples())
    for block in range(blocks):
        flooding = block % 2 == 1
        flooder.say('on' if flooding else 'off')
        if flooding:
            time.sleep(1)
        else:
            wait_idle(hive)
        for _ in range(rounds):
            one_round(flood if flooding else calm)
    flooder.say('off')
    limited = f'{CPU_PERCENT} % of a processor for the one that floods' if flooder.group else 'no limit for the one that floods'
    for case in calm.of:
        bench.record(f'{case} while another floods (floor: while it does not; {limited})', 'ms', flood.of[case],
                     floor=calm.of[case], times=MOST)
        bench.record(f'{case} while another floods, 99th percentile', 'ms', [percentile(flood.of[case], 0.99)],
                     floor=[percentile(calm.of[case], 0.99)])
    client.close()
    flooder.end()
    hive.end()
