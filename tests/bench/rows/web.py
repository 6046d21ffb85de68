"""web: the dashboard's requests per second and 99th percentile, against nginx serving the same bytes; a large difference"""
import json
import os
import re
import shutil
import subprocess
import time

from dashboard import PORT, log_in, request, wait_for_pages
from elsewhere import Commands
from hive import Hive, filled

ORDER = 100
SECONDS = 90
NGINX_PORT = 17701
CONNECTIONS = 32
LINES = 10000


def need(tool):
    if not shutil.which(tool):
        raise RuntimeError(f'there is no {tool}: ./setup bench installs it')


def wrk(path, port, seconds, cookie=None):
    """(requests a second, milliseconds of the 99th percentile)"""
    argv = ['wrk', '-t1', f'-c{CONNECTIONS}', f'-d{seconds}s', '--latency', f'http://127.0.0.1:{port}{path}']
    if cookie:
        argv += ['-H', f'Cookie: {cookie}']
    text = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    if 'Non-2xx' in text:
        raise RuntimeError(text)
    value, unit = re.search(r'99%\s+([\d.]+)(us|ms|s)', text).groups()
    return float(re.search(r'Requests/sec:\s+([\d.]+)', text).group(1)), float(value) * {'us': 0.001, 'ms': 1, 's': 1000}[unit]


def nginx(bench, files):
    """The same bytes under the same paths, from files; one worker, as skep-web is one process."""
    top = bench.scratch('nginx')
    root = os.path.join(top, 'root')
    for path, data in files.items():
        os.makedirs(os.path.dirname(root + path), exist_ok=True)
        with open(root + path, 'wb') as f:
            f.write(data)
    with open(os.path.join(top, 'nginx.conf'), 'w') as f:
        f.write(f'daemon off; worker_processes 1; user root; pid {top}/pid; error_log {top}/error.log;\n'
                'events { worker_connections 1024; }\n'
                f'http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 1000000; open_file_cache max=100;\n'
                f'  client_body_temp_path {top}/b; proxy_temp_path {top}/p; fastcgi_temp_path {top}/f; uwsgi_temp_path {top}/u;\n'
                f'  scgi_temp_path {top}/s; server {{ listen 127.0.0.1:{NGINX_PORT}; root {root}; }} }}\n')
    process = subprocess.Popen(['nginx', '-c', os.path.join(top, 'nginx.conf')], stderr=subprocess.DEVNULL)

    def end():
        process.terminate()
        process.wait()
        bench.forget(end)
    bench.at_end(end)
    time.sleep(0.5)
    return end


def serve(bench, hive, client):
    wait_for_pages()
    cookie = log_in(client)
    with open(os.path.join(bench.programs, 'dashboard/manifest.json')) as f:
        assets = [e['path'] for e in json.load(f) if e['path'].startswith('/static/') and e['path'].endswith('.js')]
    paths = [max(assets, key=lambda p: len(request('GET', p)[1])), '/api/v1/status', '/api/v1/agents']
    files = {path: request('GET', path, headers={'Cookie': cookie})[1] for path in paths}
    end = nginx(bench, files)
    seconds, n = bench.of_size((2, 3), (1, 1))
    for path in paths:
        ours, theirs = [], []
        for _ in range(n):
            ours.append(wrk(path, PORT, seconds, None if 'static' in path else cookie))
            theirs.append(wrk(path, NGINX_PORT, seconds))
        size = len(files[path])
        name = 'a script' if 'static' in path else path
        bench.record(f'GET {name}, {size:,} bytes', '/s', [o[0] for o in ours], [t[0] for t in theirs], higher=True,
                     note=f'elsewhere: nginx, from a file; {CONNECTIONS} connections')
        bench.record(f'GET {name}, 99th percentile', 'ms', [o[1] for o in ours], [t[1] for t in theirs], note='elsewhere: nginx')
    end()


def lines(n):
    return ''.join(f'line {i} {"moves" if i % 7 == n % 7 else "stays"}\n' for i in range(LINES)).encode()


def difference(bench, hive, client):
    commands = Commands(bench)
    old = hive.fast_import('alice', {'agent.json': b'{}', 'rootfs/lines': lines(0)})
    first = client.ask('submit', agent='alice', commit=old)['proposal']['id']
    new = hive.fast_import('alice', {'rootfs/lines': lines(1)}, parent=old)
    number = client.ask('submit', agent='alice', commit=new)['proposal']['id']
    applied = hive.applied('alice')

    def elsewhere():
        commands.run('git', f'--git-dir={applied}', 'diff', '--no-ext-diff', '--no-color', old, new)

    def skep():
        client.send('diff', id=number, against=first)
        began = time.perf_counter()
        if b'"ok":true' not in client.line()[:100]:
            raise RuntimeError('no difference')
        return (time.perf_counter() - began) * 1000
    bench.compare(f'diff of {LINES:,} lines', {'skep': skep, 'elsewhere': elsewhere}, bench.of_size(20, 3))


def measure(bench):
    for tool in ('nginx', 'wrk'):
        need(tool)
    agents = bench.of_size(100, 10)
    state = filled(bench, agents, 50)
    hive = Hive(bench, state=state, dashboard=True, dashboard_port=PORT)
    hive.start()
    client = hive.client()
    serve(bench, hive, client)
    client.close()
    hive.end()
    hive = Hive(bench)
    hive.start()
    client = hive.client()
    for agent in ('hm1nd', 'alice'):
        client.ask('spawn', name=agent, wait=True)
    difference(bench, hive, client)
    client.close()
    hive.end()
