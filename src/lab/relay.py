"""relay.py FROM_HOST:PORT TO_HOST:PORT: passes bytes on, and tells of each HTTP request and answer in them, a JSON line
each: when (the machine's monotonic clock), which, and the access key that signed."""
import json
import re
import socket
import sys
import threading
import time

KEY = re.compile(rb"Credential=([A-Za-z0-9]+)/")
REQUEST = re.compile(rb"^([A-Z]+) (\S+) HTTP/1\.1\r\n")
ANSWER = re.compile(rb"^HTTP/1\.1 (\d+)")


def tell(**what):
    print(json.dumps({"at": time.monotonic(), **what}), flush=True)


def pump(source, target, judge):
    try:
        while data := source.recv(65536):
            judge(data)
            target.sendall(data)
    except OSError:
        pass
    for each in (source, target):
        try:
            each.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def relay(client, address):
    server = socket.create_connection(address)
    for each in (client, server):
        each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection = client.fileno()

    def asked(data):
        if request := REQUEST.match(data):
            key = KEY.search(data)
            tell(asked=request[1].decode(), path=request[2].decode(), connection=connection,
                 key=key[1].decode() if key else None)

    def answered(data):
        # 100 only asks for the rest of the request.
        if (answer := ANSWER.match(data)) and answer[1] != b"100":
            tell(answered=int(answer[1]), connection=connection)

    threading.Thread(target=pump, args=(client, server, asked), daemon=True).start()
    pump(server, client, answered)


def endpoint(text):
    host, port = text.rsplit(":", 1)
    return host, int(port)


def main():
    listener = socket.create_server(endpoint(sys.argv[1]), backlog=128)
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        threading.Thread(target=relay, args=(client, endpoint(sys.argv[2])), daemon=True).start()


main()
