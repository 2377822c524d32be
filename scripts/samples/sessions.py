"""The sessions: which client fetches what. Real tools, except where an agent is named `imitated`."""

from __future__ import annotations

import itertools
import sys

from samples.clients import Clients
from samples.configs import PORTS

CI = {"CI": "true", "GITHUB_ACTIONS": "true"}
SIMPLE = "https://pypi.example.org/simple/"
NPM = "https://registry.npm.example.net/"
GEMS = "https://gems.example.org"
MAVEN = "https://repo.maven.example.org/"
CRATES = "https://static.crates.example.org/crates"
DEB = ["Acquire::AllowInsecureRepositories=true", "APT::Sandbox::User=root", "Debug::NoLocking=1"]

# curl sends these names: the software itself was not run
IMITATED = {
    "googlebot": "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "bingbot": "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)",
    "gptbot": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko); compatible; GPTBot/1.3; +https://openai.com/gptbot",
    "claudebot": "Mozilla/5.0 AppleWebKit/537.36 (KHTML, like Gecko; compatible; ClaudeBot/1.0; +claudebot@anthropic.com)",
    "meta-externalagent": "meta-externalagent/1.1 (+https://developers.facebook.com/docs/sharing/webmasters/crawler)",
    "bytespider": "Mozilla/5.0 (Linux; Android 5.0) AppleWebKit/537.36 (KHTML, like Gecko) Mobile Safari/537.36 (compatible; Bytespider; spider-feedback@bytedance.com)",
    "artifactory": "Artifactory/7.90.8 79008900",
    "nexus": "Nexus/3.72.0-04 (OSS; Linux; 6.1.0; amd64; 17.0.12)",
    "bandersnatch": "bandersnatch/6.8.0 (cpython 3.11.7-final0, Linux x86_64) (aiohttp 3.14.5)",
    "renovate": "RenovateBot/39.264.1 (https://github.com/renovatebot/renovate)",
    "scanner": "Trivy/0.58.1",
    "firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
}


def python(c: Clients) -> None:
    """Python: pip, uv and poetry, also as in continuous integration, and again (304)."""
    for wanted in (["kite"], ["wick"], ["lantern"], ["blaze"], ["ember-core", "zephyr-tools"]):
        pip = ["pip", "install", "-q", "--target", "t", "--index-url", SIMPLE, *wanted]
        c.run("pip", pip)
        c.run("pip-ci", pip, env=CI)
        uv = ["uv", "pip", "install", "-q", "--target", "t", "--python", sys.executable,
              "--index-url", SIMPLE, *wanted]  # fmt: skip
        c.run("uv", uv)
        c.run("uv-ci", uv, env=CI)
    again = ["pip", "install", "-q", "--target", "t", "-U", "--index-url", SIMPLE, "lantern"]
    c.run("pip", again, again)
    c.run("pip", ["pip", "download", "-q", "--no-deps", "--pre", "-i", SIMPLE, "zephyr-tools"])
    c.run("pip-ci", ["pip", "install", "-q", "-i", SIMPLE, "no-such-package"], env=CI)
    project = (
        '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\n'
        'dependencies = ["{}"]\n'
    )
    poetry = f'\n[[tool.poetry.source]]\nname = "example"\nurl = "{SIMPLE}"\npriority = "primary"\n'
    for name in ("lantern", "ember-core"):
        c.run(
            "poetry",
            ["poetry", "lock", "-q"],
            files={"pyproject.toml": project.format(name) + poetry},
        )


def node(c: Clients) -> None:
    """npm, pnpm and Yarn classic."""
    for wanted in (["tinsel"], ["wisp"], ["torchlight"], ["@lantern/icons", "@lantern/ui"]):
        npm = [
            "npm",
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            f"--registry={NPM}",
            *wanted,
        ]
        manifest = {"package.json": '{"name":"app","version":"1.0.0"}'}
        c.run("npm", npm, files=manifest)
        c.run("npm-ci", npm, files=manifest, env=CI)
        c.run(
            "pnpm-ci",
            ["pnpm", "add", "--silent", "--registry", NPM, *wanted],
            files=manifest,
            env=CI,
        )
        c.run("yarn", ["yarn", "add", "--silent", "--non-interactive", "--registry", NPM, *wanted],
              files=manifest)  # fmt: skip
    audit = ["npm", "install", "--silent", f"--registry={NPM}", "torchlight"]  # asks for an audit
    c.run("npm-ci", audit, files={"package.json": '{"name":"app","version":"1.0.0"}'}, env=CI)


def rust(c: Clients) -> None:
    """Cargo's sparse protocol over HTTP/2."""
    config = '[registries.example]\nindex = "sparse+https://index.crates.example.org/"\n'
    for name, version in (
        ("gleam", "0.2"),
        ("lamplight", "0.9"),
        ("bonfire-sys", "3"),
        ("wax", "1"),
    ):
        toml = (
            '[package]\nname = "app"\nversion = "1.0.0"\nedition = "2021"\n[dependencies]\n'
            f'{name} = {{ version = "{version}", registry = "example" }}\n'
        )
        files = {"Cargo.toml": toml, "src/lib.rs": "", ".cargo/config.toml": config}
        c.run("cargo", ["cargo", "fetch", "-q"], files=files)
        c.run("cargo-ci", ["cargo", "fetch", "-q"], ["cargo", "update", "-q"], files=files, env=CI)


def java(c: Clients) -> None:
    """Maven resolving build extensions: plain resolution, without any plugin."""
    settings = (
        "<settings><localRepository>{local}</localRepository><proxies><proxy><id>p</id><active>true"
        "</active><protocol>https</protocol><host>127.0.0.1</host><port>{port}</port></proxy></proxies>"
        f"<mirrors><mirror><id>m</id><mirrorOf>*</mirrorOf><url>{MAVEN}</url></mirror></mirrors></settings>"
    ).replace("{local}", "repository")
    for group, artifact, version in (
        ("lantern", "lantern-api", "3.1.4"),
        ("lantern", "lantern-core", "3.2.0"),
        ("lantern", "lantern-core", "[3.0,4)"),
        ("blaze", "blaze-all", "2.0.0"),
    ):
        pom = (
            "<project><modelVersion>4.0.0</modelVersion><groupId>a</groupId><artifactId>b</artifactId>"
            "<version>1</version><packaging>pom</packaging><build><extensions><extension>"
            f"<groupId>org.example.{group}</groupId><artifactId>{artifact}</artifactId>"
            f"<version>{version}</version></extension></extensions></build></project>"
        )
        insecure = "-Dmaven.wagon.http.ssl.insecure=true"  # the certificate is our own
        command = ["mvn", "-q", "-B", "-N", insecure, "-s", "settings.xml", "validate"]
        c.run("mvn", command, files={"pom.xml": pom, "settings.xml": settings})


def ruby(c: Clients) -> None:
    """RubyGems and Bundler over the compact index."""
    for name in ("glint", "lampion", "bonfire"):
        gem = [
            "gem",
            "install",
            "-q",
            "--no-document",
            "-i",
            "g",
            "--clear-sources",
            "-s",
            GEMS,
            name,
        ]
        c.run("gem", gem)
        files = {"Gemfile": f"source '{GEMS}'\ngem '{name}'\n"}
        path = {"BUNDLE_PATH": "v", "BUNDLE_SILENCE_ROOT_WARNING": "1"}
        c.run("bundler", ["bundle", "install", "--quiet"], files=files, env=path)
        c.run("bundler-ci", ["bundle", "install", "--quiet"], files=files, env=path | CI)


def debian(c: Clients) -> None:
    """apt against Apache and, as "apt-varnish", against Varnish; twice, for the 304."""
    for kind, port in (("apt", PORTS["apache-debian"]), ("apt-varnish", PORTS["varnish"])):
        for package in ("libglow1", "glow-utils", "glow-data"):
            root = ["-o", "Dir=r", "-o", "Dir::State::status=r/status"]
            root += [part for option in DEB for part in ("-o", option)]
            archive = "http://127.0.0.1:{port}/debian/"
            if kind == "apt-varnish":  # as its proxy, so that Varnish sees the archive's name
                archive = "http://deb.example.net/"
                root += ["-o", "Acquire::http::Proxy=http://127.0.0.1:{port}"]
            files = {
                "r/etc/apt/sources.list": f"deb [trusted=yes arch=amd64] {archive} stable main\n",
                "r/status": "",
            }
            for folder in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial",
                           "etc/apt/apt.conf.d", "etc/apt/preferences.d", "var/lib/dpkg"):  # fmt: skip
                files[f"r/{folder}/.keep"] = ""
            update = ["apt-get", *root, "-q", "update"]
            get = ["apt-get", *root, "-q", "-y", "-d", "install", package]
            c.run(kind, update, get, update, files=files, direct=port)


def tools(c: Clients) -> None:
    """General tools: curl, wget, aria2, lftp, git, with ranges, conditions, aborts and posts."""
    jar = f"{MAVEN}org/example/blaze/blaze-all/2.0.0/blaze-all-2.0.0.jar"
    crate = f"{CRATES}/bonfire-sys/bonfire-sys-3.0.0.crate"
    tarball = f"{NPM}@lantern/icons/-/icons-7.1.0.tgz"
    gem = f"{GEMS}/gems/bonfire-5.1.0.gem"
    for url in (jar, crate, tarball, gem, f"{SIMPLE}lantern/"):
        c.run(
            "curl",
            ["curl", "-sSfO", "--output-dir", ".", url] if url[-1] != "/" else ["curl", "-s", url],
        )
        c.run("curl", ["curl", "-sI", url])
        c.run("curl", ["curl", "-s", "-r", "0-1023", "-o", "o", url])
        c.run("curl-again", ["curl", "-s", "--etag-save", "e", "-o", "o", url],
              ["curl", "-s", "--etag-compare", "e", "-o", "o", url])  # fmt: skip
        c.run("wget", ["wget", "-q", "--ca-certificate=../../tls/ca.pem", "-O", "o", url])
    for url in (jar, crate, tarball):
        # 1 s of 64 kB/s, then the client gives up
        c.run("aborted", ["curl", "-s", "--limit-rate", "64k", "-m", "1", "-o", "o", url])
        c.run(
            "aria2",
            [
                "aria2c",
                "-q",
                "-s",
                "4",
                "-x",
                "4",
                "-k",
                "1M",
                "--ca-certificate=../../tls/ca.pem",
                url,
            ],
        )
        if url != jar:  # Apache refuses curl's ALPN for HTTP/1.0
            c.run("old-http", ["curl", "-s", "--http1.0", "-o", "o", url])
    c.run(
        "upload",
        ["curl", "-s", "-d", "name=x", SIMPLE],
        ["curl", "-s", "-T", "/dev/null", f"{NPM}x"],
    )
    for _ in range(3):
        c.run("git", ["git", "clone", "-q", "https://git.example.org/lantern.git"])
    c.run("git", ["curl", "-s", "--http1.1", "https://git.example.org/lantern.git/HEAD"])


def squid(c: Clients) -> None:
    """A company's forward proxy: pip and curl through Squid, in plain and in a tunnel."""
    plain = {"http_proxy": "http://127.0.0.1:{port}", "https_proxy": "http://127.0.0.1:{port}"}
    mirror = f"http://pypi.example.org:{PORTS['pypi']}"
    pip = ["pip", "install", "-q", "--target", "t", "--trusted-host", "pypi.example.org"]
    for name in ("kite", "lantern", "blaze"):
        for _ in range(2):
            command = [*pip, "--index-url", f"{mirror}/simple/", name]
            c.run("squid", command, env=plain, direct=PORTS["squid"])
    secure = f"https://pypi.example.org:{PORTS['nginx-tls']}/simple/lantern/"
    c.run("squid", ["curl", "-s", "-o", "o", secure], env=plain, direct=PORTS["squid"])


def imitated(c: Clients) -> None:
    """curl under the names of crawlers, mirrors, scanners and repository managers."""
    pages = [SIMPLE + name for name in ("kite/", "lantern/", "blaze/", "")]
    npm = [NPM + name for name in ("wisp", "torchlight", "robots.txt")]
    poms = [f"{MAVEN}org/example/lantern/lantern-core/{name}"
            for name in ("maven-metadata.xml", "3.2.0/lantern-core-3.2.0.pom", "3.2.0/lantern-core-3.2.0.jar")]  # fmt: skip
    gems = [f"{GEMS}/{name}" for name in ("versions", "info/lampion", "gems/lampion-2.7.1.gem")]
    files = [f"{CRATES}/lamplight/lamplight-0.9.1.crate", f"{CRATES}/wax/wax-1.4.0.crate"]
    for (kind, agent), urls in itertools.product(IMITATED.items(), (pages, npm, poms, gems, files)):
        outputs = [part for url in urls for part in ("-o", "o", url)]
        c.run(kind, ["curl", "-s", "--compressed", "-A", agent, *outputs])


ALL = (python, node, rust, java, ruby, debian, tools, squid, imitated)
