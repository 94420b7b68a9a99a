"""endpoint.py PORT: answers 200 at the credential addresses, bound as taskrole binds them."""
import http.server
import sys

from servers import serve


class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


port = int(sys.argv[1])
serve(Answers, ("169.254.170.23", port), ("169.254.170.2", port), ("fd00:ec2::23", port))
