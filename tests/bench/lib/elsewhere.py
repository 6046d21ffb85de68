"""How it is done elsewhere: a controller that starts git, nix and systemctl for every step, in the order such a one does.
Its repositories are plain ones; git is told to sync what it writes, as skep does, for a verdict that a power cut takes back
is not the same job."""
import os
import subprocess

IDENTITY = {'GIT_AUTHOR_NAME': 'c', 'GIT_AUTHOR_EMAIL': 'c@localhost', 'GIT_COMMITTER_NAME': 'c',
            'GIT_COMMITTER_EMAIL': 'c@localhost'}


class Commands:
    def __init__(self, bench):
        self.home = bench.scratch('elsewhere')
        with open(os.path.join(self.home, '.gitconfig'), 'w') as f:
            f.write('[safe]\n\tdirectory = *\n[init]\n\tdefaultBranch = main\n[gc]\n\tauto = 0\n[core]\n\tfsync = all\n')
        self.env = {'PATH': os.environ['PATH'], 'HOME': self.home, 'GIT_CONFIG_NOSYSTEM': '1', 'LC_ALL': 'C.UTF-8',
                    'XDG_CACHE_HOME': os.path.join(self.home, 'cache'), **IDENTITY}

    def run(self, *argv, data=None, cwd=None):
        done = subprocess.run(argv, input=data, cwd=cwd, env=self.env, capture_output=True)
        if done.returncode:
            raise RuntimeError(f'{" ".join(argv)}: {done.stderr.decode()[-300:]}')
        return done.stdout.decode()

    def systemctl(self, agent):
        """Asks for the state of one container. On a machine without systemd it says so at once: less than it would take."""
        subprocess.run(['systemctl', 'show', '-p', 'ActiveState,MainPID', f'container@{agent}.service'], env=self.env,
                       stdin=subprocess.DEVNULL, capture_output=True)

    def git(self, repo, *words, data=None):
        return self.run('git', '-C', repo, *words, data=data)

    def repository(self, name):
        path = os.path.join(self.home, name)
        self.run('git', 'init', '-q', path)
        return path

    # ---- the steps ----

    def submit(self, applied, proposed, commit, n):
        """Takes a commit over from the manager's repository and pins it."""
        self.git(applied, 'cat-file', '-e', 'HEAD^{commit}')
        self.git(applied, '-c', 'fetch.fsckObjects=true', 'fetch', '-q', '--no-tags', proposed, commit)
        taken = self.git(applied, 'rev-parse', '--verify', 'FETCH_HEAD^{commit}').strip()
        self.git(applied, 'tag', f'proposal/{n}', taken)
        return taken

    def deny(self, applied, commit, n):
        self.git(applied, 'rev-parse', '-q', '--verify', f'refs/tags/proposal/{n}')
        self.git(applied, 'tag', '-a', f'denied/{n}', '-F', '-', commit, data=b'not today\n')

    def approve(self, applied, commit, n):
        self.git(applied, 'rev-parse', '-q', '--verify', f'refs/tags/proposal/{n}')
        self.git(applied, 'tag', f'approved/{n}', commit)

    def deploy(self, applied, commit, n, meta, bump):
        """Everything of a deploy but building and switching; bump writes the lock."""
        self.approve(applied, commit, n)
        self.git(applied, 'tag', f'building/{n}', commit)
        self.git(applied, 'update-ref', 'refs/heads/main', commit)
        bump()
        self.git(meta, 'add', '-A')
        self.git(meta, 'commit', '-q', '-m', f'deploy {n}')
        self.git(applied, 'rev-parse', '--verify', 'refs/heads/main')
        self.git(applied, 'tag', f'deployed/{n}', commit)
