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
printf '\nAsk your own:   %s sql --store %s "SELECT agent_name, sum(server_bytes) FROM records GROUP BY 1"\n' $bin $store
printf 'All questions:  %s query\n' $bin
