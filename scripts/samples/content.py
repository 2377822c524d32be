"""Tiny package repositories on disk, in the layout each ecosystem's clients expect.

Names are invented; contents are seeded random octets, so that sizes (not compressible) are the
same in every run. Layouts: PEP 503/691/658 (Python), the npm packument, Maven's repository layout.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import random
import tarfile
import zipfile
from pathlib import Path
from typing import NamedTuple

EPOCH = (2026, 1, 1, 0, 0, 0)  # modification time inside archives


class Package(NamedTuple):
    """A package: its name, versions, payload in octets and dependencies within the ecosystem."""

    name: str
    versions: tuple[str, ...]
    size: int
    requires: tuple[str, ...] = ()


PYPI = (
    Package("kite", ("1.0.0", "1.1.0"), 9_000),
    Package("wick", ("0.4.2",), 38_000, ("kite",)),
    Package("Zephyr.Tools", ("2.3.0", "2.4.0rc1"), 110_000, ("kite",)),
    Package("lantern", ("3.1.4",), 420_000, ("wick", "kite", "zephyr-tools")),
    Package("ember_core", ("5.0.1", "5.0.2"), 1_300_000, ("wick",)),
    Package("blaze", ("2.0.0",), 11_500_000, ("ember-core", "lantern")),
)
NPM = (
    Package("tinsel", ("1.0.0", "1.2.0"), 3_000),
    Package("wisp", ("4.0.3",), 17_000, ("tinsel",)),
    Package("@lantern/ui", ("7.1.0",), 240_000, ("wisp", "tinsel")),
    Package("@lantern/icons", ("7.1.0",), 900_000),
    Package("torchlight", ("2.2.2",), 65_000, ("wisp", "@lantern/ui")),
)
MAVEN = (
    Package("org.codehaus.plexus:plexus-utils", ("1.1",), 1_000),  # Maven 3 adds it to extensions
    Package("org.example.lantern:lantern-parent", ("3.1.4",), 0),
    Package("org.example.lantern:lantern-api", ("3.1.4",), 46_000),
    Package(
        "org.example.lantern:lantern-core",
        ("3.1.4", "3.2.0"),
        830_000,
        ("org.example.lantern:lantern-api:3.1.4",),
    ),
    Package(
        "org.example.blaze:blaze-all",
        ("2.0.0",),
        4_200_000,
        ("org.example.lantern:lantern-core:3.2.0",),
    ),
)


def octets(seed: str, size: int) -> bytes:
    """`size` incompressible octets, the same for the same `seed`."""
    return random.Random(seed).randbytes(size)


def put(path: Path, data: bytes | str) -> bytes:
    """Write a file and its folders; give the octets back."""
    raw = data.encode() if isinstance(data, str) else data
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return raw


def tar_gz(files: dict[str, bytes]) -> bytes:
    """A .tar.gz of `files` without time stamps."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz", compresslevel=1) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip archive (wheel, jar) of `files` with a fixed time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, EPOCH), data)
    return buffer.getvalue()


def pypi(root: Path) -> None:
    """A PEP 503/691 index under `simple/` and its files under `packages/aa/bb/<hash>/`."""
    for package in PYPI:
        normal = package.name.lower().replace(".", "-").replace("_", "-")
        stem = normal.replace("-", "_")
        files = []
        for version in package.versions:
            requires = "".join(f"Requires-Dist: {name}\n" for name in package.requires)
            metadata = (
                f"Metadata-Version: 2.1\nName: {package.name}\nVersion: {version}\n{requires}"
            ).encode()
            info = f"{stem}-{version}.dist-info"
            wheel = zipped(
                {
                    f"{stem}/__init__.py": b"",
                    f"{stem}/data.bin": octets(f"{normal} {version}", package.size),
                    f"{info}/METADATA": metadata,
                    f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: l7meter samples\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
                    f"{info}/RECORD": f"{stem}/__init__.py,,\n{stem}/data.bin,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n".encode(),
                }
            )
            sdist = tar_gz(
                {
                    f"{stem}-{version}/PKG-INFO": metadata,
                    f"{stem}-{version}/{stem}.bin": octets(f"{normal} {version}", package.size),
                }
            )
            for name, data in (
                (f"{stem}-{version}-py3-none-any.whl", wheel),
                (f"{stem}-{version}.tar.gz", sdist),
            ):
                digest = hashlib.blake2b(data, digest_size=32).hexdigest()
                path = f"packages/{digest[:2]}/{digest[2:4]}/{digest[4:]}/{name}"
                put(root / path, data)
                file = {
                    "filename": name,
                    "url": f"/{path}",
                    "size": len(data),
                    "hashes": {"sha256": hashlib.sha256(data).hexdigest()},
                }
                # ember_core has no metadata file: uv and poetry then ask for ranges of the wheel
                if name.endswith(".whl") and package.name != "ember_core":
                    put(root / (path + ".metadata"), metadata)
                    file["core-metadata"] = {"sha256": hashlib.sha256(metadata).hexdigest()}
                files.append(file)
        page = {
            "meta": {"api-version": "1.1"},
            "name": normal,
            "versions": list(package.versions),
            "files": files,
        }
        put(root / "simple" / normal / "index.json", json.dumps(page))
        links = "".join(
            f'<a href="{f["url"]}#sha256={f["hashes"]["sha256"]}">{f["filename"]}</a><br>\n'
            for f in files
        )
        put(root / "simple" / normal / "index.html", f"<!DOCTYPE html><html><body>\n{links}</body>")


def npm(root: Path, origin: str) -> None:
    """Packuments (`NAME/packument.json`) and tarballs (`NAME/-/BASE-VERSION.tgz`)."""
    latest = {package.name: package.versions[-1] for package in NPM}
    for package in NPM:
        base = package.name.rsplit("/", 1)[-1]
        versions = {}
        for version in package.versions:
            manifest = {
                "name": package.name,
                "version": version,
                "dependencies": {name: f"^{latest[name]}" for name in package.requires},
            }
            tarball = tar_gz(
                {
                    "package/package.json": json.dumps(manifest).encode(),
                    "package/data.bin": octets(f"{package.name} {version}", package.size),
                }
            )
            path = f"{package.name}/-/{base}-{version}.tgz"
            put(root / path, tarball)
            integrity = base64.b64encode(hashlib.sha512(tarball).digest()).decode()
            versions[version] = manifest | {
                "dist": {
                    "tarball": f"{origin}/{path}",
                    "shasum": hashlib.sha1(tarball).hexdigest(),
                    "integrity": f"sha512-{integrity}",
                }
            }
        packument = {
            "name": package.name,
            "dist-tags": {"latest": package.versions[-1]},
            "versions": versions,
            "time": dict.fromkeys(package.versions, "2026-01-01T00:00:00.000Z"),
            "readme": f"# {package.name}\n" * 20,
        }
        put(root / package.name / "packument.json", json.dumps(packument))


def maven(root: Path) -> None:
    """Jars, POMs, `maven-metadata.xml` and their `.sha1` and `.md5` sidecars."""

    def deploy(path: Path, data: bytes) -> None:
        put(path, data)
        put(path.with_name(path.name + ".sha1"), hashlib.sha1(data).hexdigest())
        put(path.with_name(path.name + ".md5"), hashlib.md5(data).hexdigest())

    for package in MAVEN:
        group, artifact = package.name.split(":")
        folder = root / group.replace(".", "/") / artifact
        for version in package.versions:
            wanted = "".join(
                "<dependency><groupId>{}</groupId><artifactId>{}</artifactId>"
                "<version>{}</version></dependency>".format(*name.split(":"))
                for name in package.requires
            )
            packaging = "jar" if package.size else "pom"
            pom = (
                "<project><modelVersion>4.0.0</modelVersion>"
                f"<groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
                f"<version>{version}</version><packaging>{packaging}</packaging>"
                f"<dependencies>{wanted}</dependencies></project>"
            )
            stem = f"{artifact}-{version}"
            deploy(folder / version / f"{stem}.pom", pom.encode())
            if package.size:
                jar = zipped({"data.bin": octets(f"{package.name} {version}", package.size)})
                deploy(folder / version / f"{stem}.jar", jar)
                deploy(folder / version / f"{stem}-sources.jar", zipped({"A.java": b"class A {}"}))
        versions = "".join(f"<version>{version}</version>" for version in package.versions)
        deploy(
            folder / "maven-metadata.xml",
            f"<metadata><groupId>{group}</groupId><artifactId>{artifact}</artifactId><versioning>"
            f"<release>{package.versions[-1]}</release><versions>{versions}</versions>"
            "</versioning></metadata>".encode(),
        )
