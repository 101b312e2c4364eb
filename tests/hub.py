"""A Hub on this machine: what its client asks for when a run is published or fetched, over real HTTP."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

TOKEN = "hf_goodtoken0of0a0user"
READER = "hf_readonly0of0a0user"


class Hub:
    """Repositories by name; a commit is its files by path.

    Attributes:
        branches: commit by repository, then by branch.
        commits: files by repository, then by commit.
        private: names of the repositories that only TOKEN sees.
        asked: method and path of each request.
        broken: a path that is answered by 500, as far as it matches.
    """

    def __init__(self) -> None:
        self.branches: dict[str, dict[str, str]] = {}
        self.commits: dict[str, dict[str, dict[str, bytes]]] = {}
        self.private: set[str] = set()
        self.asked: list[str] = []
        self.broken: str | None = None
        self.objects: dict[str, bytes] = {}
        handler = type("Handler", (_Handler,), {"hub": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def create(self, repo: str) -> None:
        self.branches[repo], self.commits[repo] = {}, {}
        self.commit(repo, {})

    def commit(self, repo: str, files: dict[str, bytes], branch: str = "main") -> str:
        """Put all of a new commit; returns its hash."""
        text = repr((repo, branch, sorted((name, hashlib.sha1(c).hexdigest()) for name, c in files.items())))
        sha = hashlib.sha1(text.encode()).hexdigest()
        self.commits[repo][sha], self.branches[repo][branch] = dict(files), sha
        return sha

    def files(self, repo: str, revision: str = "main") -> dict[str, bytes]:
        return self.commits[repo][self.branches[repo].get(revision, revision)]

    def environment(self, home: Path, token: str | None = None) -> dict[str, str]:
        """Variables by which a command's client finds this Hub, and nothing else."""
        own = {"HF_ENDPOINT": self.url, "HF_HOME": str(home), "HF_HUB_DISABLE_XET": "1"}
        return own if token is None else {**own, "HF_TOKEN": token}


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments: Any) -> None:
        pass

    def _serve(self) -> None:
        path = unquote(urlsplit(self.path).path)
        self.hub.asked.append(f"{self.command} {path}")
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.hub.broken and re.search(self.hub.broken, path):
            return self._answer(500, {"error": "broken"})
        if self.headers.get("Authorization") not in (None, f"Bearer {TOKEN}", f"Bearer {READER}"):
            message = {"X-Error-Message": "Invalid credentials in Authorization header"}
            return self._answer(401, {"error": "Invalid credentials in Authorization header"}, message)
        for (method, pattern), answer in _ANSWERS.items():
            if method == self.command and (found := re.fullmatch(pattern, path)):
                return answer(self, content, *found.groups())
        return self._answer(404, {"error": f"the stub knows no {self.command} {path}"})

    do_GET = do_HEAD = do_POST = do_PUT = _serve

    def _answer(self, status: int, content: Any, headers: dict[str, str] | None = None) -> None:
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _known(self, repo: str, revision: str = "main") -> str | None:
        """The commit; None after an answer that there is none, or none for this reader."""
        owner = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if repo not in self.hub.commits or (repo in self.hub.private and not owner):
            self._answer(404, {"error": "Repository not found"}, {"X-Error-Code": "RepoNotFound"})
            return None
        sha = self.hub.branches[repo].get(revision, revision)
        if sha not in self.hub.commits[repo]:
            self._answer(404, {"error": "Invalid rev id"}, {"X-Error-Code": "RevisionNotFound"})
            return None
        return sha

    def _may_write(self) -> bool:
        may = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if not may:
            self._answer(403, {"error": "no right"}, {"X-Error-Message": "You have no write access"})
        return may

    def create(self, content: bytes) -> None:
        wanted = json.loads(content)
        repo = f"{wanted['organization']}/{wanted['name']}"
        if not self._may_write():
            return
        if repo in self.hub.commits:
            return self._answer(409, {"error": "exists", "url": f"{self.hub.url}/{repo}"})
        self.hub.create(repo)
        if wanted.get("visibility") == "private":
            self.hub.private.add(repo)
        self._answer(200, {"url": f"{self.hub.url}/{repo}"})

    def branch(self, content: bytes, repo: str, name: str) -> None:
        if not self._may_write():
            return
        there = name in self.hub.branches[repo]
        self.hub.branches[repo].setdefault(name, self.hub.branches[repo]["main"])
        self._answer(409 if there else 200, {})

    def info(self, content: bytes, repo: str, revision: str | None = None) -> None:
        if sha := self._known(repo, revision or "main"):
            siblings = [{"rfilename": name} for name in self.hub.commits[repo][sha]]
            self._answer(200, {"id": repo, "sha": sha, "private": repo in self.hub.private, "siblings": siblings})

    def tree(self, content: bytes, repo: str, revision: str) -> None:
        if sha := self._known(repo, revision):
            files = self.hub.commits[repo][sha].items()
            self._answer(200, [{"type": "file", "path": n, "size": len(c), "oid": _oid(c)} for n, c in files])

    def resolve(self, content: bytes, repo: str, revision: str, name: str) -> None:
        if sha := self._known(repo, revision):
            if name not in self.hub.commits[repo][sha]:
                code = {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": sha}
                return self._answer(404, {"error": "Entry not found"}, code)
            body = self.hub.commits[repo][sha][name]
            self._answer(200, body, {"ETag": f'"{_oid(body)}"', "X-Repo-Commit": sha})

    def validate(self, content: bytes) -> None:
        self._answer(200, {"errors": [], "warnings": []})

    def preupload(self, content: bytes, repo: str, revision: str) -> None:
        if self._may_write() and self._known(repo, revision):
            files = json.loads(content)["files"]
            modes = {True: "lfs", False: "regular"}
            answer = [
                {"path": f["path"], "uploadMode": modes[f["path"].endswith(".safetensors")], "shouldIgnore": False}
                for f in files
            ]
            self._answer(200, {"files": answer})

    def batch(self, content: bytes, repo: str) -> None:
        objects = [
            {**one, "actions": {"upload": {"href": f"{self.hub.url}/objects/{one['oid']}"}}}
            for one in json.loads(content)["objects"]
        ]
        self._answer(200, {"transfer": "basic", "objects": objects})

    def put(self, content: bytes, oid: str) -> None:
        right = hashlib.sha256(content).hexdigest() == oid
        self.hub.objects[oid] = content
        self._answer(200 if right else 400, {})

    def commit(self, content: bytes, repo: str, revision: str) -> None:
        sha = self._known(repo, revision) if self._may_write() else None
        if sha is None:
            return
        files = dict(self.hub.commits[repo][sha])
        for line in map(json.loads, content.splitlines()):
            value = line["value"]
            if line["key"] == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                files[value["path"]] = self.hub.objects[value["oid"]]
            elif line["key"] == "deletedFile":
                del files[value["path"]]
        new = self.hub.commit(repo, files, revision)
        self._answer(200, {"commitUrl": f"{self.hub.url}/{repo}/commit/{new}", "commitOid": new})


def _oid(content: bytes) -> str:
    return hashlib.sha1(content).hexdigest()


_REPO = r"([^/]+/[^/]+?)"
_ANSWERS: dict[tuple[str, str], Callable[..., None]] = {
    ("POST", "/api/repos/create"): _Handler.create,
    ("POST", "/api/validate-yaml"): _Handler.validate,
    ("POST", f"/api/models/{_REPO}/branch/(.+)"): _Handler.branch,
    ("POST", f"/api/models/{_REPO}/preupload/(.+)"): _Handler.preupload,
    ("POST", f"/api/models/{_REPO}/commit/(.+)"): _Handler.commit,
    ("POST", rf"/{_REPO}\.git/info/lfs/objects/batch"): _Handler.batch,
    ("PUT", "/objects/([0-9a-f]{64})"): _Handler.put,
    ("GET", f"/api/models/{_REPO}"): _Handler.info,
    ("GET", f"/api/models/{_REPO}/revision/(.+)"): _Handler.info,
    ("GET", f"/api/models/{_REPO}/tree/(.+)"): _Handler.tree,
    ("GET", f"/{_REPO}/resolve/([^/]+)/(.+)"): _Handler.resolve,
    ("HEAD", f"/{_REPO}/resolve/([^/]+)/(.+)"): _Handler.resolve,
}
