"""One file from the network: over HTTPS, whole, with the expected content, or not at all."""

import hashlib
import http.client
import ipaddress
import os
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

_CHUNK = 64 * 1024  # bytes


def download(url: str, target: Path, sha256: str, *, timeout_s: float = 30.0) -> Path:
    """Fetch ``url`` into ``target``, and return it; ``target`` appears complete or not at all.

    The content must have the given sha256. It is written beside ``target`` and renamed when it is
    whole and right; after a failure nothing stays behind. ``timeout_s`` bounds every single wait,
    not the whole. A progress bar is drawn on a terminal. Only HTTPS is followed, redirects
    included; plain HTTP is allowed to this very machine.

    Raises ``ValueError`` for an address that is not safe and for wrong content, ``ConnectionError``
    when the transfer fails.
    """
    _require_secure(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f"{target.name}.", suffix=".part", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            digest = _transfer(url, file, timeout_s, target.name)
        if digest != sha256:
            raise ValueError(f"{url} delivered other content: sha256 {digest}, expected {sha256}")
        os.replace(name, target)
    finally:
        with suppress(FileNotFoundError):
            os.unlink(name)
    return target


def sha256_of(path: Path) -> str:
    """Hexadecimal sha256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _transfer(url: str, file: BinaryIO, timeout_s: float, label: str) -> str:
    from tqdm import tqdm

    opener = urllib.request.build_opener(_SecureRedirects)
    digest = hashlib.sha256()
    received = 0
    try:
        with opener.open(url, timeout=timeout_s) as response:
            total = int(response.headers.get("Content-Length") or 0)
            # disable=None: no bar where nobody watches.
            with tqdm(
                total=total or None, desc=label, unit="B", unit_scale=True, disable=None
            ) as bar:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    received += len(chunk)
                    bar.update(len(chunk))
    except urllib.error.HTTPError as error:
        raise ConnectionError(f"{url} answered {error.code} {error.reason}") from error
    except http.client.HTTPException as error:
        raise ConnectionError(f"{url} was cut off after {received} bytes") from error
    except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
        raise ConnectionError(f"{url} failed: {getattr(error, 'reason', error)}") from error
    if received < total:
        raise ConnectionError(f"{url} was cut off after {received} of {total} bytes")
    return digest.hexdigest()


class _SecureRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, req, fp, code, msg, headers, newurl):
        _require_secure(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _require_secure(url: str) -> None:
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and _is_loopback(parts.hostname or "")):
        return
    raise ValueError(f"refusing to download from {url}: weights are fetched over https only")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
