"""rebuild: an agent that has not changed, built by Nix; against `nix build` and `nix eval` of the same flake"""
import time

from host import Host, UnitHive

ORDER = 50
SECONDS = 50
NIX = ('nix', '--extra-experimental-features', 'nix-command flakes', '--option', 'flake-registry', '')
SYSTEM = '#nixosConfigurations."alice".config.system.build.toplevel'


def up(bench):
    """The machine's own Nix with its daemon; what stands for nixpkgs and base are the stubs of the tests."""
    host = Host(bench, f'--bind-ro={bench.top}/tests/nix:/opt/nix-tests')
    host.run('/opt/nix-tests/host/setup')
    host.run('systemd-run', '-q', '--unit=nix-daemon', 'nix-daemon')
    host.run('mkdir', '-p', '/nix/var/nix/gcroots')
    host.write('/root/.gitconfig', '[safe]\n\tdirectory = *\n')
    hive = UnitHive(bench, host, nixpkgs='git+file:///srv/nixpkgs?ref=refs/heads/main',
                    base='git+file:///srv/base?ref=refs/heads/main')
    hive.start()
    return host, hive


def measure(bench):
    host, hive = up(bench)
    client = hive.client()
    client.ask('spawn', name='hm1nd', wait=True)
    client.ask('spawn', name='alice', builder='nix', wait=True)
    client.ask('set', name='alice', settings={'probe': 'none'})
    n = bench.of_size(20, 3)
    flake = 'git+file:///var/lib/skep/meta?ref=refs/heads/main' + SYSTEM
    runs = client.ask('agent', name='alice')['agent']['system']
    found = host.run(*NIX, 'eval', '--raw', flake + '.outPath')
    if found != runs:
        raise RuntimeError(f"nix finds '{found}', but '{runs}' runs")

    def skep():
        began = time.perf_counter()
        client.ask('rebuild', name='alice', wait=True)
        return (time.perf_counter() - began) * 1000

    def elsewhere(words):
        """Builds, and looks whether that is what runs."""
        return host.ms(*NIX, *words) + host.ms('systemctl', 'show', '-p', 'ActiveState,MainPID', 'skep-agent@alice.service')

    for what, words in (('build', ('--no-link', flake)), ('eval', ('--raw', flake + '.outPath'))):
        bench.compare(f'of an unchanged agent, elsewhere: nix {what}', {
            'skep': skep, 'elsewhere': lambda: elsewhere((what, '--no-update-lock-file', *words)),
        }, n, note='then a systemctl; nixpkgs is a stub, so evaluating it costs next to nothing')
    client.close()
    host.end()
