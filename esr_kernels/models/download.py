"""Download of one file over HTTPS: complete and with the expected content, or not at all."""

import hashlib
import http.client
import ipaddress
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import BinaryIO

from ..output.files import whole_file
from ..output.progress import BYTES, bar

_CHUNK = 64 * 1024  # bytes


def download(url: str, target: Path, sha256: str, *, timeout_s: float = 30.0) -> Path:
    """Download ``url`` to ``target``, complete or not at all.

    Only HTTPS is followed, redirects included; plain HTTP is allowed to this machine itself. A
    progress bar is drawn if stderr is a terminal.

    Args:
        url: The address.
        target: The file to write.
        sha256: The hash that the content must have.
        timeout_s: The limit of every single wait, not of the whole download.

    Returns:
        ``target``.

    Raises:
        ConnectionError: The transfer fails.
        ValueError: The address is not safe, or the content is wrong.
    """
    _require_secure(url)
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as file:
        digest = _transfer(url, file, timeout_s, target.name)
        if digest != sha256:
            raise ValueError(f"{url} delivered other content: sha256 {digest}, expected {sha256}")
    return target


def sha256_of(path: Path) -> str:
    """Compute the hexadecimal sha256 of a file's content."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _transfer(url: str, file: BinaryIO, timeout_s: float, label: str) -> str:
    opener = urllib.request.build_opener(_SecureRedirects)
    digest = hashlib.sha256()
    received = 0
    try:
        with opener.open(url, timeout=timeout_s) as response:
            total = int(response.headers.get("Content-Length") or 0)
            with bar(True, total or None, BYTES, label=label) as advance:
                while chunk := response.read(_CHUNK):
                    file.write(chunk)
                    digest.update(chunk)
                    received += len(chunk)
                    advance(len(chunk))
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
    raise ValueError(f"refusing to download from {url}: weights are downloaded over https only")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
