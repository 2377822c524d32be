"""CocoaPods: the sharded specifications of a CDN source (the pods themselves come from elsewhere).

https://blog.cocoapods.org/CocoaPods-1.7.2/ and
https://github.com/CocoaPods/Core/blob/master/lib/cocoapods-core/cdn_source.rb
"""

from __future__ import annotations

from l7meter.attribution.layouts import Layout, Rule

_SHARD = r"[0-9a-f](?:/[0-9a-f]){2}"

LAYOUT = Layout(
    ecosystem="cocoapods",
    labels=("cocoapods",),
    hints=(".podspec", "/all_pods", "/CocoaPods-version.yml", "/deprecated_podspecs.txt"),
    rules=(
        Rule("podspec", "metadata", rf"/Specs/{_SHARD}/(?P<name>[^/]+)/(?P<version>[^/]+)/[^/]+\.podspec(?:\.json)?$", type="podspec"),
        Rule("podspec", "metadata", r"/Specs/(?P<name>[^/]+)/(?P<version>[^/]+)/[^/]+\.podspec(?:\.json)?$", type="podspec"),
        Rule("versions", "index", r"/all_pods(?:_versions(?:_[0-9a-f]){1,3})?\.txt$"),
        Rule("source", "index", r"/(?:CocoaPods-version\.yml|deprecated_podspecs\.txt)$"),
        Rule("service", "other", r"^/(?:api|pods)/", named=True),
    ),
)  # fmt: skip
