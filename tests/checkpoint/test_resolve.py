"""From a model's name to its directory; the hub is a web server on this machine."""

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from huggingface_hub import constants
from townsfolk.checkpoint import ModelNotFoundError, resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"
FILES = {
    "config.json": b'{"model_type": "llama"}',
    "model.safetensors": b"weights",
    "pytorch_model.bin": b"a pickle, which must never be fetched",
    "README.md": b"words",
}


class FakeHub(BaseHTTPRequestHandler):
    """As much of the hub as a download needs."""

    def do_HEAD(self):
        self.do_GET()

    def do_GET(self):
        path = self.path.split("?")[0]
        self.server.asked.append(path)
        if path.startswith("/api/models/someone/innkeeper"):
            siblings = [{"rfilename": name} for name in FILES]
            if "/tree/" in path:
                body = [
                    {"type": "file", "path": name, "size": len(data), "oid": "0" * 40}
                    for name, data in FILES.items()
                ]
            else:
                body = {"id": "someone/innkeeper", "sha": COMMIT, "siblings": siblings}
            return self.answer(200, json.dumps(body).encode(), {"Content-Type": "application/json"})
        name = path.rsplit("/", 1)[-1]
        if path.startswith("/someone/innkeeper/resolve/") and name in FILES:
            return self.answer(200, FILES[name], {"X-Repo-Commit": COMMIT, "ETag": f'"{name}"'})
        return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def answer(self, status, body, headers):
        self.send_response(status)
        for key, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def hub(monkeypatch, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), FakeHub)
    server.asked = []
    Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    for module in [name for name in sys.modules if name.startswith("huggingface_hub")]:
        for attribute in ("ENDPOINT", "HUGGINGFACE_CO_URL_HOME"):
            if hasattr(sys.modules[module], attribute):
                monkeypatch.setattr(sys.modules[module], attribute, endpoint)
    monkeypatch.setattr(constants, "ENDPOINT", endpoint)
    monkeypatch.setattr(
        constants,
        "HUGGINGFACE_CO_URL_TEMPLATE",
        endpoint + "/{repo_id}/resolve/{revision}/{filename}",
    )
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    yield server
    server.shutdown()
    server.server_close()


def test_a_directory_is_itself(tmp_path):
    assert resolve(tmp_path) == tmp_path
    assert resolve(str(tmp_path)) == tmp_path


def test_the_starter_model_ships():
    assert (resolve("starter") / "config.json").exists()


@pytest.mark.parametrize("name", ["no such model", "/nowhere/at/all", "../up", ""])
def test_what_is_nothing_says_what_it_could_be(name):
    with pytest.raises(ModelNotFoundError, match="neither a directory"):
        resolve(name)


def test_what_looks_like_a_path_is_one(hub, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "innkeeper").mkdir(parents=True)
    (tmp_path / "models" / "weights.safetensors").touch()
    with pytest.raises(ModelNotFoundError, match=r"models/inkeeper does not exist; .* innkeeper"):
        resolve("models/inkeeper")
    with pytest.raises(ModelNotFoundError, match="is a file that is not read: give a GGUF file"):
        resolve("models/weights.safetensors")
    for name in ("nowhere/model.gguf", "nowhere/weights.safetensors"):
        with pytest.raises(ModelNotFoundError, match="does not exist, nor does the folder nowhere"):
            resolve(name)
    assert not hub.asked


def test_a_gguf_file_is_itself_and_stands_for_its_folder(tmp_path):
    path = tmp_path / "model.gguf"
    path.touch()
    assert resolve(path) == resolve(str(path)) == resolve(tmp_path) == path


def test_the_first_part_stands_for_a_folder_of_parts(tmp_path):
    for number in (2, 1, 3):
        (tmp_path / f"m-0000{number}-of-00003.gguf").touch()
    assert resolve(tmp_path).name == "m-00001-of-00003.gguf"


def test_a_folder_of_several_gguf_files_asks_which(tmp_path):
    for name in ("q4.gguf", "q8.gguf"):
        (tmp_path / name).touch()
    with pytest.raises(ModelNotFoundError, match=r"several GGUF files; name one of q4\.gguf, q8"):
        resolve(tmp_path)
    (tmp_path / "config.json").touch()
    assert resolve(tmp_path) == tmp_path


def test_without_the_extra_it_says_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(ModelNotFoundError, match=r"pip install 'townsfolk\[hub\]'"):
        resolve("someone/innkeeper")


def test_a_hub_id_is_downloaded_without_pickles(hub):
    directory = resolve("someone/innkeeper")
    assert sorted(path.name for path in directory.iterdir()) == ["config.json", "model.safetensors"]
    assert (directory / "model.safetensors").read_bytes() == b"weights"
    assert not any(path.endswith(".bin") for path in hub.asked)


def test_a_model_that_the_hub_does_not_have(hub):
    with pytest.raises(ModelNotFoundError, match="no model someone/nobody"):
        resolve("someone/nobody")


def test_offline_it_says_so(hub, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(ModelNotFoundError, match="not in the local cache and cannot be downloaded"):
        resolve("someone/innkeeper")


def test_what_was_downloaded_once_is_there_offline(hub, monkeypatch):
    directory = resolve("someone/innkeeper")
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert resolve("someone/innkeeper") == directory
