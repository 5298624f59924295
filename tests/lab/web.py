"""The web servers that run the CGI programs, with the settings in share/."""

import re
import xml.etree.ElementTree
from dataclasses import dataclass

from .binaries import PROJECT, cgi

SITE = "http://www.example.org/cgi-bin/relay.cgi"
# Only the web server's own host may see this.
STATUS = "http://localhost/cgi-bin/status.cgi"

_APACHE = """
ServerRoot /run/web
ServerName www.example.org
DefaultRuntimeDir /run/web
PidFile /run/web/apache.pid
ErrorLog /dev/stderr
Listen 80
User www-data
Group www-data
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_host_module /usr/lib/apache2/modules/mod_authz_host.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule cgid_module /usr/lib/apache2/modules/mod_cgid.so
ScriptSock /run/web/cgid.sock
DocumentRoot /run/web/pages
Include /run/web/dynrelay.conf
"""

_LIGHTTPD = """
server.port = 80
server.username = "www-data"
server.groupname = "www-data"
server.document-root = "/run/web/pages"
include "/run/web/dynrelay.conf"
"""


_NGINX = """
user www-data;
pid /run/web/nginx.pid;
daemon off;
error_log stderr notice;
events {}
http {
    access_log off;
    client_body_temp_path /run/web/body;
    fastcgi_temp_path /run/web/fastcgi;
    server {
        listen 80;
        listen [::]:80;
        root /run/web/pages;
        include /run/web/dynrelay.conf;
    }
}
"""


class _Web:
    """A running web server on `host`.

    With a `password`, the settings are changed as their comments say: the user prometheus with that
    password may see the status from everywhere.
    """

    def __init__(self, host, password=None):
        self.host = host
        for name in ("relay", "status"):
            host.install(cgi(name), f"/run/web/cgi-bin/{name}.cgi")
        host.path("/run/web/pages").mkdir(parents=True)
        snippet = (PROJECT / "share" / f"{self.name}.conf").read_text()
        snippet = snippet.replace("/usr/lib/dynrelay", "/run/web/cgi-bin")
        snippet = self.prepared(snippet)
        if password:
            host.run(["htpasswd", "-bc", "/run/web/htpasswd", "prometheus", password])
            snippet = _with_password(snippet)
        host.write("/run/web/dynrelay.conf", snippet)
        host.write("/run/web/site.conf", self.site)
        self.program = host.start(self.name, self.command)
        self.program.wait_for(self.greeting)

    def prepared(self, snippet):
        """Starts other programs that the server needs. Returns the snippet with their addresses."""
        return snippet


def _with_password(snippet):
    """The settings with a password, as their comments say."""
    snippet = re.sub(r'"/etc/\w+/dynrelay\.htpasswd"', '"/run/web/htpasswd"', snippet)
    instead = re.sub(r"^ *(url\.access-deny = |allow |deny ).*\n", "", snippet, flags=re.MULTILINE)
    for_passwords = r'Auth|auth[._]|Require valid-user|server\.modules .*"mod_auth"'
    return re.sub(rf"^( *)#(?={for_passwords})", r"\1", instead, flags=re.MULTILINE)


class Apache(_Web):
    """Apache with mod_cgid."""

    name = "apache"
    site = _APACHE
    command = ["apache2", "-DFOREGROUND", "-f", "/run/web/site.conf"]
    greeting = "resuming normal operations"


class Lighttpd(_Web):
    """lighttpd with mod_cgi."""

    name = "lighttpd"
    site = _LIGHTTPD
    command = ["lighttpd", "-D", "-f", "/run/web/site.conf"]
    greeting = "server started"


class Nginx(_Web):
    """nginx with fcgiwrap."""

    name = "nginx"
    site = _NGINX
    command = ["nginx", "-c", "/run/web/site.conf"]
    greeting = "start worker processes"

    def prepared(self, snippet):
        host = self.host
        host.install("/etc/nginx/fastcgi_params", "/run/web/fastcgi_params")
        host.run(["install", "-d", "-o", "www-data", "/run/web/fcgiwrap"])
        socket = "unix:/run/web/fcgiwrap/socket"
        host.start("fcgiwrap", ["fcgiwrap", "-c", "4", "-s", socket], "www-data", "www-data")
        host.run(["sh", "-c", "until test -S /run/web/fcgiwrap/socket; do sleep 0.05; done"])
        return snippet.replace("unix:/run/fcgiwrap.socket", socket)


class StockNginx(Nginx):
    """nginx with its stock parameters, which have no PATH_INFO."""

    def prepared(self, snippet):
        kept = re.sub(r"^.*(fastcgi_split_path_info|PATH_INFO).*\n", "", snippet, flags=re.MULTILINE)
        return super().prepared(kept)


@dataclass(frozen=True)
class Answer:
    """The answer of a CGI program."""

    status: int
    type: str
    body: str

    @property
    def url(self):
        """The URL in a SMIL document."""
        return xml.etree.ElementTree.fromstring(self.body).find("body/video").get("src")


def fetch(viewer, document):
    """Requests a document, such as `news.smil`, from relay.cgi, on the host `viewer`."""
    return get(viewer, f"{SITE}/{document}")


def get(host, url, *options):
    """Requests a URL on a host, with more `options` for curl."""
    command = ["curl", "-sS", "-w", r"\n%{http_code} %{content_type}", *options, url]
    body, _, end = host.run(command).stdout.rpartition("\n")
    status, _, kind = end.partition(" ")
    return Answer(int(status), kind, body)
