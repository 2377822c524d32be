"""What the servers are told: their ports, and the log that becomes the truth."""

from __future__ import annotations

PLAIN, TLS, H2C, APACHE, QUIC, SQUID = 8080, 8443, 8082, 8083, 8444, 3128
FRAGMENTS = 8090  # of a second nginx, whose sockets leave DF unset
PROXIED, PROXIED_TLS = 8091, 8445  # of a third nginx, which a load balancer speaks to
BALANCED, BALANCED_V2, BALANCED_TLS = 8101, 8102, 8103  # of the load balancer
UPSTREAM, WEBSOCKET = 9000, 9001  # on loopback of the server

# https://nginx.org/en/docs/http/ngx_http_log_module.html
NGINX_TRUTH = ",".join(
    [
        '{"server":"nginx"',
        '"time":$msec',
        '"remote_addr":"$remote_addr"',
        '"remote_port":$remote_port',
        '"server_addr":"$server_addr"',
        '"server_port":$server_port',
        '"method":"$request_method"',
        '"request_uri":"$request_uri"',
        '"server_protocol":"$server_protocol"',
        '"status":$status',
        '"bytes_sent":$bytes_sent',
        '"body_bytes_sent":$body_bytes_sent',
        '"request_length":$request_length',
        '"host":"$http_host"',
        '"user_agent":"$http_user_agent"',
        '"connection":$connection',
        '"connection_requests":$connection_requests',
        '"completion":"$request_completion"}',
    ]
)
NGINX = """
daemon off;
worker_processes 1;
user root;
pid nginx.pid;
error_log error.log;
events {{}}
http {{
  log_format truth escape=json '{truth}';
  access_log ../logs/nginx.jsonl truth;
  client_body_temp_path body;
  proxy_temp_path proxy;
  fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi;
  scgi_temp_path scgi;
  default_type application/octet-stream;
  types {{ text/html html; text/css css; application/json json; }}
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_certificate ../certificate.pem;
  ssl_certificate_key ../key.pem;
  server {{
    listen {plain}{header};
    listen [::]:{plain}{header};
    listen {tls} ssl{header};
    listen {h2c} http2;
    {trust}
    server_name example.org;
    root ../www;
    lingering_close off;
    location = /empty {{ return 204; }}
    location /slow/ {{ alias ../www/packages/; limit_rate 8k; }}
    location /gzip/ {{ alias ../www/pages/; gzip on; gzip_min_length 1; }}
    location /upstream/ {{
      proxy_pass http://127.0.0.1:{upstream};
      proxy_http_version 1.1;
      proxy_request_buffering off;
    }}
    location /socket {{
      proxy_pass http://127.0.0.1:{websocket};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection upgrade;
    }}
  }}
}}
"""

# https://httpd.apache.org/docs/2.4/mod/mod_log_config.html; %I and %O by mod_logio
APACHE_TRUTH = ",".join(
    [
        '{"server":"apache"',
        '"time":%{end:sec}t.%{end:msec_frac}t',
        '"remote_addr":"%{c}a"',
        '"remote_port":%{remote}p',
        '"server_addr":"%A"',
        '"server_port":%{local}p',
        '"method":"%m"',
        '"request_uri":"%U%q"',
        '"server_protocol":"%H"',
        '"status":%>s',
        '"bytes_sent":%O',
        '"body_bytes_sent":%B',
        '"request_length":%I',
        '"host":"%{Host}i"',
        '"user_agent":"%{User-Agent}i"',
        '"connection":null',
        '"connection_requests":%k',
        '"completion":"%X"}',
    ]
)
APACHE_MODULES = ("mpm_event", "authz_core", "http2", "mime", "dir")
APACHE_CONFIG = """
ServerRoot {work}/apache
PidFile apache.pid
DefaultRuntimeDir {work}/apache
ErrorLog error.log
ServerName example.org
ServerTokens Prod
Listen {port}
{modules}
TypesConfig /dev/null
Protocols h2c http/1.1
DocumentRoot {work}/www
LogFormat "{truth}" truth
CustomLog {work}/logs/apache.jsonl truth
<Directory {work}/www>
  Require all granted
</Directory>
"""

# http://www.squid-cache.org/Doc/config/logformat/
SQUID_TRUTH = ",".join(
    [
        '{"server":"squid"',
        '"time":%ts.%03tu',
        '"remote_addr":"%>a"',
        '"remote_port":%>p',
        '"server_addr":"%>la"',
        '"server_port":%>lp',
        '"method":"%rm"',
        '"request_uri":"%ru"',
        '"server_protocol":"HTTP/%rv"',
        '"status":%>Hs',
        '"bytes_sent":%<st',
        '"body_bytes_sent":null',
        '"request_length":%>st',
        '"host":"%{Host}>h"',
        '"user_agent":"%{User-Agent}>h"',
        '"connection":null',
        '"connection_requests":null',
        '"completion":"%Ss"}',
    ]
)
SQUID_CONFIG = """
http_port {port}
pid_filename {work}/squid/squid.pid
cache_log {work}/squid/cache.log
coredump_dir {work}/squid
logformat truth {truth}
access_log stdio:{work}/logs/squid.jsonl truth
buffered_logs off
http_access allow all
cache deny all
error_directory {work}/squid/errors
visible_hostname proxy.example.org
httpd_suppress_version_string on
via off
forwarded_for delete
cache_effective_user proxy
shutdown_lifetime 0 seconds
"""

CADDY = """
{{
  admin off
  auto_https off
  skip_install_trust
  log {{
    output file {work}/logs/caddy.json
    format json
    include http.log.access
  }}
}}
https://example.org:{port} {{
  tls {work}/certificate.pem {work}/key.pem
  root * {work}/www
  file_server
  log
}}
"""


# https://docs.haproxy.org/2.6/configuration.html
HAPROXY = """
defaults
  mode tcp
  timeout connect 5s
  timeout client 10s
  timeout server 10s
listen first
  bind {address}:{first}
  server nginx {address}:{plain} send-proxy
listen second
  bind {address}:{second}
  server nginx {address}:{plain} send-proxy-v2
listen tls
  bind {address}:{third}
  server nginx {address}:{tls} send-proxy-v2
"""


def nginx(plain: int = PLAIN, tls: int = TLS, h2c: int = H2C, balancer: str = "") -> str:
    """The text of `nginx.conf`; a load balancer at an address says for whom it speaks."""
    trust = f"set_real_ip_from {balancer}; real_ip_header proxy_protocol;" if balancer else ""
    return NGINX.format(
        truth=NGINX_TRUTH,
        plain=plain,
        tls=tls,
        h2c=h2c,
        header=" proxy_protocol" if balancer else "",
        trust=trust,
        upstream=UPSTREAM,
        websocket=WEBSOCKET,
    )


def haproxy(address: str) -> str:
    """The text of `haproxy.cfg`, of a load balancer before the third nginx."""
    return HAPROXY.format(
        address=address,
        first=BALANCED,
        second=BALANCED_V2,
        third=BALANCED_TLS,
        plain=PROXIED,
        tls=PROXIED_TLS,
    )


def apache(work: str) -> str:
    """The text of `apache2.conf`; logio is built in Debian's server."""
    modules = "\n".join(
        f"LoadModule {name}_module /usr/lib/apache2/modules/mod_{name}.so"
        for name in APACHE_MODULES
    )
    truth = APACHE_TRUTH.replace('"', '\\"')
    return APACHE_CONFIG.format(work=work, port=APACHE, modules=modules, truth=truth)


def squid(work: str) -> str:
    """The text of `squid.conf`."""
    return SQUID_CONFIG.format(work=work, port=SQUID, truth=SQUID_TRUTH)


def caddy(work: str) -> str:
    """The text of the Caddyfile."""
    return CADDY.format(work=work, port=QUIC)
