"""flow: proposals of 100 agents submitted and decided as fast as possible; what tags and history cost, and repacking them"""
import os
import subprocess
import threading
import time

from hive import BUILD_UID, Hive, SKEP_UID, filled, memory_mib

ORDER = 120


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
    threads = [threading.Thread(target=work, args=(agents[w::workers],)) for w in range(workers)]
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


def growth(bench):
    """One agent with more and more tags: what a start, a submit, a verdict and the disk cost then."""
    sizes = bench.of_size((10, 1000, 10000), (10, 1000))
    for tags in sizes + (100000,) if bench.size == 'huge' else sizes:
        state = filled(bench, 2, tags, packed=False)
        loose = size_mib(os.path.join(state, 'applied/a1'))
        began = time.perf_counter()
        repack = subprocess.run([os.path.join(bench.programs, 'skepd'), 'repack-worker', os.path.join(state, 'applied/a1')],
                                user=SKEP_UID, group=BUILD_UID, extra_groups=[], capture_output=True)
        took = (time.perf_counter() - began) * 1000
        if repack.returncode:
            raise RuntimeError(repack.stdout.decode())
        bench.record(f'repacking {tags:,} tags and their history', 'ms', [took],
                     note=f'{loose:.1f} MiB on disk before, {size_mib(os.path.join(state, "applied/a1")):.1f} after; '
                     'references still loose')
        subprocess.run(['git', '-c', 'safe.directory=*', f'--git-dir={state}/applied/a1/.git', 'pack-refs', '--all'], check=True,
                       user=SKEP_UID, group=BUILD_UID, extra_groups=[])
        hive = Hive(bench, state=state)
        bench.record(f'start with {tags:,} tags of each of 2 agents', 'ms', [hive.start()])
        bench.record(f'skepd with {tags:,} tags of each of 2 agents', 'MiB', [memory_mib(hive.skepd())])
        client = hive.client()
        samples = []
        for _ in range(bench.of_size(20, 5)):
            began = time.perf_counter()
            client.ask('request_spawn', name='other', description='a request')
            samples.append((time.perf_counter() - began) * 1000)
            number = client.ask('pending')['approvals'][-1]['id']
            client.ask('deny', id=number, note='no')
        bench.record(f'a request recorded with {tags:,} tags', 'ms', samples)
        client.close()
        hive.end()
        bench.drop(state)


def measure(bench):
    throughput(bench)
    growth(bench)
