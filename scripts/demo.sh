#!/bin/sh
# The samples into a store, and who used the bandwidth. Run by `make demo`.
set -eu
store=demo/store
bin=.venv/bin/l7meter
rm -rf demo
mkdir -p demo
# Debian's Apache logs the whole message where others log its content: nothing in a line says so.
$bin ingest sample_logs/apache/other_vhosts* --format debian-vhost-combined --store $store --output json >/dev/null
$bin ingest sample_logs/apache/access.log.bz2 --format debian-combined --store $store --output json >/dev/null
$bin ingest sample_logs/nginx sample_logs/nginx-json sample_logs/nginx-l7meter sample_logs/caddy \
  sample_logs/haproxy sample_logs/squid sample_logs/varnish --store $store
for question in attribution_split bases redundant_downloads; do
  echo
  $bin query $question --store $store
done
echo
$bin whatif cache --by all --sizes 10MB,inf --store $store
printf '\nThe same exchanges, from packets and from the log that nginx wrote of them:\n'
$bin ingest sample_pcaps/nginx-pip-npm-session.pcap sample_pcaps/nginx-pip-npm-session.l7meter.log \
  --store demo/captures --output json >/dev/null
$bin sql --store demo/captures "SELECT s.format, count(*) AS exchanges, sum(r.response_size) AS message_octets,
  sum(r.response_body_size) AS content_octets, sum(r.server_wire_bytes) AS wire_octets
  FROM records r JOIN sources s USING (source_id) GROUP BY ALL ORDER BY ALL"
printf '(content differs by the framing of chunks, which nginx counts as content)\n'
printf '\nA fund of 1,000,000 over that week, shared by what was used (demo/policy.toml):\n'
$bin day close --store $store --before 2026-11-09 >/dev/null
$bin fund policy demo/template.toml >/dev/null
# what is free and where tiers begin, as small as the samples
sed 's/"100GB"/"1MB"/; s/"10TB"/"100MB"/' demo/template.toml > demo/policy.toml
week=2026-11-02..2026-11-08
$bin fund allocate --policy demo/policy.toml --period $week --store $store --limit 6
$bin fund statement --policy demo/policy.toml --period $week --store $store --organization NVIDIA --to demo/statement
$bin fund publish --period $week --store $store --to demo/report
printf 'The statement:  demo/statement/*.html, and its figures: %s fund verify demo/statement/nvidia-*.json --policy demo/policy.toml --store %s\n' $bin $store
printf 'For the public: demo/report/index.html\n'
printf '\nAsk your own:   %s sql --store %s "SELECT agent_name, sum(server_bytes) FROM records GROUP BY 1"\n' $bin $store
printf 'All questions:  %s query\n' $bin
