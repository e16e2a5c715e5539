"""A web server on this machine that does what web servers should not."""

import contextlib
import hashlib
import http.server
import random
import re
import threading
import time

import numpy as np

DATA = np.random.default_rng(0).bytes(300_000)
SHA256 = hashlib.sha256(DATA).hexdigest()
ETAG = '"version-1"'


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def do_GET(self):
        server = self.server
        manner = server.manners.pop(0) if server.manners else server.manner(self.path)
        start = self.start()
        server.requests.append((self.path, start, dict(self.headers)))
        self.close_connection = True
        with contextlib.suppress(ConnectionError):
            getattr(self, f"be_{manner.replace(' ', '_')}")(start)

    def start(self):
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        current = self.headers.get("If-Range", ETAG) == ETAG
        return int(asked[1]) if asked and current else 0

    def answer(self, start, data=DATA, **headers):
        if start >= len(data) > 0:
            return self.send_error(416)
        body = data[start:]
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", ETAG)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        return body

    def send(self, body):
        if body is not None:
            self.server.sent += len(body)
            self.wfile.write(body)

    def be_good(self, start):
        self.send(self.answer(start))

    def be_slow(self, start):
        body = self.answer(start)
        for first in range(0, len(body), 10_000):
            self.send(body[first : first + 10_000])
            time.sleep(0.02)

    def be_cut(self, start):
        body = self.answer(start)
        self.send(body[: len(body) // 2])

    def be_silent(self, start):
        body = self.answer(start)
        self.send(body[: len(body) // 2])
        self.server.stop.wait(5)

    def be_flipped(self, start):
        body = bytearray(self.answer(start))
        body[len(body) // 3] ^= 1
        self.send(body)

    def be_a_page(self, start):
        page = b"<!DOCTYPE html><title>Moved</title>" + b" " * 1000
        self.send(self.answer(0, page, Content_Type="text/html"))

    def be_a_page_in_disguise(self, start):
        self.send(self.answer(0, (b"\n<html>" + b" " * len(DATA))[: len(DATA)]))

    def be_ignorant_of_ranges(self, start):
        self.send(self.answer(0))

    def be_at_another_place(self, start):
        self.send_response(206)
        self.send_header("Content-Range", f"bytes 5-{len(DATA) - 1}/{len(DATA)}")
        self.send_header("Content-Length", str(len(DATA) - 5))
        self.end_headers()
        self.send(DATA[5:])

    def be_too_short(self, start):
        self.send(self.answer(0, DATA[:-1]))

    def be_too_long(self, start):
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for _ in range(1000):
            self.wfile.write(b"4E20\r\n" + bytes(0x4E20) + b"\r\n")
            self.server.sent += 0x4E20
            time.sleep(0.001)
        self.wfile.write(b"0\r\n\r\n")

    def be_endless(self, start):
        self.send_response(200)
        self.end_headers()
        self.send(DATA)

    def be_called_gzip(self, start):
        self.send(self.answer(start, Content_Encoding="gzip"))

    def be_missing(self, start):
        self.send_error(404)

    def be_broken(self, start):
        self.send_error(503)

    def be_busy(self, start):
        self.send_response(429)
        self.send_header("Retry-After", "1")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def be_416(self, start):
        self.send_error(416)

    def be_elsewhere(self, start):
        self.send_response(302)
        self.send_header("Location", self.server.elsewhere)
        self.send_header("Content-Length", "0")
        self.end_headers()


class Server(http.server.ThreadingHTTPServer):
    """Answers in the manners of ``manners``, one request each, and then as ``manner`` says."""

    daemon_threads = True
    request_queue_size = 200

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.manners, self.manner = [], lambda path: "good"
        self.requests, self.sent, self.elsewhere = [], 0, ""
        self.stop = threading.Event()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/"

    def at_random(self, seed, manners):
        choice = random.Random(seed)
        self.manner = lambda path: choice.choice(manners)


@contextlib.contextmanager
def running():
    with Server() as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        try:
            yield server
        finally:
            server.stop.set()
            server.shutdown()
