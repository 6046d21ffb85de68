"""Samples, and what becomes of them: medians with their spread, ratios, one table, one JSON file."""
import json
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time


def spread(samples):
    ordered = sorted(samples)
    last = len(ordered) - 1
    return {
        'median': statistics.median(ordered),
        'low': ordered[round(last * 0.1)],
        'high': ordered[round(last * 0.9)],
        'n': len(ordered),
    }


def number(value):
    if value >= 1000:
        return f'{value:,.0f}'
    if value >= 100:
        return f'{value:.0f}'
    if value >= 10:
        return f'{value:.1f}'
    return f'{value:.2f}'


def shown(figure, unit):
    if not figure:
        return ''
    text = f'{number(figure["median"])} {unit}'
    if figure['n'] > 1:
        text += f' ({number(figure["low"])}..{number(figure["high"])}, n={figure["n"]})'
    return text


class OutOfTime(Exception):
    pass


LEAST = 3  # samples, however long one takes
TOTAL_SECONDS = 820  # of all rows; what their own limits add up to is more, and none takes all of it


class Bench:
    def __init__(self, build, size, patience=1):
        self.top = os.path.abspath(os.path.join(os.path.dirname(__file__), '../../..'))
        self.build = os.path.abspath(build)
        self.programs = os.path.join(self.build, 'bench')
        self.full = size != 'short'
        self.size = size
        self.patience = patience * (60 if size == 'huge' else 1)
        self.cases = []
        self.now = None
        self.ends = []
        self.filled = {}
        self.end = time.monotonic() + TOTAL_SECONDS * self.patience

    def __enter__(self):
        self.dir = tempfile.mkdtemp(prefix='skep-bench.', dir='/var/tmp')
        os.chmod(self.dir, 0o755)
        os.environ.clear()
        os.environ.update(PATH='/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL='C.UTF-8', HOME=self.dir)
        return self

    def __exit__(self, *_):
        self.end_all()
        subprocess.run(['rm', '-rf', '--one-file-system', self.dir])

    def of_size(self, full, short):
        """What a full and a short run take: counts of samples, lists of sizes."""
        return full if self.full else short

    def scratch(self, name):
        path = tempfile.mkdtemp(prefix=name + '.', dir=self.dir)
        os.chmod(path, 0o755)
        return path

    def drop(self, path):
        shutil.rmtree(path, ignore_errors=True)

    def at_end(self, end):
        self.ends.append(end)

    def forget(self, end):
        if end in self.ends:
            self.ends.remove(end)

    def end_all(self):
        """Whatever a row left, also one that failed in the middle."""
        while self.ends:
            end = self.ends.pop()
            try:
                end()
            except Exception as e:
                print(f'  {end.__qualname__}: {type(e).__name__}: {e}', file=sys.stderr)

    def run_row(self, name, module):
        """Measures one row in the time it may take; what it recorded before it failed counts."""
        self.now = name
        seconds = max(1, min(module.SECONDS * self.patience, self.end - time.monotonic()))

        def late(*_):
            raise OutOfTime(f'not done within {seconds:.0f} s')
        print(f'{name}: {module.__doc__.strip()}', file=sys.stderr)
        began = time.monotonic()
        signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            module.measure(self)
        except Exception as e:  # one row that fails must not cost the others
            import traceback
            signal.setitimer(signal.ITIMER_REAL, 0)
            traceback.print_exc()
            self.failed(name, e)
            return False
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            self.end_all()
            print(f'{name}: {time.monotonic() - began:.0f} s', file=sys.stderr)
        return True

    def failed(self, name, why):
        self.cases.append({'row': name, 'case': 'not measured', 'unit': '', 'error': f'{type(why).__name__}: {why}'})

    def record(self, case, unit, skep, elsewhere=None, floor=None, goal=None, higher=False, note=None, better=None,
               times=None):
        """Samples of one figure. goal: the limit it is held to; higher: more is better (so is the goal); better: how many
        times it has to be better than elsewhere; times: how many times the floor it may be."""
        found = {'row': self.now, 'case': case, 'unit': unit}
        for who, samples in (('skep', skep), ('elsewhere', elsewhere), ('floor', floor)):
            if samples:
                found[who] = spread(samples)
        for who in ('elsewhere', 'floor'):
            if who in found and found[who]['median'] > 0 and found['skep']['median'] > 0:
                ratio = found[who]['median'] / found['skep']['median']
                if higher:
                    ratio = 1 / ratio
                # how much better than the others; how many times the floor
                found['than_' + who] = ratio if who == 'elsewhere' else 1 / ratio
        if goal is not None:
            found['goal'] = goal
            found['met'] = found['skep']['median'] >= goal if higher else found['skep']['median'] <= goal
            found['higher'] = higher
        if better is not None and 'than_elsewhere' in found:
            found['better'] = better
            found['is_better'] = found['than_elsewhere'] >= better
        if times is not None and 'than_floor' in found:
            found['times'] = times
            found['is_near'] = found['than_floor'] <= times
        if note:
            found['note'] = note
        self.cases.append(found)
        print('  ' + self.line(found), file=sys.stderr)

    def compare(self, case, contenders, n, unit='ms', goal=None, note=None, warm=1, seconds=12, better=None):
        """Runs the contenders in turns, n times or until the seconds are over. Each is a function that returns a sample, or
        None to be timed here."""
        samples = {who: [] for who in contenders}
        end = time.monotonic() + seconds * self.patience
        for i in range(-warm, n):
            if i >= LEAST and time.monotonic() > end:
                break
            for who, run in contenders.items():
                began = time.perf_counter()
                found = run()
                took = (time.perf_counter() - began) * 1000
                if i >= 0:
                    samples[who].append(took if found is None else found)
        self.record(case, unit, samples['skep'], samples.get('elsewhere'), samples.get('floor'), goal, note=note,
                    better=better)

    @staticmethod
    def ratios(found):
        than = f'{number(found["than_elsewhere"])}x' if 'than_elsewhere' in found else ''
        floor = f'{number(found["than_floor"])}x' if 'than_floor' in found else ''
        return than, floor

    def line(self, found):
        if 'error' in found:
            return f'{found["row"]}: {found["error"]}'
        than, floor = self.ratios(found)
        text = f'{than or "-":>7} {floor or "-":>8}  {found["case"]}: {shown(found["skep"], found["unit"])}'
        if 'met' in found:
            sign = '>=' if found['higher'] else '<='
            text += f' [{"holds" if found["met"] else "MISSED"} {sign} {number(found["goal"])}]'
        if 'is_better' in found:
            text += f' [{"holds" if found["is_better"] else "MISSED"} >= {number(found["better"])}x elsewhere]'
        if 'is_near' in found:
            text += f' [{"holds" if found["is_near"] else "MISSED"} <= {number(found["times"])}x the floor]'
        return text

    def machine(self):
        cpu = ''
        with open('/proc/cpuinfo') as f:
            for line in f:
                if line.startswith('model name'):
                    cpu = line.split(':', 1)[1].strip()
                    break
        commit = subprocess.run(['git', '-c', f'safe.directory={self.top}', '-C', self.top, 'describe', '--always', '--dirty'],
                                capture_output=True, text=True).stdout.strip()
        kind = subprocess.run(['stat', '-f', '-c', '%T', self.dir], capture_output=True, text=True).stdout.strip()
        return {'cpu': cpu, 'cores': os.cpu_count(), 'kernel': platform.release(), 'file_system': kind, 'commit': commit,
                'size': self.size, 'load_at_end': os.getloadavg()[0],
                'at': time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())}

    def table(self, machine):
        out = ['# Measured', '', 'What `make bench` wrote to `build/bench/bench.md`, as it came; the last paragraph says where, when and how. To '
               'replace it: `make bench` on a quiet machine, and that file in the place of this one.', '',
               '| than elsewhere | over the floor | figure | skep | elsewhere | floor | goal |',
               '|---:|---:|---|---|---|---|---|']
        for found in self.cases:
            if 'error' in found:
                out.append(f'| | | {found["row"]} | not measured: {found["error"]} | | | |')
                continue
            than, floor = self.ratios(found)
            goal = ''
            if 'met' in found:
                sign = '≥' if found['higher'] else '≤'
                goal = f'{sign} {number(found["goal"])} {found["unit"]}: {"holds" if found["met"] else "**missed**"}'
            if 'is_better' in found:
                goal += f'; ≥ {number(found["better"])}x elsewhere: {"holds" if found["is_better"] else "**missed**"}'
            if 'is_near' in found:
                goal += f'≤ {number(found["times"])}x the floor: {"holds" if found["is_near"] else "**missed**"}'
            case = found['case'] + (f' ({found["note"]})' if 'note' in found else '')
            out.append(f'| {than} | {floor} | {found["row"]}: {case} | {shown(found["skep"], found["unit"])} | '
                       f'{shown(found.get("elsewhere"), found["unit"])} | {shown(found.get("floor"), found["unit"])} | {goal} |')
        out.append('')
        out.append('Median (lowest tenth..highest tenth, runs). "than elsewhere": how much better than git, nix and systemd '
                   'started as commands for each step; "over the floor": how many times what it takes to write and sync '
                   'the same bytes. ' + f'{machine["cores"]} cores of {machine["cpu"]}, Linux {machine["kernel"]}, '
                   f'{machine["file_system"]}; {machine["size"]} run of {machine["commit"]}, {machine["at"]}, '
                   f'load {machine["load_at_end"]:.1f}.')
        return '\n'.join(out) + '\n'

    def write(self):
        machine = self.machine()
        table = self.table(machine)
        os.makedirs(self.programs, exist_ok=True)
        with open(os.path.join(self.programs, 'bench.json'), 'w') as f:
            json.dump({'machine': machine, 'cases': self.cases}, f, indent=1)
            f.write('\n')
        with open(os.path.join(self.programs, 'bench.md'), 'w') as f:
            f.write(table)

    def show(self):
        print(f'\n{"than":>7} {"over the":>8}\n{"others":>7} {"floor":>8}')
        row = None
        for found in self.cases:
            if found['row'] != row:
                row = found['row']
                print(f'{"":17} --- {row}')
            print(self.line(found))
            for who in ('elsewhere', 'floor'):
                if who in found:
                    print(f'{"":17}   {who}: {shown(found[who], found["unit"])}')
            if 'note' in found:
                print(f'{"":17}   {found["note"]}')
        print(f'\nwritten: {self.programs}/bench.json, bench.md')
