"""lock: one agent added, moved to another commit, removed; a commit of meta on disk, against `nix flake lock` alone"""
import os
import subprocess
import time

from bench import LEAST
from elsewhere import Commands
from hive import Floor, make_state

ORDER = 30
SECONDS = 130
NIX = ('nix', '--extra-experimental-features', 'nix-command flakes', '--option', 'flake-registry', '')


class Native:
    """The controller's own functions in a process that is told what to change."""

    def __init__(self, bench, state, agents, repos, lock):
        self.process = subprocess.Popen(
            [os.path.join(bench.programs, 'lock'), state, str(agents), f'git+file://{repos}/nixpkgs',
             f'git+file://{repos}/base', lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        if self.process.stdout.readline() != b'ready\n':
            raise RuntimeError('the lock tool did not start')

    def ms(self, what):
        self.process.stdin.write(what.encode() + b'\n')
        self.process.stdin.flush()
        return int(self.process.stdout.readline()) / 1e6

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def nix_store(commands):
    """A store of its own: nothing is left in the machine's."""
    for key in ('STORE', 'STATE', 'LOG'):
        path = os.path.join(commands.home, 'nix', key.lower())
        os.makedirs(path)
        commands.env[f'NIX_{key}_DIR'] = path
    commands.env['NIX_REMOTE'] = 'local'
    commands.env['NIX_CONFIG'] = 'sandbox = false\nbuild-users-group =\nsubstituters ='


def base_lock(bench, commands, repos):
    subprocess.run([os.path.join(bench.top, 'tests/nix/repos'), repos], check=True, capture_output=True)
    scratch = bench.scratch('base')
    with open(os.path.join(scratch, 'flake.nix'), 'w') as f:
        f.write(f'{{ inputs.nixpkgs.url = "git+file://{repos}/nixpkgs"; inputs.base.url = "git+file://{repos}/base"; '
                'inputs.base.inputs.nixpkgs.follows = "nixpkgs"; '
                'outputs = _: { }; }\n')
    commands.run(*NIX, 'flake', 'lock', scratch)
    return os.path.join(scratch, 'flake.lock')


def work_tree(commands, state, name):
    """meta as it would be elsewhere: a checkout."""
    path = os.path.join(commands.home, name)
    commands.run('git', 'clone', '-q', os.path.join(state, 'meta/.git'), path)
    return path


def lock_cases(bench, commands, floor, repos, lock, agents):
    state = os.path.join(bench.scratch('lock'), 'state')
    make_state(state)
    for name in ('applied', 'meta', 'logs', 'audit'):
        os.chown(os.path.join(state, name), 0, 0)
    native = Native(bench, state, agents, repos, lock)
    meta = work_tree(commands, state, f'meta{agents}')
    flake = os.path.join(meta, 'flake.nix')
    with open(flake) as f:
        without = f.read()
    middle = sorted(f'a{i}' for i in range(agents))[agents // 2]
    applied = os.path.join(state, 'applied', middle)
    first = commands.git(applied, 'rev-parse', 'main').strip()
    ids = [first, commands.git(applied, 'rev-parse', 'next').strip()]
    turn = {'n': 0}
    added = without.replace(f'agent-{middle} =', f'agent-newcomer = {{ url = "git+file://{state}/applied/newcomer'
                            f'?ref=refs/heads/main&shallow=1"; }};\n    agent-{middle} =', 1)
    if added == without:
        added = without.replace('inputs = {', 'inputs = {\n    agent-newcomer.url = "git+file://' + state +
                                '/applied/newcomer?ref=refs/heads/main&shallow=1";', 1)
    size = os.path.getsize(os.path.join(meta, 'flake.lock'))
    n = bench.of_size(20 if agents < 1000 else 7, 3)

    def nix(*words):
        began = time.perf_counter()
        commands.run(*NIX, 'flake', 'lock', *words, meta)
        return (time.perf_counter() - began) * 1000

    def bump():
        turn['n'] += 1
        commands.git(applied, 'update-ref', 'refs/heads/main', ids[turn['n'] % 2])
        took = nix('--update-input', f'agent-{middle}')
        commands.git(applied, 'update-ref', 'refs/heads/main', first)
        return took

    def write(text):
        with open(flake, 'w') as f:
            f.write(text)
        return nix()

    # the lock, two more files' worth of tree and commit, the branch; compressed about four times
    def least():
        return floor.ms(4, max(size // 16, 200))

    goal, better = (5, 10) if agents == 100 else (None, None)
    bench.compare(f'bump, {agents} agents', {'skep': lambda: native.ms('bump'), 'elsewhere': bump, 'floor': least}, n, goal=goal,
                  better=better, note='ten syncs: two for each of four objects and for the branch' if goal else None)
    samples = {what: ([], [], []) for what in ('add', 'remove')}
    end = time.monotonic() + 12
    for i in range(n):
        if i >= LEAST and time.monotonic() > end:
            break
        for what, text in (('add', added), ('remove', without)):
            for figures, found in zip(samples[what], (native.ms(what), write(text), least())):
                figures.append(found)
            with open(os.path.join(meta, 'flake.lock')) as f:
                if ('agent-newcomer' in f.read()) != (what == 'add'):
                    raise RuntimeError(f'Nix did not {what} the newcomer')
    for what, figures in samples.items():
        bench.record(f'{what}, {agents} agents', 'ms', *figures)
    native.end()
    bench.drop(state)


def measure(bench):
    commands = Commands(bench)
    nix_store(commands)
    floor = Floor(bench)
    repos = os.path.join(bench.scratch('inputs'), 'repos')
    lock = base_lock(bench, commands, repos)
    for agents in bench.of_size((1, 10, 100, 300, 1000), (1, 10, 100)):
        lock_cases(bench, commands, floor, repos, lock, agents)
    floor.end()
