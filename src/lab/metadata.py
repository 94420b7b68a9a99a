"""An instance metadata service, version 2, as EC2's answers it. metadata.py HOP_LIMIT_FILE KEYS_FILE: both are read
for each request. What it hands out it says on standard output, a line each."""
import http.server
import json
import secrets
import socket
import sys

from servers import serve

HOP_LIMIT, KEYS = sys.argv[1:3]
REGION = "us-east-1"
TOKENS = set()


def read(file):
    with open(file) as f:
        return f.read().strip()


class Answers(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        if self.path != "/latest/api/token" or "X-aws-ec2-metadata-token-ttl-seconds" not in self.headers:
            return self.answer(400, "Bad Request")
        # EC2 limits the hops of this one answer; a resent one has the same limit, so it stays on the connection.
        if self.connection.family == socket.AF_INET:
            self.connection.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, int(read(HOP_LIMIT)))
        else:
            self.connection.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, int(read(HOP_LIMIT)))
        token = secrets.token_urlsafe(40)
        TOKENS.add(token)
        self.answer(200, token, [("X-aws-ec2-metadata-token-ttl-seconds", "21600")])

    def do_GET(self):
        if self.path == "/probe":
            return self.answer(200, "here")
        if self.headers.get("X-aws-ec2-metadata-token") not in TOKENS:
            return self.answer(401, "Unauthorized")
        path = self.path.rstrip("/")
        if path.endswith("/iam/security-credentials"):
            return self.answer(200, "node")
        if path.endswith("/iam/security-credentials/node"):
            return self.answer(200, read(KEYS))
        if path.endswith("/instance-identity/document"):
            return self.answer(200, json.dumps({"region": REGION, "instanceId": "i-0123456789abcdef0"}))
        if path.endswith("/placement/region"):
            return self.answer(200, REGION)
        if path.endswith("/placement/availability-zone"):
            return self.answer(200, REGION + "a")
        self.answer(404, "Not Found")

    def answer(self, status, text, headers=()):
        print(self.command, self.path, status, flush=True)
        body = text.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


serve(Answers, ("169.254.169.254", 80), ("fd00:ec2::254", 80))
