"""Repositories that need the ecosystem's own tools to build: crates, gems, Debian packages, git."""

from __future__ import annotations

import gzip
import hashlib
import json
import lzma
import subprocess
from pathlib import Path

from samples.content import Package, octets, put, tar_gz

CARGO = (
    Package("gleam", ("0.1.0", "0.2.0"), 7_000),
    Package("wax", ("1.4.0",), 31_000, ("gleam",)),
    Package("lamplight", ("0.9.1",), 180_000, ("wax", "gleam")),
    Package("bonfire-sys", ("3.0.0",), 2_600_000, ("lamplight",)),
)
GEMS = (
    Package("glint", ("1.0.0", "1.1.0"), 12_000),
    Package("lampion", ("2.7.1",), 150_000, ("glint",)),
    Package("bonfire", ("5.1.0",), 780_000, ("lampion", "glint")),
)
DEBS = (
    Package("libglow1", ("1.2-1",), 90_000),
    Package("glow-utils", ("1.2-1",), 400_000, ("libglow1",)),
    Package("glow-data", ("1.2-1",), 3_500_000),
)


def cargo(index: Path, crates: Path, files_origin: str) -> None:
    """A sparse index (RFC 2789) and `crates/NAME/NAME-VERSION.crate`."""
    put(
        index / "config.json",
        json.dumps({"dl": f"{files_origin}/crates/{{crate}}/{{crate}}-{{version}}.crate"}),
    )
    latest = {package.name: package.versions[-1] for package in CARGO}
    for package in CARGO:
        name, lines = package.name, []
        for version in package.versions:
            stem = f"{name}-{version}"
            toml = f'[package]\nname = "{name}"\nversion = "{version}"\nedition = "2021"\n'
            crate = tar_gz(
                {
                    f"{stem}/Cargo.toml": toml.encode(),
                    f"{stem}/src/lib.rs": b"",
                    f"{stem}/data.bin": octets(f"{name} {version}", package.size),
                }
            )
            put(crates / "crates" / name / f"{stem}.crate", crate)
            needs = [
                {
                    "name": dep,
                    "req": f"^{latest[dep]}",
                    "features": [],
                    "optional": False,
                    "default_features": True,
                    "target": None,
                    "kind": "normal",
                }
                for dep in package.requires
            ]
            lines.append(
                json.dumps(
                    {
                        "name": name,
                        "vers": version,
                        "deps": needs,
                        "cksum": hashlib.sha256(crate).hexdigest(),
                        "features": {},
                        "yanked": False,
                    }
                )
            )
        prefix = f"3/{name[0]}" if len(name) == 3 else f"{name[:2]}/{name[2:4]}"
        put(index / prefix / name, "\n".join(lines) + "\n")


def gems(root: Path, scratch: Path) -> None:
    """A compact index (`versions`, `info/`) beside the legacy one that `gem` itself generates."""
    (root / "gems").mkdir(parents=True)
    versions = "created_at: 2026-01-01T00:00:00Z\n---\n"
    for package in GEMS:
        info = "---\n"
        for version in package.versions:
            folder = scratch / f"{package.name}-{version}"
            put(folder / "data.bin", octets(f"{package.name} {version}", package.size))
            needs = "".join(f"s.add_dependency '{name}'\n" for name in package.requires)
            put(
                folder / "it.gemspec",
                f"Gem::Specification.new do |s|\ns.name='{package.name}'\ns.version='{version}'\n"
                f"s.summary='x'\ns.authors=['x']\ns.files=['data.bin']\n{needs}end\n",
            )
            target = root / "gems" / f"{package.name}-{version}.gem"
            run = ["gem", "build", "-q", "--output", str(target), "it.gemspec"]
            subprocess.run(run, cwd=folder, check=True, capture_output=True)
            digest = hashlib.sha256(target.read_bytes()).hexdigest()
            wanted = ",".join(f"{name}:>= 0" for name in package.requires)
            info += f"{version} {wanted}|checksum:{digest}\n"
        raw = put(root / "info" / package.name, info)
        digest = hashlib.md5(raw).hexdigest()
        versions += f"{package.name} {','.join(package.versions)} {digest}\n"
    index = ["gem", "generate_index", "--directory", str(root)]
    subprocess.run(index, check=True, capture_output=True)
    put(root / "versions", versions)
    put(root / "names", "---\n" + "".join(f"{package.name}\n" for package in GEMS))


def debian(root: Path, scratch: Path) -> None:
    """`pool/` and `dists/stable/` (unsigned) of a Debian repository for one architecture."""
    stanzas = []
    for package in DEBS:
        name, version = package.name, package.versions[0]
        folder = scratch / name
        put(folder / "usr/share" / name / "data.bin", octets(name, package.size))
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: all\n"
            "Maintainer: samples <samples@example.org>\n"
            + (f"Depends: {', '.join(package.requires)}\n" if package.requires else "")
            + f"Description: sample package {name}\n"
        )
        put(folder / "DEBIAN/control", control)
        path = f"pool/main/{name[0] if name[:3] != 'lib' else name[:4]}/{name}/{name}_{version}_all.deb"
        (root / path).parent.mkdir(parents=True)
        build = ["dpkg-deb", "-Znone", "--root-owner-group", "--build", str(folder)]
        subprocess.run([*build, str(root / path)], check=True, capture_output=True)
        data = (root / path).read_bytes()
        stanzas.append(
            f"{control}Filename: {path}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        )
    stable = root / "dists" / "stable"
    packages = "\n".join(stanzas).encode()
    files = {
        "main/binary-amd64/Packages": packages,
        "main/binary-amd64/Packages.gz": gzip.compress(packages, mtime=0),
        "main/binary-amd64/Packages.xz": lzma.compress(packages),
    }
    sums = ""
    for name, data in files.items():
        put(stable / name, data)
        sums += f" {hashlib.sha256(data).hexdigest()} {len(data)} {name}\n"
    put(
        stable / "Release",
        "Origin: Example\nSuite: stable\nCodename: stable\nArchitectures: amd64\n"
        f"Components: main\nDate: Thu, 01 Jan 2026 00:00:00 UTC\nSHA256:\n{sums}",
    )


def git(root: Path, scratch: Path) -> None:
    """A bare repository for the dumb HTTP protocol."""
    scratch.mkdir(parents=True)
    put(scratch / "data.bin", octets("git", 60_000))
    who = ["-c", "user.name=samples", "-c", "user.email=samples@example.org"]
    for step in (
        ["init", "-q", "-b", "main", "."],
        ["add", "data.bin"],
        [*who, "commit", "-q", "-m", "data", "--date", "2026-01-01T00:00:00Z"],
        ["clone", "-q", "--bare", ".", str(root / "lantern.git")],
        ["--git-dir", str(root / "lantern.git"), "update-server-info"],
    ):
        subprocess.run(["git", *step], cwd=scratch, check=True, capture_output=True)
