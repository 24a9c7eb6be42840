# SPDX-License-Identifier: MIT
"""What python-socketio makes of the server, as TAP.

python_socketio.py SUITE TABLE COOKIE COOKIE DEN: the address of a server with the
application for test suites, that of one with the tabletop, the logins of two
who may join its session DEN. It says "kill" and waits for a line where
somebody is to kill the workers of the second.
"""

import os
import queue
import sys
import time
import traceback

import socketio

suite, table, ann, bert, den = sys.argv[1:]
WAYS = {'polling': ['polling'], 'websocket': ['websocket'],
        'upgrade': ['polling', 'websocket']}
SECONDS = 30
tests = []


class Client:
    """Keeps what it hears, by event, and answers what it is asked."""

    def __init__(self, address, way, namespaces=('/',), **options):
        again = options.pop('again', False)
        options.setdefault('wait_timeout', SECONDS)
        self.heard = {}
        self.sio = socketio.Client(reconnection=again,
                                   reconnection_delay=0.1)
        for nsp in namespaces:
            for name in options.pop('events', ()) or (
                    'auth', 'message-back', 'connect', 'disconnect'):
                self.listen(nsp, name)
        self.sio.on('asked', lambda *args: 'an answer', namespace='/custom')
        self.sio.connect(address, transports=WAYS[way],
                         namespaces=list(namespaces), **options)

    def listen(self, nsp, name):
        self.heard[nsp, name] = queue.Queue()
        self.sio.on(name, lambda *args: self.heard[nsp, name].put(args),
                    namespace=nsp)

    def hear(self, name, nsp='/'):
        return self.heard[nsp, name].get(timeout=SECONDS)

    def ask(self, name, *args, nsp='/'):
        return self.sio.call(name, args, namespace=nsp, timeout=SECONDS)

    def leave(self):
        self.sio.disconnect()


def test(name):
    def add(act):
        tests.append((name, act))
        return act
    return add


def is_equal(got, wanted):
    if got != wanted:
        raise AssertionError(f'got {got!r}, wanted {wanted!r}')


def for_each_way(name):
    def add(act):
        for way in WAYS:
            tests.append((f'{way}: {name}', lambda way=way: act(way)))
        return act
    return add


@for_each_way('auth, namespaces, refusal')
def namespaces(way):
    auth = {'token': '123', 'list': [1, 'ä', None]}
    client = Client(suite, way, ('/', '/custom'), auth=auth)
    is_equal(client.hear('auth'), (auth,))
    is_equal(client.hear('auth', '/custom'), (auth,))
    if client.sio.get_sid('/') == client.sio.get_sid('/custom'):
        raise AssertionError('one sid for both')
    client.leave()
    try:
        Client(suite, way, ('/nope',), wait_timeout=3)
    except socketio.exceptions.ConnectionError:
        return
    raise AssertionError('it was let in')


@for_each_way('answers both ways')
def answers(way):
    client = Client(suite, way, ('/', '/custom'))
    args = (1, 'two', {'three': [True, None, 0.5]})
    is_equal(client.ask('message-with-ack', *args), args)
    is_equal(client.ask('message-with-ack', 'one'), 'one')
    # By polling it may leave without a word, and is missed by its pong only.
    end = time.monotonic() + SECONDS
    alone = (1, [['an answer']])
    while time.monotonic() < end:
        got = client.ask('ask-all', 5000, nsp='/custom')
        if got == alone:
            break
        time.sleep(0.1)
    is_equal(got, alone)
    client.leave()


@for_each_way('attachments both ways')
def attachments(way):
    client = Client(suite, way)
    data = bytes(range(256))
    args = (1, data, {'deep': [{'x': data[:3]}, b'']})
    client.sio.emit('message', args)
    is_equal(client.hear('message-back'), args)
    is_equal(client.ask('message-with-ack', *args), args)
    client.leave()


@for_each_way('two hundred, each once')
def each_once(way):
    # It takes at most 16 packets at a time, and hears each in a thread of its
    # own, so that it does not know their order.
    client = Client(suite, way)
    sent = [(n, b'x' * (n % 9)) if n % 7 == 0 else (n,) for n in range(200)]
    heard = []
    for start in range(0, 200, 5):
        for args in sent[start:start + 5]:
            client.sio.emit('message', args)
        heard += [client.hear('message-back') for _ in range(5)]
    is_equal(sorted(heard), sent)
    if way == 'upgrade':
        is_equal(client.sio.transport(), 'websocket')
    client.leave()


def player(way, cookie, again=False):
    # Made anew each time: where it upgrades, it takes the cookie out of them.
    client = Client(table, way, headers=lambda: {'Cookie': cookie},
                    again=again,
                    events=('chat-message', 'user-joined', 'connect',
                            'disconnect'))
    is_equal(client.ask('join-session', int(den))['success'], True)
    return client


@for_each_way('a room: the others hear, each once')
def rooms(way):
    one, two = player(way, ann), player('websocket', bert)
    for n in range(20):
        said = one.ask('chat-message', {'sessionId': int(den),
                                        'message': str(n)})
        is_equal(said['success'], True)
    is_equal(sorted(int(two.hear('chat-message')[0]['message'])
                    for _ in range(20)), list(range(20)))
    is_equal(two.ask('chat-message', {'sessionId': int(den),
                                      'message': 'back'})['success'], True)
    is_equal(one.hear('chat-message')[0]['message'], 'back')
    is_equal(one.ask('leave-session', int(den))['success'], True)
    two.ask('chat-message', {'sessionId': int(den), 'message': 'alone'})
    one.ask('get-user-data')
    is_equal(one.heard['/', 'chat-message'].qsize(), 0)
    one.leave()
    two.leave()


@for_each_way('comes back by itself')
def reconnect(way):
    client = player(way, ann, again=True)
    client.hear('connect')
    first = client.sio.get_sid()
    print('kill', flush=True)
    sys.stdin.readline()
    client.hear('disconnect')
    client.hear('connect')
    if client.sio.get_sid() == first:
        raise AssertionError('the same sid')
    answer = client.ask('join-session', int(den))
    is_equal((answer['success'], answer.get('error')), (True, None))
    client.leave()


for number, (name, act) in enumerate(tests, 1):
    failure = ''
    try:
        act()
    except Exception:
        failure = traceback.format_exc()
    print('not ok' if failure else 'ok', number, '-', name, flush=True)
    for line in failure.splitlines():
        print('#', line, flush=True)
print(f'1..{len(tests)}', flush=True)
# Who was refused still has threads that nobody ends.
os._exit(0)
