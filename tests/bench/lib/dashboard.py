"""The dashboard as a browser asks it."""
import http.client
import json
import time

PORT = 17700


def request(method, path, body=None, headers=None):
    connection = http.client.HTTPConnection('127.0.0.1', PORT, timeout=30)
    connection.request(method, path, body, headers or {})
    answer = connection.getresponse()
    data = answer.read()
    if answer.status != 200:
        raise RuntimeError(f'{method} {path}: {answer.status} {data[:200]}')
    return answer, data


def log_in(client):
    code = client.ask('dashboard')['login']['code']
    answer, _ = request('POST', '/api/v1/login', json.dumps({'code': code}),
                        {'Content-Type': 'application/json', 'Origin': f'http://127.0.0.1:{PORT}'})
    return answer.getheader('Set-Cookie').split(';')[0]


def wait_for_pages():
    for _ in range(200):
        try:
            return request('GET', '/livez')
        except OSError:
            time.sleep(0.05)
    raise RuntimeError('the dashboard does not answer')
