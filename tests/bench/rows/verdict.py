"""verdict: from the socket to the tag on disk"""
import os
import time

from elsewhere import Commands
from hive import Floor, Hive

ORDER = 20
SECONDS = 30


def tag_bytes(hive, agent, tag):
    with open(os.path.join(hive.applied(agent), 'refs/tags', tag)) as f:
        oid = f.read().strip()
    return os.path.getsize(os.path.join(hive.applied(agent), 'objects', oid[:2], oid[2:]))


def measure(bench):
    hive = Hive(bench)
    hive.start()
    client = hive.client()
    for agent in ('hm1nd', 'alice'):
        client.ask('spawn', name=agent, wait=True)
        client.ask('set', name=agent, settings={'probe': 'none'})
    commands = Commands(bench)
    floor = Floor(bench)
    other = commands.repository('applied')
    first = hive.git('alice', 'rev-parse', 'HEAD')
    for verdict in ('deny', 'approve'):
        state = {'n': 0, 'parent': first}
        commands.git(other, 'fetch', '-q', hive.proposed('alice'), 'HEAD')
        commands.git(other, 'tag', f'proposal/{verdict}', 'FETCH_HEAD')

        def skep():
            state['n'] += 1
            commit = hive.fast_import('alice', {'rootfs/etc/a.conf': f'{verdict} {state["n"]}\n'.encode()},
                                      parent=state['parent'])
            proposal = client.ask('submit', agent='alice', commit=commit)['proposal']
            keys = {'note': 'not today'}
            if verdict == 'approve':
                keys = {'commit': proposal['sha'] if 'sha' in proposal else commit,
                        'flags_ack': sorted({flag['name'] for flag in proposal.get('flags', [])})}
            began = time.perf_counter()
            client.ask(verdict, id=proposal['id'], **keys)
            took = (time.perf_counter() - began) * 1000
            family = 'denied' if verdict == 'deny' else 'approved'
            state['bytes'] = tag_bytes(hive, 'alice', f'{family}/{proposal["id"]}')
            if verdict == 'approve':
                while client.ask('proposal', id=proposal['id'])['proposal']['state'] != 'deployed':
                    time.sleep(0.005)
                state['parent'] = commit
            return took

        def elsewhere():
            commands.git(other, 'tag', f'proposal/{verdict}{state["n"]}', f'proposal/{verdict}')
            began = time.perf_counter()
            getattr(commands, verdict)(other, f'proposal/{verdict}', f'{verdict}{state["n"]}')
            return (time.perf_counter() - began) * 1000

        # the tag object and the reference
        bench.compare(verdict, {'skep': skep, 'elsewhere': elsewhere,
                                'floor': lambda: floor.ms(2, max(state['bytes'] // 2, 41))}, bench.of_size(60, 8), goal=10)
    client.close()
    floor.end()
    hive.end()
