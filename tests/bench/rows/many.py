"""many: 100 agents started at once in real containers, and (SIZE=huge) as many as fit"""
import threading
import time

from containers import Plain, nspawn_line, raise_sysctls
from hive import Hive, descriptors, memory_mib

ORDER = 120
SECONDS = 240
MIB_OF_ONE = 25     # of memory, generously
INOTIFY_OF_ONE = 8  # instances


def fits():
    with open('/proc/meminfo') as f:
        available = [int(line.split()[1]) // 1024 for line in f if line.startswith('MemAvailable')][0]
    with open('/proc/sys/fs/inotify/max_user_instances') as f:
        instances = int(f.read())
    return max(1, min(available // MIB_OF_ONE, instances // INOTIFY_OF_ONE, 1000))


def states(client, wanted):
    return len([a for a in client.ask('agent_status')['agent_statuses'] if a['state'] == wanted])


def plain_ms(bench, lines):
    """All of them at once, and no controller; how long, and how many never said READY."""
    plain = [Plain(bench, line, f'many{i}') for i, line in enumerate(lines)]
    failed = []

    def wait(p):
        try:
            p.wait_ready()
        except OSError:
            failed.append(p)
    began = time.perf_counter()
    for p in plain:
        p.begin()
    threads = [threading.Thread(target=wait, args=(p,), daemon=True) for p in plain]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    took = (time.perf_counter() - began) * 1000
    threads = [threading.Thread(target=p.stop) for p in plain]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return took, len(failed)


def many(bench, count):
    hive = Hive(bench, simulated=False, stop_timeout=60)
    hive.start()
    client = hive.client()
    began = time.perf_counter()
    client.ask('spawn', name='hm1nd', wait=True)
    for i in range(1, count):
        client.ask('spawn', name=f'a{i}')
    while states(client, 'running') < count:
        if states(client, 'failed') or time.perf_counter() - began > 1800:
            raise RuntimeError('not all could be spawned')
        time.sleep(0.5)
    bench.record(f'spawn of {count}', 'ms', [(time.perf_counter() - began) * 1000])
    lines = [nspawn_line(f'{hive.state}/roots/{name}/') for name in ['hm1nd'] + [f'a{i}' for i in range(1, count)]]
    everybody = {'all': True}
    client.ask('stop', scope=everybody, wait=True)
    began = time.perf_counter()
    client.ask('start', scope=everybody, wait=True)
    start = (time.perf_counter() - began) * 1000
    bench.record(f'failed of {count} started at once', 'agents', [count - states(client, 'running')], goal=0)
    began = time.perf_counter()
    rows = client.ask('usage')['usage']
    bench.record(f'usage of {len(rows)} looked at', 'ms', [(time.perf_counter() - began) * 1000])
    for name, pid in hive.pids().items():
        bench.record(f'resident memory of {name}, {count} real containers', 'MiB', [memory_mib(pid)],
                     note=f'{descriptors(pid)} descriptors')
    began = time.perf_counter()
    client.ask('stop', scope=everybody, wait=True)
    bench.record(f'stop of {count} at once', 'ms', [(time.perf_counter() - began) * 1000])
    floor = {}
    try:
        took, failed = plain_ms(bench, lines)
        floor = {'floor': [took], 'note': f'floor: plain systemd-nspawn, all at once, {failed} of which never said READY'}
    finally:
        bench.record(f'start of {count} at once', 'ms', [start], **floor)
    client.close()
    hive.end()


def measure(bench):
    raise_sysctls(bench)
    many(bench, bench.of_size(100, 5))
    if bench.size == 'huge':
        many(bench, fits())
