"""Request targets of every form, and those that are none."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from packageurl import PackageURL

from l7meter.attribution.artifacts import CONCLUDED, MAX_PATH, conclude
from l7meter.attribution.layouts import encoded, load
from l7meter.errors import UsageError


def frame(*targets: tuple[str | None, str | None]) -> pl.DataFrame:
    return pl.DataFrame(
        targets, {"url_original": pl.String, "server_address": pl.String}, orient="row"
    )


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/a/b", "/a/b"),
        ("/a?b=/c", "/a"),
        ("/a#b?c", "/a"),
        ("/a?b#c", "/a"),
        ("/a%2Fb%20", "/a%2Fb%20"),
        ("//a//b", "//a//b"),
        ("/é?ü", "/é"),
        ("/a\nb?c", "/a\nb"),
        ("http://pypi.example.org/a/b?c", "/a/b"),
        ("HTTPS://user@pypi.example.org:443/a", "/a"),
        ("http://pypi.example.org", "/"),
        ("http://pypi.example.org?a", "/"),
        ("http://[2001:db8::1]:8080/a", "/a"),
        ("/http://pypi.example.org/", "/http://pypi.example.org/"),
        ("pypi.example.org:443", None),
        ("*", None),
        ("", None),
        ("-", None),
        ("a/b", None),
        (None, None),
    ],
)
def test_the_path_is_the_target_without_authority_and_query(
    target: str | None, path: str | None
) -> None:
    # alone, and beside a target of every form
    assert conclude(frame((target, None))).get_column("url_path").to_list() == [path]
    others = [("http://example.org/x?y#z", None), ("/x?y#z", None), ("*", None)]
    got = conclude(frame(*others, (target, None))).get_column("url_path").to_list()
    assert got == ["/x", "/x", None, path]


def test_the_authority_of_an_absolute_target_goes_before_the_host() -> None:
    got = conclude(
        frame(
            ("http://registry.npm.example.net/left-pad", "proxy.example.net"),
            ("http://www.example.org/left-pad", "registry.npm.example.net"),
            ("http://user:secret@npm.example.net:4873/left-pad", None),
        )
    )
    assert got.get_column("package_name").to_list() == ["left-pad", None, "left-pad"]


def test_a_host_goes_before_the_shape_and_the_shape_before_the_operator() -> None:
    rows = frame(
        ("/gems/gems/1.0/gems-1.0.jar", "maven.example.org"),
        ("/simple/six/", "registry.npm.example.net"),
        ("/simple/six/", None),
        ("/six", "pypi.example.org"),
    )
    got = conclude(rows, registry="npm").get_column("artifact_rule").to_list()
    by_path = "pypi/project by path"
    assert got == ["maven/file by path", by_path, by_path, None]


def test_height_and_order_are_kept_and_equal_targets_get_equal_answers() -> None:
    gem, wheel = "/gems/rake-13.1.0.gem", "/x/six-1.16.0-py2.py3-none-any.whl"
    targets = [gem, "/", wheel, None, gem, "*", "/crates/a/a-1.0.0.crate", wheel]
    got = conclude(frame(*((target, None) for target in targets)))
    assert got.columns == list(CONCLUDED)
    names = ["rake", None, "six", None, "rake", None, "a", "six"]
    assert got.get_column("package_name").to_list() == names


def test_nothing_in_gives_nothing_out() -> None:
    got = conclude(frame())
    assert got.columns == list(CONCLUDED)
    assert got.is_empty()
    untyped = pl.DataFrame({"url_original": [None], "server_address": [None]})
    assert conclude(untyped).row(0) == (None,) * len(CONCLUDED)


def test_a_megabyte_of_target_keeps_its_path_and_names_nothing() -> None:
    long = "/simple/" + "a" * 1_000_000 + "/"
    longest = "/simple/" + "a" * (MAX_PATH - 9) + "/"
    got = conclude(frame((long, None), (longest, None), ("/a?" + long, None)))
    assert got.get_column("url_path").to_list() == [long, longest, "/a"]
    assert got.get_column("artifact_kind").to_list() == [None, "index", None]


@pytest.mark.parametrize("odd", ["é", "\x01", " ", "\x7f", "\n"])
def test_a_path_that_is_no_uri_names_nothing(odd: str) -> None:
    """RFC 3986, section 2; the same percent-encoded is an ordinary path."""
    encoded_ = "".join(f"%{octet:02X}" for octet in odd.encode())
    got = conclude(frame(*((f"/dists/{text}/InRelease", None) for text in (odd, encoded_))))
    assert got.get_column("artifact_kind").to_list() == [None, "index"]


HOSTS = {
    "Files.Example.org": "pypi",
    "*.example.org": "npm",
    "*.maven.example.org": "gem",
    "npm.example.net": "conda",
}


@pytest.mark.parametrize(
    ("host", "registry"),
    [
        ("files.example.org", "pypi"),
        ("FILES.example.org:8080", "pypi"),
        ("other.example.org", "npm"),
        ("a.b.example.org", "npm"),
        ("a.maven.example.org", "gem"),
        ("maven.example.org", "npm"),
        ("npm.example.net", "conda"),
        ("registry.npm.example.net", "npm"),
        ("example.org", None),
        ("notexample.org", None),
        ("files.example.org.example.com", None),
        (None, None),
    ],
)
def test_the_operator_says_what_a_host_serves(host: str | None, registry: str | None) -> None:
    """The longest name that fits wins, and over the labels of the host; null falls to the path."""
    own = {
        "pypi": "/simple/six",
        "npm": "/six/latest",
        "gem": "/info/six",
        "conda": "/main/channeldata.json",
    }
    got = conclude(frame(*((target, host) for target in own.values())), hosts=HOSTS)
    told = [ecosystem if ecosystem == registry else None for ecosystem in own]
    assert got.get_column("package_ecosystem").to_list() == told


def test_a_host_goes_before_the_registry_and_its_shapes_before_those_of_others() -> None:
    rows = frame(
        ("/six/latest", "files.example.org"),
        ("/x/six-1.16.0-py3-none-any.whl", "files.example.org"),
        ("/six/latest", "other.example.net"),
    )
    got = conclude(rows, registry="npm", hosts={"files.example.org": "maven"})
    assert got.get_column("artifact_rule").to_list() == [
        None,
        "pypi/wheel by path",
        "npm/tag by registry",
    ]


@pytest.mark.parametrize(
    ("hosts", "complaint"),
    [
        ({"a.example.org": "pip"}, "^host a.example.org: registry pip: .*take one of alpm, "),
        ({"*": "npm"}, r"^host \*: write a name"),
        ({"*.": "npm"}, r"^host \*\.: write a name"),
        ({"": "npm"}, "^host : write a name"),
        ({"a.*.org": "npm"}, r"^host a\.\*\.org: write a name"),
        ({"https://a.example.org": "npm"}, "write a name"),
        ({"a.example.org:8080": "npm"}, "no port$"),
    ],
)
def test_what_is_no_host_and_what_is_no_registry_is_refused(
    hosts: dict[str, str], complaint: str
) -> None:
    with pytest.raises(UsageError, match=complaint):
        conclude(frame(("/", None)), hosts=hosts)


# fmt: off
PIECES = st.sampled_from([
    "/", "//", "-", "/-/", ".", "@", "%2f", "%", "?", "#", "_", "1.0.0", "1", "a", "é", "\0", "\n",
    "/simple/", "/packages/", "/pool/", "/dists/", "/gems/", "/crates/", "/maven2/", "/info/", "/3/a/",
    "/api/v1/crates/", "maven-metadata.xml", "SNAPSHOT", "/20240101.010101-1", "http://",
    "/v2/", "/blobs/", "/manifests/", "sha256:" + "0" * 64, "/@v/", "v1.0.0", "!a", "/repodata/", "/noarch/",
    "/p2/", "/tarballs/", "/src/contrib/", "/package/", "/resolve/main/", "/authors/id/A/AB/ABC/", "/os/", "x86_64",
    "/api/", "/versions/", "/file/", "/Specs/a/b/c/", "/releases/download/", "/homebrew/core/",
    ".rpm", ".conda", ".nupkg", ".vsix", ".apk", "-r1", ".pkg.tar.zst", ".bottle.", ".zip", ".tar", ".json", ".podspec",
    ".whl", ".tgz", ".gem", ".crate", ".deb", ".dsc", ".jar", ".pom", ".asc", ".sha1", ".tar.gz",
])
# fmt: on


@settings(max_examples=50, deadline=None)
@given(st.lists(st.one_of(st.text(), st.lists(PIECES).map("".join)), min_size=1), st.data())
def test_no_target_raises_and_what_is_claimed_is_whole(
    targets: list[str], data: st.DataObject
) -> None:
    label = data.draw(st.sampled_from([None, *(load()[e].labels[-1] for e in load())]))
    registry = data.draw(st.sampled_from([None, *load()]))
    host = label and f"{label}.example.org"
    got = conclude(frame(*((target, host) for target in targets)), registry)
    assert len(got) == len(targets)
    for row in got.rows(named=True):
        if row["artifact_kind"] is None:
            assert set(row.values()) <= {None, row["url_path"]}
        else:
            assert row["package_ecosystem"] in row["artifact_rule"]
            assert row["url_path"].startswith("/")
        if (purl := row["purl"]) is not None:
            again = PackageURL.from_string(purl).to_string()
            # packageurl-python lowers the names of npm, and leaves slashes that purl encodes
            plain = purl.replace("%2F", "/")
            assert again == plain or again.lower() == plain.lower() != plain


@settings(deadline=None)
@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters="/")))
def test_names_and_versions_are_encoded_as_purl_says(text: str) -> None:
    got = pl.select(encoded(pl.lit("x" + text))).item()
    assert f"pkg:generic/a@{got}" == PackageURL("generic", None, "a", "x" + text).to_string()


def test_an_unknown_registry_is_refused() -> None:
    with pytest.raises(UsageError, match=r"^registry pip: .*take one of alpm, apk, brew, cargo, "):
        conclude(frame(("/", None)), registry="pip")
