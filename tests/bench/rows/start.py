"""start: from nothing to serving, with real repositories and simulated containers; 50 tags for each agent"""
import os
import subprocess
import time

from elsewhere import Commands
from hive import Hive, filled

ORDER = 70
SECONDS = 130
TAGS = 50


def drop_caches():
    os.sync()
    with open('/proc/sys/vm/drop_caches', 'w') as f:
        f.write('3\n')


def elsewhere(commands, state):
    """One git per agent lists its tags and one systemctl asks for its container; nothing is read out of the tags."""
    began = time.perf_counter()
    applied = os.path.join(state, 'applied')
    for agent in os.listdir(applied):
        commands.run('git', f'--git-dir={applied}/{agent}/.git', 'for-each-ref', 'refs/tags')
        commands.systemctl(agent)
    return (time.perf_counter() - began) * 1000


def floor(state):
    """Every file that tells where the tags are, read once."""
    began = time.perf_counter()
    applied = os.path.join(state, 'applied')
    for agent in os.listdir(applied):
        with open(f'{applied}/{agent}/.git/packed-refs', 'rb') as f:
            f.read()
    return (time.perf_counter() - began) * 1000


def once(hive, cold=False):
    if cold:
        drop_caches()
    took = hive.start()
    hive.stop()
    return took


def measure(bench):
    commands = Commands(bench)
    subprocess.run(['sync'], check=True)
    for agents in bench.of_size((10, 100, 1000), (10, 100)):
        state = filled(bench, agents, TAGS)
        hive = Hive(bench, state=state)
        goal = 150 if agents == 1000 else None
        n = bench.of_size(7, 3)
        bench.compare(f'{agents} agents, warm', {
            'skep': lambda: once(hive), 'elsewhere': lambda: elsewhere(commands, state), 'floor': lambda: floor(state),
        }, n, goal=goal, note='elsewhere: a git and a systemctl for each agent')
        cold = [once(hive, cold=True) for _ in range(bench.of_size(3, 1))]
        bench.record(f'{agents} agents, cold', 'ms', cold, note='page cache dropped')
        hive.end()
