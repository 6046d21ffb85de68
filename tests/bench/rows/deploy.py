"""deploy: the controller's own share, with build, boot and probe taken out; and a rebuild that changes nothing"""
import os
import time

from elsewhere import Commands
from hive import Floor, Hive, filled

ORDER = 40
SECONDS = 30


def measure(bench):
    agents = bench.of_size(100, 10)
    state = filled(bench, agents, 50)
    hive = Hive(bench, state=state)
    os.makedirs(hive.proposed('a1'))
    os.chown(hive.proposed('a1'), 1310720, 1310720)
    hive.start()
    client = hive.client()
    client.ask('set', name='a1', settings={'probe': 'none'})
    hive.git('a1', 'init', '-q', '-b', 'main')
    commands = Commands(bench)
    floor = Floor(bench)
    other, meta = commands.repository('applied'), commands.repository('meta')
    commands.git(other, 'commit', '-q', '--allow-empty', '-m', 'first')
    state_of = {'n': 0, 'parent': None}

    def bump():
        with open(os.path.join(meta, 'flake.lock'), 'w') as f:
            f.write('x' * 500 * agents + str(state_of['n']))

    def skep():
        state_of['n'] += 1
        commit = hive.fast_import('a1', {'agent.json': b'{}', 'rootfs/etc/n.conf': b'%d\n' % state_of['n']},
                                  parent=state_of['parent'])
        state_of['parent'] = commit
        proposal = client.ask('submit', agent='a1', commit=commit)['proposal']
        acks = sorted({flag['name'] for flag in proposal.get('flags', [])})
        began = time.perf_counter()
        done = client.ask('approve', id=proposal['id'], commit=commit, flags_ack=acks, wait=True)['proposal']
        took = (time.perf_counter() - began) * 1000
        if done['state'] != 'deployed':
            raise RuntimeError(f'{done["state"]}: {done.get("note")}')
        return took

    def elsewhere():
        n = state_of['n']
        commands.git(other, 'fetch', '-q', '--no-tags', hive.proposed('a1'), state_of['parent'])
        commit = commands.git(other, 'rev-parse', 'FETCH_HEAD').strip()
        commands.git(other, 'tag', f'proposal/{n}', commit)
        began = time.perf_counter()
        commands.deploy(other, commit, n, meta, bump)
        return (time.perf_counter() - began) * 1000

    # approved: tag and reference; building: one; meta: file, tree, commit, reference; deployed: two; main: one
    bench.compare(f'approve to deployed, {agents} agents', {'skep': skep, 'elsewhere': elsewhere,
                                                           'floor': lambda: floor.ms(10, 400)},
                  bench.of_size(30, 5), goal=100, note='elsewhere: git alone, its lock written without Nix')
    rebuilds = []
    for _ in range(bench.of_size(30, 5)):
        began = time.perf_counter()
        client.ask('rebuild', name='a1', wait=True)
        rebuilds.append((time.perf_counter() - began) * 1000)
    bench.record(f'rebuild of an unchanged agent, {agents} agents', 'ms', rebuilds)
    client.close()
    floor.end()
    hive.end()
