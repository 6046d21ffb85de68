"""memory: resident memory and descriptors, idle and busy, with real repositories and simulated containers"""
import os
import threading
import time

from hive import Hive, SKEP_UID, descriptors, filled, memory_mib

ORDER = 80
TAGS = 50
CLIENTS = 20
GOALS = {100: 16, 1000: 64}


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


def load(hive, seconds):
    """What pages and people ask for, over and over; the highest resident memory seen."""
    end = time.monotonic() + seconds
    peak = [0.0]
    pid = hive.skepd()

    def ask():
        client = hive.client()
        while time.monotonic() < end:
            client.ask('agent_status')
            client.ask('pending', status='all', limit=100)
            client.ask('status')
        client.close()

    threads = [threading.Thread(target=ask) for _ in range(CLIENTS)]
    for t in threads:
        t.start()
    while time.monotonic() < end:
        peak[0] = max(peak[0], memory_mib(pid))
        time.sleep(0.05)
    for t in threads:
        t.join()
    return peak[0]


def measure(bench):
    for agents in bench.of_size((10, 100, 1000), (10, 100)):
        state = filled(bench, agents, TAGS)
        hive = Hive(bench, state=state, dashboard=True, dashboard_port=17700)
        idle, fds, others = [], 0, {}
        for _ in range(bench.of_size(3, 1)):
            hive.stop()
            hive.start()
            time.sleep(0.5)
            idle.append(settle(hive.skepd()))
            fds = descriptors(hive.skepd())
            for name, pid in hive.pids().items():
                others.setdefault(name, []).append(memory_mib(pid))
        bench.record(f'skepd idle, {agents} agents', 'MiB', idle, goal=GOALS.get(agents), note=f'{fds} descriptors')
        for name in ('skep-web', 'standalone'):
            if name in others:
                bench.record(f'{name} idle, {agents} agents', 'MiB', others[name])
        bench.record(f'skepd busy, {agents} agents', 'MiB', [load(hive, bench.of_size(5, 2))],
                     note=f'peak while {CLIENTS} clients ask without a pause')
        bench.record(f'skepd afterwards, {agents} agents', 'MiB', [settle(hive.skepd())])
        hive.end()
        bench.drop(state)
