"""boot: one container from the request to READY and read back, against plain systemd-nspawn over the same root"""
import time

from containers import Plain, nspawn_line, raise_sysctls
from hive import Hive, descriptors, memory_mib

ORDER = 60
SECONDS = 80


def timed(run):
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


def switch(hive, client, state):
    """A proposal of one changed file, approved: its build, the switch, the reading back. Returns both figures."""
    state['n'] += 1
    commit = hive.fast_import('alice', {'rootfs/etc/n.conf': f'{state["n"]}\n'.encode()}, parent=state['parent'])
    proposal = client.ask('submit', agent='alice', commit=commit)['proposal']
    acks = sorted({flag['name'] for flag in proposal.get('flags', [])})
    began = time.perf_counter()
    done = client.ask('approve', id=proposal['id'], commit=commit, flags_ack=acks, wait=True)['proposal']
    took = (time.perf_counter() - began) * 1000
    if done['state'] != 'deployed':
        raise RuntimeError(f'the switch ended {done["state"]}: {done.get("note")}')
    state['parent'] = commit
    row = [a for a in client.ask('agent_status')['agent_statuses'] if a['name'] == 'alice'][0]
    return took, row['downtime_ms']


def measure(bench):
    raise_sysctls(bench)
    n = bench.of_size(8, 3)
    hive = Hive(bench, simulated=False)
    hive.start()
    client = hive.client()
    client.ask('spawn', name='hm1nd', wait=True)
    creates = []
    for i in range(n):
        creates.append(timed(lambda: client.ask('spawn', name=f'new{i}', wait=True)))
        client.ask('destroy', name=f'new{i}', purge=True, confirm=f'new{i}', wait=True)
    client.ask('spawn', name='alice', wait=True)
    client.ask('set', name='alice', settings={'probe': 'none'})
    plain = Plain(bench, nspawn_line(f'{hive.state}/roots/alice/'), 'alice')
    scope = {'agent_names': ['alice']}
    client.ask('stop', scope=scope, wait=True)
    figures = {'start': ([], []), 'stop': ([], [])}
    for _ in range(n):
        figures['start'][0].append(timed(lambda: client.ask('start', scope=scope, wait=True)))
        figures['stop'][0].append(timed(lambda: client.ask('stop', scope=scope, wait=True)))
        figures['start'][1].append(plain.start_ms())
        figures['stop'][1].append(plain.stop())
    bench.record('create: spawn to running, both repositories made', 'ms', creates, floor=figures['start'][1],
                 note='floor: start of plain systemd-nspawn')
    bench.record('start to running and read back', 'ms', figures['start'][0], floor=figures['start'][1],
                 note='floor: plain systemd-nspawn')
    bench.record('stop', 'ms', figures['stop'][0], floor=figures['stop'][1], note='floor: plain systemd-nspawn')
    client.ask('start', scope=scope, wait=True)
    state = {'n': 0, 'parent': hive.git('alice', 'rev-parse', 'HEAD')}
    found = [switch(hive, client, state) for _ in range(n)]
    restart = [a + b for a, b in zip(*[f[1] for f in figures.values()])]
    bench.record('approve to running the new system: build, switch, read back', 'ms', [f[0] for f in found], floor=restart,
                 note='floor: stop and start of plain systemd-nspawn')
    bench.record('downtime of a switch', 'ms', [f[1] for f in found], floor=restart,
                 note='floor: stop and start of plain systemd-nspawn')
    for name, pid in hive.pids().items():
        bench.record(f'resident memory of {name}, 2 real containers', 'MiB', [memory_mib(pid)],
                     note=f'{descriptors(pid)} descriptors')
    client.close()
    hive.end()
