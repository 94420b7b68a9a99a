"""HTTP servers of the lab."""
import http.server
import socket
import socketserver
import threading


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128

    def server_bind(self):
        # Without looking up a name for the address: the lab has no name server.
        socketserver.TCPServer.server_bind(self)


class ServerV6(Server):
    address_family = socket.AF_INET6


def serve(answers, *addresses):
    """Serves at each address, says so, and goes on until it is ended."""
    for address in addresses:
        server = (ServerV6 if ":" in address[0] else Server)(address, answers)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    print("ready", flush=True)
    threading.Event().wait()
