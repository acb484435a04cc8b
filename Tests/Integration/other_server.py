"""A server of another make: OpenAI's API on Python's http.server, streaming in every way that its clients must bear.

How a stream is cut and dressed is its `style`; requests get the styles by turns. The server keeps its own count of what
it sent, so that a client's figures can be held against it.
"""

import http.server
import itertools
import json
import os
import pathlib
import socket
import subprocess
import threading

from cluster import await_state, get

WORDS = ["Grüße", " aus", " 東京", " und", " \"usage\":{", "\\n", " 🙂", " data: x", "\n\n", " end"]


def events(request, chat, style, tokens):
    """The JSON texts of a stream, in OpenAI's shape but spaced and ordered as this server likes."""
    def dump(value):
        return json.dumps(value) if "spaced" in style else json.dumps(value, separators=(",", ":"), ensure_ascii=False)

    base = {"id": "x-1", "object": "chunk", "model": "other", "created": 1}
    if "null-usage" in style:
        base["usage"] = None

    def chunk(text, finish=None, role=None):
        delta = ({"role": role} if role else {}) | ({"content": text} if text is not None else {})
        choice = {"index": 0, "delta": delta} if chat else {"index": 0, "text": text or ""}
        return dump(base | {"choices": [choice | {"finish_reason": finish, "logprobs": None}]})

    if chat:
        yield chunk("", role="assistant")
    for number in range(tokens):
        if "error" in style and number == 2:
            yield dump({"error": "the other server lost its mind"})
            return
        yield chunk(WORDS[number % len(WORDS)])
    yield chunk(None, finish="length")
    if "no-usage" not in style:
        said = tokens - 3 if "miscount" in style else tokens
        usage = {"prompt_tokens": 7, "completion_tokens": said, "total_tokens": 7 + said}
        yield dump(base | {"choices": [], "usage": usage})


def stream(texts, style):
    """The bytes of the stream, in the pieces in which they are to be sent."""
    end = "\r\n" if "crlf" in style else "\n"
    whole = []
    for number, text in enumerate(itertools.chain(texts, [] if "no-done" in style else ["[DONE]"])):
        if "pings" in style:
            whole.append(f": ping {number}{end}{end}")
        head = f"event: message{end}id: {number}{end}" if "fields" in style else ""
        whole.append(f"{head}data:{'' if 'tight' in style else ' '}{text}{end}{end}")
    data = "".join(whole).encode()
    if "together" in style:
        return [data]
    if "split" in style:
        # Of three bytes: within names, within characters, between CR and LF.
        return [data[start:start + 3] for start in range(0, len(data), 3)]
    return [piece.encode() for piece in whole]


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served = False

    def setup(self):
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def log_message(self, *_):
        pass

    def reply(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.reply(200, {"object": "list", "data": [{"id": "other", "object": "model"}]})

    def do_POST(self):
        if self.server.ends_kept and self.served:
            self.server.end_kept()
            self.close_connection = True
            return
        self.served = True
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        chat = self.path == "/api/v1/chat/completions"
        if not chat and self.path != "/api/v1/completions":
            return self.reply(404, {"detail": "no such path"})
        style = self.server.next_style()
        if "busy" in style:
            return self.reply(429, {"error": "too many of you"})
        tokens = request["max_tokens"]
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream; charset=utf-8")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for piece in stream(events(request, chat, style, tokens), style):
            self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.server.count(tokens)


class OtherServer(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, styles, ends_kept=False):
        """With `ends_kept`, a second request on a connection gets its end, without a byte."""
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.styles, self.requests, self.tokens = threading.Lock(), itertools.cycle(styles), 0, 0
        self.ends_kept, self.ended = ends_kept, 0
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)

    def next_style(self):
        with self.lock:
            return next(self.styles)

    def end_kept(self):
        with self.lock:
            self.ended += 1

    def count(self, tokens):
        with self.lock:
            self.requests += 1
            self.tokens += tokens

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self.server_close()


class LlamaServer:
    """llama.cpp's own server, where `scripts/setup.sh llama-server` has built it."""

    cache = pathlib.Path(os.environ.get("TOKENFACTORY_CACHE", pathlib.Path.home() / ".cache" / "tokenfactory"))
    program = cache / "llama-server" / "llama-server"

    def __init__(self, log):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        self.log = open(log, "wb")
        self.arguments = [
            str(self.program), "--model", str(self.cache / "models" / "smollm2-135m-instruct-q8_0.gguf"), "--host",
            "127.0.0.1", "--port", str(port), "--parallel", "4", "--ctx-size", "4096", "--threads", "2"]

    def __enter__(self):
        self.child = subprocess.Popen(self.arguments, stdout=self.log, stderr=self.log)
        await_state("llama-server serves", lambda: get(self.url + "/health")[0] == 200)
        return self

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait(20)
        self.log.close()
