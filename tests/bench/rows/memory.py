"""memory: resident memory and descriptors of each process, idle and busy, real repositories and simulated containers"""
import threading
import time

from dashboard import PORT, log_in, request, wait_for_pages
from hive import Hive, descriptors, filled, memory_mib

ORDER = 80
SECONDS = 55
TAGS = 50
CLIENTS, BROWSERS = 20, 10
GOALS = {100: 16, 1000: 64}
PROCESSES = ('skepd', 'skep-web', 'standalone')


def settle(pid):
    """Until the memory does not change any more."""
    before = -1
    for _ in range(50):
        now = memory_mib(pid)
        if now == before:
            return now
        before = now
        time.sleep(0.1)
    return before


def ask(hive, end):
    client = hive.client()
    while time.monotonic() < end:
        client.ask('agent_status')
        client.ask('pending', status='all', limit=100)
        client.ask('status')
    client.close()


def browse(cookie, end):
    while time.monotonic() < end:
        for path in ('/api/v1/agents', '/api/v1/status'):
            request('GET', path, headers={'Cookie': cookie})


def load(hive, seconds):
    """What pages and people ask for, over and over; the most memory and descriptors seen of each process."""
    client = hive.client()
    cookie = log_in(client)
    end = time.monotonic() + seconds
    peak = {name: (0, 0) for name in PROCESSES}
    pids = hive.pids()
    threads = [threading.Thread(target=ask, args=(hive, end), daemon=True) for _ in range(CLIENTS)]
    threads += [threading.Thread(target=browse, args=(cookie, end), daemon=True) for _ in range(BROWSERS)]
    for t in threads:
        t.start()
    while time.monotonic() < end:
        for name, (memory, fds) in peak.items():
            peak[name] = (max(memory, memory_mib(pids[name])), max(fds, descriptors(pids[name])))
        time.sleep(0.05)
    for t in threads:
        t.join()
    client.close()
    return peak


def measure(bench):
    for agents in bench.of_size((10, 100, 1000), (10, 100)):
        state = filled(bench, agents, TAGS)
        hive = Hive(bench, state=state, dashboard=True, dashboard_port=PORT)
        idle, fds = {name: [] for name in PROCESSES}, {}
        for _ in range(bench.of_size(3, 1)):
            hive.stop()
            hive.start()
            wait_for_pages()
            time.sleep(0.5)
            for name, pid in hive.pids().items():
                if name in idle:
                    idle[name].append(settle(pid))
                    fds[name] = descriptors(pid)
        for name in PROCESSES:
            bench.record(f'{name} idle, {agents} agents', 'MiB', idle[name], note=f'{fds[name]} descriptors',
                         goal=GOALS.get(agents) if name == 'skepd' else None)
        for name, (memory, most) in load(hive, bench.of_size(4, 2)).items():
            bench.record(f'{name} busy, {agents} agents', 'MiB', [memory],
                         note=f'{most} descriptors; peak while {CLIENTS} clients and {BROWSERS} browsers ask without a pause')
        bench.record(f'skepd afterwards, {agents} agents', 'MiB', [settle(hive.skepd())],
                     note=f'{descriptors(hive.skepd())} descriptors')
        hive.end()
