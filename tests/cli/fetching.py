"""A made-up corpus, a server that has it, and the command that fetches it: helpers of the tests of fetching."""

import hashlib
import http.server
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, "-m", "nmt", "corpus", "fetch"]
TEXTS = {"train.en": b"one\ntwo\n" * 5000, "train.de": "eins\nzwölf\n".encode(), "val.en": b"three\n"}


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def write_recipe(tmp_path, **changes):
    data = {
        "name": "tiny",
        "description": "made up",
        "url": "http://127.0.0.1:9/none",
        "licence": "free",
        "citation": "nobody",
        "files": [{"name": n, "path": f"{n}.gz", "sha256": sha256(text)} for n, text in TEXTS.items()],
    }
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps({**data, **changes}), encoding="utf-8")
    return path


class Server(http.server.ThreadingHTTPServer):
    """Serves a folder; `answers` overrides the next requests of a path, one status (or None: cut short) each."""

    daemon_threads = True

    def __init__(self, folder):
        super().__init__(("127.0.0.1", 0), Handler)
        self.folder = folder
        self.answers = {}
        self.requests = []
        self.stalled = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name = self.path.lstrip("/")
        self.server.requests.append(name)
        path = self.server.folder / name
        answers = self.server.answers.get(name, [])
        answer = answers.pop(0) if answers else 200 if path.is_file() else 404
        data = path.read_bytes() if path.is_file() else b""
        if answer not in (200, "short", "stall"):
            self.send_error(answer)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data if answer == 200 else data[: len(data) // 2])
        self.wfile.flush()
        if answer == "stall":
            self.server.stalled.set()
            self.server.release.wait(30)

    def log_message(self, *args):
        pass


def environment():
    return {**os.environ, "no_proxy": "*", "PYTHONPATH": str(ROOT)}


def fetch(*arguments):
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        env=environment(),
    )


def leftovers(folder):
    return [path.name for path in folder.iterdir() if "fetching" in path.name]
