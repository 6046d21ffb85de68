"""read: list and agent_status with 1, 10 and 100 clients; an event to its subscribers; the audit's first page"""
import json
import os
import subprocess
import threading
import time

from elsewhere import Commands
from hive import Hive, filled

ORDER = 90
SECONDS = 150
TAGS = 50


def timed(run):
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


def raw_ms(client, cmd, **keys):
    """Until the whole answer is here; what this script would take to parse it is left out."""
    began = time.perf_counter()
    client.send(cmd, **keys)
    line = client.line()
    took = (time.perf_counter() - began) * 1000
    if not line.startswith(b'{') or b'"ok":false' in line[:200]:
        raise RuntimeError(line[:200])
    return took


def many(hive, clients, each, cmd):
    samples, lock = [], threading.Lock()

    def work():
        client = hive.client()
        own = [raw_ms(client, cmd) for _ in range(each)]
        client.close()
        with lock:
            samples.extend(own)
    threads = [threading.Thread(target=work, daemon=True) for _ in range(clients)]
    began = time.perf_counter()
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return samples, clients * each / (time.perf_counter() - began)


def events(hive, client, subscribers, n):
    """From a change that one client asks for until the last subscriber has its line."""
    # a socket takes 128 clients
    readers = [hive.client(('operator', 'read')[i % 2]) for i in range(subscribers)]
    for r in readers:
        r.send('subscribe_agent_status', snapshot=False)
        r.line()
    samples = []
    for i in range(n):
        began = time.perf_counter()
        client.ask('set', name='a1', settings={'label.n': str(i)})
        asked = time.perf_counter()
        for r in readers:
            r.line()
        samples.append(((time.perf_counter() - asked) * 1000, (time.perf_counter() - began) * 1000))
    for r in readers:
        r.close()
    return samples


def measure(bench):
    commands = Commands(bench)
    agents = bench.of_size(1000, 100)
    state = filled(bench, agents, TAGS)
    hive = Hive(bench, state=state)
    hive.start()
    client = hive.client()
    n = bench.of_size(50, 10)
    applied = os.path.join(state, 'applied')

    def elsewhere():
        """A page elsewhere: what is deployed and whether it runs, asked of git and systemctl for each agent."""
        for agent in os.listdir(applied):
            commands.systemctl(agent)
            commands.run('git', f'--git-dir={applied}/{agent}/.git', 'rev-parse', 'refs/heads/main')

    other = [timed(elsewhere)]
    bench.record(f'list, {agents} agents, 1 client', 'ms', [raw_ms(client, 'list') for _ in range(n)], other,
                 note='elsewhere: a git and a systemctl for each agent')
    bench.record(f'agent_status, {agents} agents, 1 client', 'ms', [raw_ms(client, 'agent_status') for _ in range(n)], other,
                 note='elsewhere: a git and a systemctl for each agent')
    bench.record(f'agent, 1 of {agents}', 'ms', [raw_ms(client, 'agent', name='a1') for _ in range(n)])
    bench.record('the 100 newest proposals', 'ms', [raw_ms(client, 'pending', status='all', limit=100) for _ in range(n)])
    bench.record(f'audit, first page of {agents * TAGS:,} tags', 'ms',
                 [raw_ms(client, 'audit', limit=100) for _ in range(bench.of_size(10, 3))])
    bench.record('metrics', 'ms', [raw_ms(client, 'metrics') for _ in range(n)])
    for clients in bench.of_size((10, 100), (10,)):
        for cmd in ('list', 'agent_status'):
            samples, rate = many(hive, clients, bench.of_size(20, 5), cmd)
            bench.record(f'{cmd}, {agents} agents, {clients} clients', 'ms', samples, note=f'{rate:.0f} requests a second')
    for subscribers in bench.of_size((1, 200), (1, 20)):
        samples = events(hive, client, subscribers, n)
        bench.record(f'event to {subscribers} subscribers, after the change was answered', 'ms', [max(s[0], 0) for s in samples],
                     goal=5)
    client.close()
    hive.end()
