"""What a configuration must not say, though each of its values is well: a rule is a generator of faults."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from typing import Any

from l7meter.analysis import catalogue, load
from l7meter.analysis.publishing import countable
from l7meter.attribution import artifacts
from l7meter.attribution.reference.importers import load as importers
from l7meter.errors import UsageError
from l7meter.formats import shipped
from l7meter.ingest.capture import CAPTURES, ENGINES
from l7meter.job.config import Config, ReportConfig, SourceConfig
from l7meter.job.seeing import is_file
from l7meter.tomlfile import Place
from l7meter.tomlkeys import nearest

Fault = tuple[Place, str]
_PERIOD = ("since", "until")
_MONTH = timedelta(days=31)
_WORDS = ("{name}", "{period}", "{suffix}")


def contradictions(config: Config) -> Iterator[Fault]:
    """The faults of a configuration, each with its place in the file."""
    for rule in RULES:
        yield from rule(config)


def _names(config: Config) -> Iterator[Fault]:
    """`status`, metrics and files tell sources and reports by their names."""
    sources, reports = ([each.name for each in many] for many in (config.sources, config.reports))
    for word, names in (("source", sources), ("report", reports)):
        for number, name in enumerate(names):
            if name and name in names[:number]:
                yield (word, number, "name"), f"{word} {name} is there already; give this one another name"  # fmt: skip


def _formats(config: Config) -> Iterator[Fault]:
    for number, source in enumerate(config.sources):
        place = ("source", number)
        ways = ("format", "log_format", "map")
        given = [way for way in ways if getattr(source, way)]
        if len(given) > 1:
            yield (*place, given[1]), f"{' and '.join(given)} contradict each other; keep one of them"  # fmt: skip
            continue
        if source.format and source.format not in (known := [*shipped(), *CAPTURES]):
            hint = nearest(source.format, known) or "; 'l7meter formats' lists them"
            yield (*place, "format"), f"no format {source.format}{hint}"
        if source.engine and source.engine not in ENGINES:
            yield (*place, "engine"), f"no engine {source.engine}; there are {', '.join(ENGINES)}"
        if source.tls_keys and not is_file(source.tls_keys):
            yield (*place, "tls_keys"), f"{source.tls_keys}: no such file; name a key log"
        if given and given != ["format"]:
            yield from _spelled((*place, given[0]), source)


def _spelled(place: Place, source: SourceConfig) -> Iterator[Fault]:
    """A format that is given in full."""
    try:
        SourceConfig(name="", paths=(), log_format=source.log_format, map=source.map).said().formats()  # fmt: skip
    except UsageError as error:
        yield place, _without_option(error)


def _without_option(error: UsageError) -> str:
    """What a command's error says, without the option that the file has not."""
    return re.sub(r"^--([a-z-]+)", lambda found: found[1].replace("-", "_"), str(error))


def _registries(config: Config) -> Iterator[Fault]:
    for number, source in enumerate(config.sources):
        try:
            artifacts.registries(source.registry)
        except UsageError as error:
            yield ("source", number, "registry"), _without_option(error)


def _paths(config: Config) -> Iterator[Fault]:
    for number, source in enumerate(config.sources):
        if not source.paths and source.name:
            yield ("source", number, "paths"), f'source {source.name} has no paths; write them as in ["/var/log/cdn/*.gz"]'  # fmt: skip


def _updates(config: Config) -> Iterator[Fault]:
    known = importers()
    if config.attribution.update and config.attribution.refdata is None:
        yield ("attribution", "update"), "what is fetched needs a place that does not hang on who runs the job; write refdata = DIRECTORY"  # fmt: skip
    for number, name in enumerate(config.attribution.update):
        place = ("attribution", "update", number)
        if name not in known:
            hint = nearest(name, list(known)) or "; 'l7meter refdata sources' lists them"
            yield place, f"no source of reference data {name}{hint}"
        elif not known[name].urls:
            yield place, f"{name} cannot be fetched without registration; use 'l7meter refdata import'"  # fmt: skip


def _retention(config: Config) -> Iterator[Fault]:
    """A day or a month can be reported on when its last day is closed: its first must be there then."""
    kept, open_ = config.retention.records, config.days.close_after
    if kept is None:
        return
    if kept < open_ + timedelta(days=1):
        yield ("retention", "records"), "records go before their day is closed; keep them a day longer than [days] close_after at least"  # fmt: skip
    for number, report in enumerate(config.reports):
        if report.every == "month" and kept < open_ + _MONTH:
            yield ("report", number, "every"), f"records go before the month is closed; keep them for {(open_ + _MONTH).days + 1}d in [retention] records"  # fmt: skip


def _rollups(config: Config) -> Iterator[Fault]:
    """Days are closed when they are summed up."""
    for number, report in enumerate(config.reports):
        if report.every != "run" and not config.rollups.enabled:
            yield ("report", number, "every"), f'no {report.every} is ever closed with [rollups] enabled = false, so the report would never be written; write every = "run", or enable rollups'  # fmt: skip


def _floor(config: Config) -> Iterator[Fault]:
    """Queries of the operator's own are known when they are asked."""
    shipped = [each.name for each in catalogue()] if config.publish.min_clients else []
    for number, report in enumerate(config.reports):
        if report.query in shipped and report.query not in (known := countable()):
            yield ("report", number, "query"), f"query {report.query} does not say how many clients a row stands for, which [publish] min_clients needs; ask one of {', '.join(known)}, or set no floor"  # fmt: skip


def _queries(config: Config) -> Iterator[Fault]:
    for number, report in enumerate(config.reports):
        if not report.query:
            continue
        place = ("report", number)
        name = str(config.path.parent / report.query) if report.query.endswith(".sql") else report.query  # fmt: skip
        try:
            query = load(name)
        except UsageError as error:
            yield (*place, "query"), f"{error}; 'l7meter query' lists them"
            continue
        known = [parameter.name for parameter in query.parameters]
        for each in report.parameters:
            if each not in known:
                hint = nearest(each, known) or f"; it knows {', '.join(known) or 'none'}"
                yield (*place, "parameters", each), f"query {query.name} has no parameter {each}{hint}"  # fmt: skip
            else:
                yield from _bound((*place, "parameters", each), query.bind, each, report)
        if report.every != "run" and (lacking := [each for each in _PERIOD if each not in known]):
            yield (*place, "every"), f'query {query.name} has no {" and no ".join(lacking)} and cannot be asked of a {report.every}; write every = "run"'  # fmt: skip


def _bound(
    place: Place, bind: Callable[[dict[str, Any]], object], name: str, report: ReportConfig
) -> Iterator[Fault]:
    if report.every != "run" and name in _PERIOD:
        yield place, f'{name} is that of the {report.every}; leave it out, or write every = "run"'
        return
    try:
        bind({name: report.parameters[name]})
    except UsageError as error:
        yield place, f"{error}; mend the value"


def _files(config: Config) -> Iterator[Fault]:
    seen: dict[object, str] = {}
    for number, report in enumerate(config.reports):
        place = ("report", number, "path")
        odd = [each for each in re.findall(r"\{[^}]*\}?", str(report.path)) if each not in _WORDS]
        if odd:
            near = difflib.get_close_matches(odd[0], _WORDS, n=1) or _WORDS
            yield place, f"{odd[0]} is not filled in; write {', '.join(near)}"
        elif report.name:
            other = seen.setdefault(report.file("{period}"), report.name)
            if other != report.name:
                yield place, f"report {other} is written to the same file; put {{name}} into the path"  # fmt: skip


def _textfile(config: Config) -> Iterator[Fault]:
    textfile = config.metrics.textfile
    if (
        textfile and textfile.suffix != ".prom"
    ):  # https://github.com/prometheus/node_exporter#textfile-collector
        yield ("metrics", "textfile"), f"node_exporter reads .prom files only; write {textfile.with_suffix('.prom').name}"  # fmt: skip


def _privacy(config: Config) -> Iterator[Fault]:
    said = config.privacy
    for name in ("addresses", "user_names"):
        if getattr(said, name) == "pseudonymous" and said.key_file is None:
            yield ("privacy", name), f"pseudonymous {name} need a key_file; 'l7meter privacy new-key FILE' makes one"  # fmt: skip


RULES: Sequence[Callable[[Config], Iterator[Fault]]] = (
    _names,
    _formats,
    _registries,
    _paths,
    _updates,
    _retention,
    _rollups,
    _floor,
    _queries,
    _files,
    _textfile,
    _privacy,
)
