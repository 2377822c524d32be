"""Configurations of the real servers: several log formats over the same exchanges.

`truth` formats are each server's own accounting, tab-separated, to hold parsed values against.
"""

from __future__ import annotations

import os
from pathlib import Path

PORTS = {
    "nginx-tls": 18400,
    "pypi": 18401,
    "npm": 18402,
    "debian": 18403,
    "git": 18404,
    "nginx-traps": 18405,
    "origin": 18406,
    "apache-tls": 18411,
    "apache-debian": 18412,
    "apache-traps": 18413,
    "caddy-tls": 18421,
    "caddy-traps": 18422,
    "haproxy-tls": 18431,
    "haproxy-traps": 18432,
    "syslog": 18439,
    "squid": 18441,
    "varnish": 18451,
}
HOSTS = {
    "pypi.example.org": PORTS["nginx-tls"],
    "registry.npm.example.net": PORTS["nginx-tls"],
    "index.crates.example.org": PORTS["nginx-tls"],
    "static.crates.example.org": PORTS["nginx-tls"],
    "repo.maven.example.org": PORTS["apache-tls"],
    "gems.example.org": PORTS["caddy-tls"],
    "git.example.org": PORTS["haproxy-tls"],
}

NGINX_L7METER = (
    "$msec", "$request_time", "$remote_addr", "$remote_port", "$http_x_forwarded_for",
    "$remote_user", "$scheme", "$host", "$server_port", "$request_method", "$request_uri",
    "$server_protocol", "$status", "$request_length", "$bytes_sent", "$body_bytes_sent",
    "$sent_http_content_length", "$sent_http_content_type", "$sent_http_content_encoding",
    "$http_range", "$request_completion", "$upstream_cache_status", "$ssl_protocol",
    "$ssl_server_name", "$http_referer", "$http_user_agent",
)  # fmt: skip
NGINX_LOG_FORMAT = f"log_format l7meter '{(chr(92) + 't').join(NGINX_L7METER)}';"
NGINX_JSON = {
    "time": "$time_iso8601", "msec": "$msec", "remote_addr": "$remote_addr", "host": "$host",
    "server_port": "$server_port", "request_method": "$request_method",
    "request_uri": "$request_uri", "server_protocol": "$server_protocol", "status": "$status",
    "request_length": "$request_length", "bytes_sent": "$bytes_sent",
    "body_bytes_sent": "$body_bytes_sent", "request_time": "$request_time",
    "content_type": "$sent_http_content_type", "ssl_protocol": "$ssl_protocol",
    "http_x_forwarded_for": "$http_x_forwarded_for", "http_referer": "$http_referer",
    "http_user_agent": "$http_user_agent",
}  # fmt: skip
NGINX_TRUTH = (
    "$msec", "$connection", "$connection_requests", "$status", "$request_length", "$bytes_sent",
    "$body_bytes_sent", "$request_time", "$request_completion", "$sent_http_content_encoding",
)  # fmt: skip
APACHE_TRUTH = (
    "%{begin:usec}t", "%{end:usec}t", "%D", "%s", "%>s", "%I", "%O", "%S", "%b", "%B", "%X", "%k",
)  # fmt: skip
SQUID_TRUTH = ("%ts.%03tu", "%tS", "%tr", "%>Hs", "%>st", "%<st", "%<sh", "%Ss")
VARNISH_TRUTH = (
    "%{%s}t", "%s", "%I", "%O", "%b", "%D", "%H", "%{Varnish:handling}x", "%{Varnish:hitmiss}x",
)  # fmt: skip


def nginx(work: Path) -> str:
    """One worker, so that every log of a host has its lines in the same order."""
    json = ",".join(f'"{key}":"{value}"' for key, value in NGINX_JSON.items())
    tab = "\\t"  # nginx itself turns it into a tab
    tls = f"listen 127.0.0.1:{PORTS['nginx-tls']} ssl http2;"

    def logs(name: str) -> str:
        return "".join(
            f"access_log {work}/logs/nginx/{name}.{form}.log {form};"
            for form in ("combined", "main", "l7meter", "json", "truth")
        )

    user = "user www-data;" if os.getuid() == 0 else ""
    return f"""
daemon off; {user} worker_processes 1; pid {work}/nginx/pid;
error_log {work}/nginx/error.log info;
events {{ worker_connections 512; }}
http {{
  types {{ text/html html; text/plain txt; application/json json; application/octet-stream bin deb; }}
  default_type application/octet-stream;
  log_format main '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"';
  {NGINX_LOG_FORMAT}
  log_format json escape=json '{{{json}}}';
  log_format truth '{tab.join(NGINX_TRUTH)}';
  map $http_accept $simple {{ default index.html; ~simple\\.v1\\+json index.json; }}
  gzip on; gzip_types text/plain application/json application/vnd.pypi.simple.v1+json;
  server_tokens off; sendfile on; ssl_protocols TLSv1.2 TLSv1.3; keepalive_timeout 10;
  ssl_certificate {work}/tls/cert.pem; ssl_certificate_key {work}/tls/key.pem;
  client_body_temp_path {work}/nginx/b; proxy_temp_path {work}/nginx/p; fastcgi_temp_path {work}/nginx/f;
  uwsgi_temp_path {work}/nginx/u; scgi_temp_path {work}/nginx/s;
  server {{ {tls} listen 127.0.0.1:{PORTS["pypi"]}; server_name pypi.example.org; root {work}/www/pypi; {logs("pypi")}
    location /simple/ {{
      location ~ ^/simple/[^/]+/$ {{ types {{ text/html html; application/vnd.pypi.simple.v1+json json; }}
        add_header Cache-Control max-age=600; try_files $uri$simple =404; }} }} }}
  server {{ {tls} listen 127.0.0.1:{PORTS["npm"]}; server_name registry.npm.example.net; root {work}/www/npm; {logs("npm")}
    location / {{ default_type application/json; try_files $uri/packument.json $uri =404; }}
    location ~ \\.tgz$ {{ default_type application/octet-stream; }} }}
  server {{ {tls} server_name index.crates.example.org; root {work}/www/crates-index; default_type text/plain; {logs("cargo")} }}
  server {{ {tls} server_name static.crates.example.org; root {work}/www/crates; {logs("cargo")} }}
  server {{ listen 127.0.0.1:{PORTS["debian"]}; root {work}/www/debian; {logs("debian")} }}
  server {{ listen 127.0.0.1:{PORTS["git"]}; root {work}/www/git; {logs("git")} }}
  server {{ listen 127.0.0.1:{PORTS["origin"]}; root {work}/www/traps; {logs("origin")} }}
  server {{ listen 127.0.0.1:{PORTS["nginx-traps"]}; listen [::1]:{PORTS["nginx-traps"]}; listen unix:{work}/nginx/socket;
    server_name traps.example.org; root {work}/www/traps; {logs("traps")}
    location /private/ {{ auth_basic private; auth_basic_user_file {work}/htpasswd; alias {work}/www/traps/; }}
    location = /moved {{ return 302 /small.txt; }} }}
}}
"""


def apache(work: Path) -> str:
    """Debian's formats (with `%O`) and upstream's (with `%b`) side by side."""
    shared = ('common %h %l %u %t \\"%r\\" %>s {}', ' \\"%{Referer}i\\" \\"%{User-Agent}i\\"')
    line, agents = shared[0].removeprefix("common "), shared[1]
    forms = {
        "common": line.format("%b"),
        "combined-b": line.format("%b") + agents,
        "combined-O": line.format("%O") + agents,
        "combinedio": line.format("%b") + agents + " %I %O",
        "vhost_combined": "%v:%p " + line.format("%O") + agents,
        "truth": "\\t".join(APACHE_TRUTH),
    }
    formats = "\n".join(f'LogFormat "{text}" {name}' for name, text in forms.items())

    def logs(name: str) -> str:
        return "\n".join(f"CustomLog {work}/logs/apache/{name}.{form}.log {form}" for form in forms)

    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in (
            "mpm_event", "authn_core", "authz_core", "authn_file", "auth_basic", "authz_user",
            "mime", "alias", "filter", "deflate", "ssl", "socache_shmcb", "reqtimeout",
        )
    )  # fmt: skip
    user = "User www-data\nGroup www-data" if os.getuid() == 0 else ""
    return f"""
ServerRoot {work}/apache
PidFile {work}/apache/pid
DefaultRuntimeDir {work}/apache
ErrorLog {work}/apache/error.log
ServerName apache.example.org
{modules}
{user}
Mutex file:{work}/apache
Listen 127.0.0.1:{PORTS["apache-tls"]} https
Listen 127.0.0.1:{PORTS["apache-debian"]}
Listen 127.0.0.1:{PORTS["apache-traps"]}
Listen [::1]:{PORTS["apache-traps"]}
{formats}
TypesConfig /etc/mime.types
AddOutputFilterByType DEFLATE text/plain text/html
KeepAliveTimeout 10
<Directory {work}/www>
  Require all granted
</Directory>
<VirtualHost 127.0.0.1:{PORTS["apache-tls"]}>
  ServerName repo.maven.example.org
  DocumentRoot {work}/www/maven
  SSLEngine on
  SSLCertificateFile {work}/tls/cert.pem
  SSLCertificateKeyFile {work}/tls/key.pem
  {logs("maven")}
</VirtualHost>
<VirtualHost 127.0.0.1:{PORTS["apache-debian"]}>
  ServerName deb.example.net
  DocumentRoot {work}/www
  {logs("debian")}
</VirtualHost>
<VirtualHost *:{PORTS["apache-traps"]}>
  ServerName traps.example.org
  DocumentRoot {work}/www/traps
  Alias /private {work}/www/traps
  <Location /private>
    AuthType Basic
    AuthName private
    AuthUserFile {work}/htpasswd
    Require valid-user
  </Location>
  Redirect 302 /moved /small.txt
  {logs("traps")}
</VirtualHost>
"""


def caddy(work: Path) -> str:
    """JSON logs, the default encoder."""

    def log(name: str) -> str:
        return f"log {{\n output file {work}/logs/caddy/{name}.log\n format json\n}}"

    return f"""
{{
  admin off
  auto_https off
  storage file_system {work}/caddy
}}
https://:{PORTS["caddy-tls"]} {{
  bind 127.0.0.1
  tls {work}/tls/cert.pem {work}/tls/key.pem
  root * {work}/www/gems
  encode gzip
  file_server
  {log("gems")}
}}
http://:{PORTS["caddy-traps"]} {{
  bind 127.0.0.1 ::1
  root * {work}/www/traps
  encode gzip
  redir /moved /small.txt
  file_server
  {log("traps")}
}}
"""


def haproxy(work: Path) -> str:
    """`option httplog` over syslog, as the packaged configuration sets it up."""
    head = f"""
global
  log 127.0.0.1:{PORTS["syslog"]} local0
  log-send-hostname lb1
  maxconn 200
defaults
  log global
  mode http
  option httplog
  option forwardfor
  timeout connect 5s
  timeout client 5s
  timeout server 10s
  timeout http-request 2s
"""
    captures = """
  capture request header Host len 64
  capture request header User-Agent len 128
  capture response header Content-Type len 32
"""
    return f"""{head}
frontend git
  bind 127.0.0.1:{PORTS["haproxy-tls"]} ssl crt {work}/tls/both.pem alpn h2,http/1.1{captures}  default_backend git
frontend traps
  bind 127.0.0.1:{PORTS["haproxy-traps"]}{captures}  default_backend traps
backend git
  server nginx1 127.0.0.1:{PORTS["git"]}
backend traps
  server nginx1 127.0.0.1:{PORTS["origin"]}
"""


def squid(work: Path) -> str:
    """The native format, and one with the client's ports and sizes as truth."""
    tab = "\t"
    user = "cache_effective_user proxy" if os.getuid() == 0 else ""
    (work / "squid" / "hosts").write_text(
        "".join(f"127.0.0.1 {name}\n" for name in (*HOSTS, "traps.example.org", "deb.example.net"))
    )
    return f"""
http_port 127.0.0.1:{PORTS["squid"]}
{user}
visible_hostname proxy.example.com
hosts_file {work}/squid/hosts
pid_filename {work}/squid/pid
cache_log {work}/squid/cache.log
coredump_dir {work}/squid
cache_mem 64 MB
maximum_object_size_in_memory 4 MB
shutdown_lifetime 1 seconds
pinger_enable off
acl CONNECT method CONNECT
http_access allow all
logformat truth {tab.join(SQUID_TRUTH)}
access_log stdio:{work}/logs/squid/access.log squid
access_log stdio:{work}/logs/squid/truth.log truth
"""
