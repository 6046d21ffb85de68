"""flow: proposals of 100 agents submitted and decided as fast as possible; what tags and history cost, and repacking them"""
import os
import shutil
import subprocess
import threading
import time

from elsewhere import Commands
from hive import BUILD_UID, Hive, MANAGER_UID, SKEP_UID, descriptors, filled, memory_mib

ORDER = 110
SECONDS = 110


def prepare(hive, agents, each):
    """Commits of every agent, one on top of the other, made before anything is measured."""
    return {agent: [hive.fast_import(agent, {'agent.json': b'{}', 'rootfs/n': b'%d\n' % i}) for i in range(each)]
            for agent in agents}


def throughput(bench):
    count, each, workers = bench.of_size((100, 10, 8), (5, 3, 2))
    hive = Hive(bench)
    hive.start()
    client = hive.client()
    client.ask('spawn', name='hm1nd', wait=True)
    agents = [f'a{i}' for i in range(count)]
    for agent in agents:
        client.ask('spawn', name=agent, wait=True)
    commits = prepare(hive, agents, each)
    failed = []

    def work(own):
        c = hive.client()
        try:
            for i in range(each):
                for agent in own:
                    number = c.ask('submit', agent=agent, commit=commits[agent][i])['proposal']['id']
                    c.ask('deny', id=number, note='not today')
        except Exception as e:
            failed.append(e)
        c.close()
    threads = [threading.Thread(target=work, args=(agents[w::workers],), daemon=True) for w in range(workers)]
    began = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = time.perf_counter() - began
    if failed:
        raise failed[0]
    total = count * each
    bench.record(f'{total:,} proposals over {count} agents, submitted and denied', '/s', [total / took], higher=True,
                 note=f'{workers} clients, simulated containers, real repositories')
    bench.record(f'skepd after {total:,} proposals', 'MiB', [memory_mib(hive.skepd())])
    client.close()
    hive.end()


def size_mib(path):
    total = 0
    for top, _, files in os.walk(path):
        total += sum(os.lstat(os.path.join(top, f)).st_blocks * 512 for f in files)
    return total / 1048576


def pack_refs(state):
    subprocess.run(['git', '-c', 'safe.directory=*', f'--git-dir={state}/applied/a1/.git', 'pack-refs', '--all'], check=True,
                   user=SKEP_UID, group=BUILD_UID, extra_groups=[])


def repack(bench, state, tags):
    applied = os.path.join(state, 'applied/a1')
    loose = size_mib(applied)
    began = time.perf_counter()
    done = subprocess.run([os.path.join(bench.programs, 'skepd'), 'repack-worker', applied], user=SKEP_UID, group=BUILD_UID,
                          extra_groups=[], capture_output=True)
    took = (time.perf_counter() - began) * 1000
    if done.returncode:
        raise RuntimeError(done.stdout.decode())
    packed = size_mib(applied)
    began = time.perf_counter()
    pack_refs(state)
    refs = (time.perf_counter() - began) * 1000
    bench.record(f'repacking {tags:,} tags and their history', 'ms', [took],
                 note=f'{loose:.1f} MiB on disk before, {packed:.1f} after; with references packed too ({refs:.0f} ms) '
                 f'{size_mib(applied):.1f}')


def manager(hive, state):
    """The manager's repository of a1, with what applied has. Returns the commit that is deployed."""
    applied = os.path.join(state, 'applied/a1/.git')
    os.makedirs(hive.proposed('a1'))
    os.chown(hive.proposed('a1'), MANAGER_UID, MANAGER_UID)
    hive.git('a1', 'init', '-q', '-b', 'main')
    pack = os.path.join(hive.proposed('a1'), '.git/objects/pack')
    for name in os.listdir(os.path.join(applied, 'objects/pack')):
        shutil.copyfile(os.path.join(applied, 'objects/pack', name), os.path.join(pack, name))
        os.chown(os.path.join(pack, name), MANAGER_UID, MANAGER_UID)
    return subprocess.run(['git', '-c', 'safe.directory=*', f'--git-dir={applied}', 'rev-parse', 'refs/heads/main'], check=True,
                          capture_output=True, text=True).stdout.strip()


def timed(run):
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


def grown(bench, commands, state, tags):
    """What a start, a submit, a verdict and the pages cost with so many tags of one agent."""
    hive = Hive(bench, state=state)
    parent = manager(hive, state)
    hive.start()
    hive.stop()
    bench.record(f'start, {tags:,} tags of one agent', 'ms', [hive.start()])
    bench.record(f'skepd, {tags:,} tags of one agent', 'MiB', [memory_mib(hive.skepd())],
                 note=f'{descriptors(hive.skepd())} descriptors')
    client = hive.client()
    other = os.path.join(commands.home, f'grown{tags}')
    subprocess.run(['cp', '-a', os.path.join(state, 'applied/a1'), other], check=True)
    found = {'ours': [], 'theirs': [], 'denied': [], 'denied elsewhere': []}
    for n in range(bench.of_size(12, 3)):
        commit = hive.fast_import('a1', {'rootfs/etc/n.conf': b'%d\n' % n}, parent=parent)
        number = []
        found['ours'].append(timed(lambda: number.append(client.ask('submit', agent='a1', commit=commit)['proposal']['id'])))
        found['theirs'].append(timed(lambda: commands.submit(other, hive.proposed('a1'), commit, f'x{n}')))
        found['denied'].append(timed(lambda: client.ask('deny', id=number[0], note='not today')))
        found['denied elsewhere'].append(timed(lambda: commands.deny(other, commit, f'x{n}')))
    bench.record(f'submit, {tags:,} tags of one agent', 'ms', found['ours'], found['theirs'])
    bench.record(f'deny, {tags:,} tags of one agent', 'ms', found['denied'], found['denied elsewhere'])
    for what, keys in (('list', {}), ('pending', {'status': 'all', 'limit': 100}), ('audit', {'limit': 100})):
        bench.record(f'{what}, {tags:,} tags of one agent', 'ms',
                     [timed(lambda: client.ask(what, **keys)) for _ in range(bench.of_size(10, 3))])
    client.close()
    hive.end()
    bench.drop(other)


def growth(bench):
    commands = Commands(bench)
    sizes = bench.of_size((10, 1000, 10000), (10, 1000))
    for tags in sizes + (100000,) if bench.size == 'huge' else sizes:
        state = filled(bench, 2, tags, packed=False)
        repack(bench, state, tags)
        grown(bench, commands, state, tags)
        bench.drop(state)


def measure(bench):
    throughput(bench)
    growth(bench)
