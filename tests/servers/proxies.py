"""Real proxies in front of a real server: nginx, HAProxy, Caddy and Apache, each with a configuration of a page.

A page's configuration listens on 127.0.0.1:8080 and asks 127.0.0.1:8000, as readers like to see it; here
these become the ports that the OS has given. What a site does not say (where to log, who to be) stands in
`WHOLE`.
"""

import contextlib
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

from components import program

from .harness import RUN, Server, first_that_answers

LISTENS, ASKS = "127.0.0.1:8080", "127.0.0.1:8000"
APACHES = Path("/usr/lib/apache2/modules")
MODULES = ("mpm_event", "authz_core", "filter", "deflate", "proxy", "proxy_http")

WHOLE = {
    "nginx": """
daemon off; master_process off; pid FOLDER/nginx.pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path FOLDER/body; proxy_temp_path FOLDER/proxy; fastcgi_temp_path FOLDER/fastcgi;
    uwsgi_temp_path FOLDER/uwsgi; scgi_temp_path FOLDER/scgi;
    server {
        listen LISTENS;
        SITE
    }
}
""",
    "haproxy": "SITE",
    "caddy": "{\n    admin off\n}\nSITE",
    "apache": """
ServerRoot FOLDER
ServerName 127.0.0.1
PidFile FOLDER/apache.pid
ErrorLog /dev/stderr
Listen LISTENS
LOADS
SITE
""",
}
PROGRAMS = {"nginx": "nginx", "haproxy": "haproxy", "caddy": "caddy", "apache": "apache2"}


@contextlib.contextmanager
def proxy(kind: str, site: str, asks: int, folder: Path) -> Iterator[Server]:
    """Start a proxy with a page's site before the server on port `asks`, and end it."""
    path = program(PROGRAMS[kind])
    folder.mkdir()
    with first_that_answers(lambda: _start(kind, path, site, asks, folder), kind) as server:
        yield server


def _start(kind: str, path: str, site: str, asks: int, folder: Path) -> Server:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    written = folder / f"{kind}.conf"
    written.write_text(_whole(kind, site, folder, port, asks), "utf-8")
    log = folder / "log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*RUN, "exec", path, *_arguments(kind, written)],
            cwd=folder,
            env={**os.environ, "HOME": str(folder)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    return Server(kind, site, port, process, log)


def _whole(kind: str, site: str, folder: Path, port: int, asks: int) -> str:
    loads = "".join(f"LoadModule {name}_module {APACHES}/mod_{name}.so\n" for name in MODULES)
    text = WHOLE[kind].replace("SITE", site).replace("LOADS", loads).replace("FOLDER", str(folder))
    listens = f"127.0.0.1:{port}"
    text = text.replace(LISTENS, listens).replace("LISTENS", listens)
    return text.replace(ASKS, f"127.0.0.1:{asks}")


def _arguments(kind: str, written: Path) -> list[str]:
    return {
        "nginx": ["-e", "stderr", "-p", str(written.parent), "-c", str(written)],
        "haproxy": ["-db", "-f", str(written)],
        "caddy": ["run", "--adapter", "caddyfile", "--config", str(written)],
        "apache": ["-D", "FOREGROUND", "-f", str(written)],
    }[kind]
