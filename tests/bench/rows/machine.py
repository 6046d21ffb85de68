"""machine: under systemd, create, start and switch to READY, against machinectl and a unit of plain systemd-nspawn"""
import time

from host import Host, UnitHive

ORDER = 65
SECONDS = 80
UNIT = 'skep-agent@alice.service'
COPY = '/var/lib/machines/base'


def timed(run):
    began = time.perf_counter()
    run()
    return (time.perf_counter() - began) * 1000


def as_settings(line):
    """What machinectl's own unit is told in a file: what skep's command line says."""
    words = dict(w[2:].partition('=')[::2] for w in line if w.startswith('--') and not w.startswith('--bind'))
    out = ['[Exec]', 'Boot=yes', f'PrivateUsers={words["private-users"]}', 'NotifyReady=yes', 'KillSignal=SIGRTMIN+3',
           f'DropCapability={words["drop-capability"].replace(",", " ")}', 'NoNewPrivileges=yes', 'LinkJournal=no',
           '[Network]', 'VirtualEthernet=no', f'Private={"yes" if "private-network" in words else "no"}',
           '[Files]', 'PrivateUsersOwnership=off']
    for w in line:
        option, _, value = w.partition('=')
        if option in ('--bind', '--bind-ro'):
            out.append(('Bind=' if option == '--bind' else 'BindReadOnly=') + value)
    return '\n'.join(out) + '\n'


class Machine:
    """Made, started, stopped and removed as machinectl's users do it; or plain nspawn, as a unit of its own."""

    def __init__(self, host, line, name):
        self.host, self.line, self.name = host, line, name

    def make(self, plain):
        took = self.host.ms('cp', '-a', COPY, f'/var/lib/machines/{self.name}')
        if not plain:
            began = time.perf_counter()
            self.host.write(f'/etc/systemd/nspawn/{self.name}.nspawn', as_settings(self.line))
            took += (time.perf_counter() - began) * 1000
        return took

    def start(self, plain):
        if not plain:
            return self.host.ms('machinectl', '-q', 'start', self.name)
        words = [f'--directory=/var/lib/machines/{self.name}' if w.startswith('--directory=') else
                 f'--machine={self.name}' if w.startswith('--machine=') else w for w in self.line]
        return self.host.ms('systemd-run', '-q', f'--unit=plain-{self.name}', '-p', 'Type=notify', '-p', 'Delegate=yes', '-p',
                            'KillMode=mixed', '-p', 'Slice=machine.slice', *words)

    def stop(self, plain):
        unit = f'plain-{self.name}' if plain else f'systemd-nspawn@{self.name}'
        return self.host.ms('systemctl', 'stop', unit)

    def remove(self):
        self.host.run('rm', '-rf', f'/var/lib/machines/{self.name}', f'/etc/systemd/nspawn/{self.name}.nspawn')


def of_others(host, line, name, plain):
    """create to READY, start, stop; and a switch: another root beside it, stop, start."""
    machine = Machine(host, line, name)
    made = machine.make(plain)
    start = machine.start(plain)
    stop = machine.stop(plain)
    again = machine.start(plain)
    fresh = Machine(host, line, name + '-next')
    copied = fresh.make(True)
    down = machine.stop(plain)
    began = time.perf_counter()
    host.run('sh', '-c', f'rm -rf /var/lib/machines/{name} && mv /var/lib/machines/{name}-next /var/lib/machines/{name}')
    down += (time.perf_counter() - began) * 1000
    down += machine.start(plain)
    machine.stop(plain)
    machine.remove()
    return {'create': made + start, 'start': again, 'stop': stop, 'switch': copied + down, 'downtime': down}


def of_skep(hive, client, state):
    state['n'] += 1
    name = f'new{state["n"]}'
    scope = {'agent_names': [name]}
    found = {'create': timed(lambda: client.ask('spawn', name=name, wait=True)),
             'stop': timed(lambda: client.ask('stop', scope=scope, wait=True)),
             'start': timed(lambda: client.ask('start', scope=scope, wait=True))}
    client.ask('set', name=name, settings={'probe': 'none'})
    commit = hive.fast_import(name, {'rootfs/etc/n.conf': b'changed\n'}, parent=hive.git(name, 'rev-parse', 'HEAD'))
    proposal = client.ask('submit', agent=name, commit=commit)['proposal']
    acks = sorted({flag['name'] for flag in proposal.get('flags', [])})
    began = time.perf_counter()
    done = client.ask('approve', id=proposal['id'], commit=commit, flags_ack=acks, wait=True)['proposal']
    found['switch'] = (time.perf_counter() - began) * 1000
    if done['state'] != 'deployed':
        raise RuntimeError(f'the switch ended {done["state"]}: {done.get("note")}')
    found['downtime'] = [a for a in client.ask('agent_status')['agent_statuses'] if a['name'] == name][0]['downtime_ms']
    client.ask('destroy', name=name, purge=True, confirm=name, wait=True)
    return found


OTHERS = 'elsewhere: machinectl; floor: a unit of plain systemd-nspawn'
WHAT = {'create': f'create to READY ({OTHERS}, the root copied and started)',
        'start': f'start to READY ({OTHERS})', 'stop': f'stop ({OTHERS})',
        'switch': f'approve to READY with another system ({OTHERS}, another root copied, stop, start)',
        'downtime': f'downtime of a switch ({OTHERS})'}


def measure(bench):
    host = Host(bench)
    hive = UnitHive(bench, host)
    hive.start()
    client = hive.client()
    client.ask('spawn', name='hm1nd', wait=True)
    client.ask('spawn', name='alice', wait=True)
    pid = host.run('systemctl', 'show', UNIT, '-p', 'MainPID', '--value').strip()
    line = host.run('sh', '-c', f"tr '\\0' '\\n' < /proc/{pid}/cmdline").split('\n')[:-1]
    root = [w.partition('=')[2] for w in line if w.startswith('--directory=')][0]
    client.ask('stop', scope={'agent_names': ['alice']}, wait=True)
    host.run('mkdir', '-p', '/etc/systemd/nspawn')
    host.run('cp', '-a', root, COPY)
    samples = {who: {what: [] for what in WHAT} for who in ('skep', 'elsewhere', 'floor')}
    state = {'n': 0}
    end = time.monotonic() + SECONDS * bench.patience * 0.55
    for i in range(bench.of_size(8, 2)):
        if i >= 2 and time.monotonic() > end:
            break
        for who, found in (('skep', of_skep(hive, client, state)), ('elsewhere', of_others(host, line, 'other', False)),
                           ('floor', of_others(host, line, 'plain', True))):
            for what, ms in found.items():
                samples[who][what].append(ms)
    for what, case in WHAT.items():
        bench.record(case, 'ms', *[samples[who][what] for who in ('skep', 'elsewhere', 'floor')])
    client.close()
    host.end()
