"""probe.py TIMES SECONDS HOST PORT: asks for /probe so often, by a connection each; a line each: outcome, milliseconds."""
import socket
import sys
import time

times, seconds, host, port = int(sys.argv[1]), float(sys.argv[2]), sys.argv[3], int(sys.argv[4])
request = f"GET /probe HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode()


def ask():
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as s:
        s.settimeout(seconds)
        try:
            s.connect((host, port))
            s.sendall(request)
            return s.recv(4096).split(b" ")[1].decode()
        except ConnectionRefusedError:
            return "reset"
        except TimeoutError:
            return "silence"
        except OSError as e:
            return "error-" + str(e.errno)


for _ in range(times):
    begun = time.monotonic()
    outcome = ask()
    print(outcome, f"{(time.monotonic() - begun) * 1000:.2f}", flush=True)
