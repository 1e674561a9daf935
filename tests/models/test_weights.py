"""Official weights: where they are looked for, and a download that is whole or not there at all."""

import dataclasses
import hashlib
import http.server
import json
import threading
from pathlib import Path

import pytest

from esr_kernels.models import weights
from esr_kernels.models.catalogue import OFFICIAL
from esr_kernels.models.download import download
from esr_kernels.models.weights import find_weights

CONTENT = bytes(range(256)) * 600
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Release(http.server.BaseHTTPRequestHandler):
    """A release that fails in every way a test needs, chosen by the path."""

    def do_GET(self):
        if self.path == "/gone/a.pth":
            self.send_error(404)
        elif self.path == "/moved/a.pth":
            self.send_response(302)
            self.send_header("Location", "/whole/a.pth")
            self.end_headers()
        elif self.path == "/unsafe/a.pth":
            self.send_response(302)
            self.send_header("Location", "http://example.invalid/a.pth")
            self.end_headers()
        else:
            content = CONTENT[:70_000] if self.path == "/cut/a.pth" else CONTENT
            self.send_response(200)
            if self.path != "/unmeasured/a.pth":
                self.send_header("Content-Length", str(len(CONTENT)))
            self.end_headers()
            self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Release) as running:
        thread = threading.Thread(target=running.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{running.server_port}"
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def alone(monkeypatch, tmp_path):
    """No weights on this machine, no proxy between it and itself."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("ESR_KERNELS_REFERENCE", str(tmp_path / "no_reference"))
    monkeypatch.delenv("ESR_KERNELS_WEIGHTS", raising=False)
    monkeypatch.setenv("no_proxy", "*")


@pytest.fixture
def release(monkeypatch, server):
    """Replaces the official address and hash of "span"; the argument chooses the way it fails."""

    def at(way: str, sha256: str = SHA256):
        file = dataclasses.replace(OFFICIAL["span"], url=f"{server}/{way}/a.pth", sha256=sha256)
        monkeypatch.setitem(OFFICIAL, "span", file)

    return at


def files(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("way", ["whole", "moved", "unmeasured"])
def test_a_download_is_kept_for_the_next_time(tmp_path, release, monkeypatch, way):
    release(way)
    path = find_weights("span")
    assert path == tmp_path / "cache" / "esr_kernels" / "a.pth"
    assert path.read_bytes() == CONTENT
    assert files(tmp_path) == ["a.pth"]
    monkeypatch.setattr("esr_kernels.models.download.download", None)
    assert find_weights("span") == path


@pytest.mark.parametrize(
    ("way", "sha256", "says"),
    [
        ("gone", SHA256, "answered 404"),
        ("cut", SHA256, "cut off after 70000 of 153600 bytes"),
        ("whole", "0" * 64, "delivered other content"),
        ("unsafe", SHA256, "over https only"),
    ],
)
def test_a_failed_download_says_what_to_do_and_leaves_nothing(tmp_path, release, way, sha256, says):
    release(way, sha256)
    with pytest.raises(FileNotFoundError, match=says) as raised:
        find_weights("span")
    assert "curl -fL --create-dirs -o" in str(raised.value)
    assert "ESR_KERNELS_WEIGHTS" in str(raised.value)
    assert files(tmp_path) == []


def test_nobody_listening(tmp_path):
    with pytest.raises(ConnectionError, match="refused"):
        download("http://127.0.0.1:9/a.pth", tmp_path / "a.pth", SHA256, timeout_s=2)
    assert files(tmp_path) == []


def test_a_failed_download_keeps_what_was_there(tmp_path, server):
    target = tmp_path / "a.pth"
    target.write_bytes(b"older")
    with pytest.raises(ValueError, match="other content"):
        download(f"{server}/whole/a.pth", target, "0" * 64)
    assert files(tmp_path) == ["a.pth"] and target.read_bytes() == b"older"


@pytest.mark.parametrize("url", ["http://example.com/a.pth", "file:///etc/hostname", "ftp://h/a"])
def test_only_https(tmp_path, url):
    with pytest.raises(ValueError, match="over https only"):
        download(url, tmp_path / "a.pth", SHA256)
    assert files(tmp_path) == []


def test_order_of_folders(tmp_path, release, monkeypatch):
    release("whole")
    cached = find_weights("span")
    reference = tmp_path / "shared" / "reference" / "weights" / "a.pth"
    chosen = tmp_path / "mine" / "a.pth"
    for path in (reference, chosen):
        path.parent.mkdir(parents=True)
        path.write_bytes(CONTENT)
    assert find_weights("span") == cached
    monkeypatch.setenv("ESR_KERNELS_REFERENCE", str(tmp_path / "shared"))
    assert find_weights("span") == reference
    monkeypatch.setenv("ESR_KERNELS_WEIGHTS", str(chosen.parent))
    assert find_weights("span") == chosen
    chosen.unlink()
    assert find_weights("span") == reference


def test_a_damaged_cache_is_fetched_again(release):
    release("whole")
    path = find_weights("span")
    path.write_bytes(CONTENT[:100])
    assert find_weights("span").read_bytes() == CONTENT


def test_the_chosen_folder_is_taken_at_its_word(tmp_path, release, monkeypatch):
    release("whole")
    monkeypatch.setenv("ESR_KERNELS_WEIGHTS", str(tmp_path))
    (tmp_path / "a.pth").write_bytes(b"retrained")
    with pytest.raises(ValueError, match=r"not the official file.* load\("):
        find_weights("span")
    monkeypatch.setenv("ESR_KERNELS_WEIGHTS", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match="which is not a folder"):
        find_weights("span")


def test_unknown_name():
    with pytest.raises(ValueError, match="known: span, span-26, rlfn"):
        find_weights("swinir")


@pytest.mark.reference
def test_pinned_facts_are_those_of_the_reference(reference_dir):
    manifest = json.loads((reference_dir / "reference" / "manifest.json").read_text())
    by_team = {entry["id"]: entry for entry in manifest}
    for file in OFFICIAL.values():
        if file.name == "slimrlfn-pruned":  # the reference folder has the file and no facts
            continue
        entry = by_team[file.team]
        assert bool(file.url) == entry["more"]["weights_official"]
        if file.url:
            assert (file.filename, file.sha256) == (Path(entry["weights"]).name, entry["sha256"])
        assert file.parameters == round(entry["params_M"] * 1e6)
        assert file.flops == round(entry["flops_G"] * 1e9)
        assert file.activations == round(entry["activations_M"] * 1e6)
        assert file.convolutions == entry["num_conv"]


def test_what_was_never_released_says_so():
    with pytest.raises(FileNotFoundError, match=r"'magicsr' \(team 18\) were never released"):
        find_weights("magicsr")


def test_reference_folder_is_none_where_there_is_none():
    assert weights.reference_folder() is None
