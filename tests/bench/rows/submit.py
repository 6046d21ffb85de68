"""submit: from the socket to the tag on disk, with the real skep-exec and its jailed reader"""
import os

from elsewhere import Commands
from hive import Floor, Hive

ORDER = 10
SECONDS = 50
FILE = 1200


def text(n, size=FILE):
    line = f'line {n} of a file that nobody reads twice\n'.encode()
    return (line * (size // len(line) + 1))[:size]


def small(n):
    """Ten files, three of them as deep as they get."""
    files = {f'rootfs/etc/agent/{i}.conf': text(i) for i in range(4)}
    files.update({f'rootfs/srv/{i}.py': text(i) for i in range(4)})
    files['agent.json'] = b'{"description": "a small one"}\n'
    files['README.md'] = text(n)
    return files


def big(n):
    """10,000 files in 1,101 trees."""
    return {f'rootfs/d{a:02}/e{b}/f{c}': text(f'{n} {a} {b} {c}') for a in range(100) for b in range(10) for c in range(10)}


def one_file(n):
    """Commit, three trees, one file: 5 objects."""
    return {'rootfs/etc/agent/0.conf' if n is None else 'rootfs/srv/0.py': text(f'change {n}')}


def nine_places(n):
    """With commit, top and rootfs: 3 + 9 of (tree, tree, file) + one file more: 31 objects."""
    changes = {f'rootfs/d{a:02}/e3/f3': text(f'change {n} {a}') for a in range(9)}
    changes['rootfs/d00/e3/f4'] = text(f'change {n} too')
    return changes


def objects(commands, repo, new, old):
    listed = commands.git(repo, 'rev-list', '--objects', new, *([f'^{old}'] if old else [])).split('\n')
    return len([line for line in listed if line])


class Pair:
    """One hive and one repository elsewhere that get the same commits."""

    def __init__(self, bench, hive, client, commands, agent):
        self.hive, self.client, self.commands, self.agent = hive, client, commands, agent
        self.other = commands.repository(f'{agent}-applied')
        commands.git(self.other, 'commit', '-q', '--allow-empty', '-m', 'first')
        self.n = 0

    def submit(self, commit):
        return self.client.ask('submit', agent=self.agent, commit=commit)['proposal']['id']

    def deny(self, number):
        self.client.ask('deny', id=number, note='not today')

    def submit_elsewhere(self, commit):
        self.n += 1
        self.commands.submit(self.other, self.hive.proposed(self.agent), commit, self.n)

    def base(self, files):
        """What both have before anything is measured, and what runs: proposals are scanned against that."""
        commit = self.hive.fast_import(self.agent, files)
        proposal = self.client.ask('submit', agent=self.agent, commit=commit)['proposal']
        acks = sorted({flag['name'] for flag in proposal.get('flags', [])})
        done = self.client.ask('approve', id=proposal['id'], commit=commit, flags_ack=acks, wait=True)['proposal']
        if done['state'] != 'deployed':
            raise RuntimeError(f'the first state was not deployed: {done.get("note")}')
        self.submit_elsewhere(commit)
        return commit


def up(bench):
    hive = Hive(bench, simulated=False)
    hive.start()
    client = hive.client()
    for agent in ('hm1nd', 'alice', 'bob', 'carol'):
        client.ask('spawn', name=agent, wait=True)
    return hive, client


def pack_bytes(hive, agent):
    pack = os.path.join(hive.applied(agent), 'objects/pack')
    return sum(os.path.getsize(os.path.join(pack, f)) for f in os.listdir(pack))


def measure_change(bench, pair, floor, base, changes, n, case, goal):
    state = {'n': 0}

    def fresh():
        state['n'] += 1
        state['commit'] = pair.hive.fast_import(pair.agent, changes(state['n']), parent=base)

    def skep():
        import time
        fresh()
        before = pack_bytes(pair.hive, pair.agent)
        began = time.perf_counter()
        number = pair.submit(state['commit'])
        took = (time.perf_counter() - began) * 1000
        state['bytes'] = pack_bytes(pair.hive, pair.agent) - before
        pair.deny(number)
        return took

    # pack, its index, the tag object and the reference; and as many directories
    bench.compare(case, {'skep': skep, 'elsewhere': lambda: pair.submit_elsewhere(state['commit']),
                         'floor': lambda: floor.ms(4, max(state['bytes'] // 4, 1))}, n, goal=goal,
                  note='forks two processes: the jailed reader and the import worker' if goal else None)


def measure(bench):
    hive, client = up(bench)
    commands = Commands(bench)
    floor = Floor(bench)
    pair = Pair(bench, hive, client, commands, 'alice')
    base = pair.base(small(0))
    probe = hive.fast_import('alice', one_file(0), parent=base)
    count = objects(commands, hive.proposed('alice'), probe, base)
    measure_change(bench, pair, floor, base, one_file, bench.of_size(40, 8), f'commit of {count} objects, 10 files', 20)
    pair = Pair(bench, hive, client, commands, 'bob')
    base = pair.base(big(0))
    probe = hive.fast_import('bob', nine_places(0), parent=base)
    count = objects(commands, hive.proposed('bob'), probe, base)
    measure_change(bench, pair, floor, base, nine_places, bench.of_size(30, 5), f'commit of {count} objects, 10,000 files', None)
    pair = Pair(bench, hive, client, commands, 'carol')
    base = hive.fast_import('carol', big(0))
    total = objects(commands, hive.proposed('carol'), base, None)
    measure_change(bench, pair, floor, None, big, bench.of_size(5, 1), f'first import of 10,000 files, {total:,} objects', None)
    client.close()
    floor.end()
    hive.end()
