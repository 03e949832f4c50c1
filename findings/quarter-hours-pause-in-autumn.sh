#!/usr/bin/env bash
# systemd 252 (Debian 12); OnCalendar=*:0/15, "every quarter of an hour", in the night in which the clocks go back.
#
# One expects that night to trouble what runs at 02:30, and that whatever runs each quarter of an hour does so all night: it names no hour.
# After 02:45 summer time comes 03:00 winter time, though, 75 minutes later: the hour that the clock shows for the second time is left
# out whole, by `*:*`, each minute, as well. In spring nothing is missing. And it is not that the second hour did not match: asked from
# within it, the same expression elapses in it each quarter, so that what is next depends on when one asks. A probe, a backup or a
# renewal that is to happen each quarter pauses for over an hour once a year. With UTC at the end of the expression nothing pauses.
#
# The zone is spelt out (Central Europe's rule), so that no table of zones is needed. Sends nothing, but for what apt fetches.
set -euo pipefail
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
(cd "$place" && apt-get download -q systemd=252.39-1~deb12u2 libsystemd-shared=252.39-1~deb12u2 >/dev/null 2>&1 && for package in *.deb; do dpkg -x "$package" .; done)
libraries=$(echo "$place"/usr/lib/*-linux-gnu/systemd)
analyze() { TZ=CET-1CEST,M3.5.0,M10.5.0/3 LD_LIBRARY_PATH=$libraries timeout 20 "$place/usr/bin/systemd-analyze" "$@"; }

# When the expression elapses next after a moment (UTC), four times: hours and minutes in UTC.
elapses() {
  local before=$1; shift
  analyze calendar --base-time="$before UTC" --iterations=4 "$@" | sed -n 's/.*(in UTC): .* \([0-9:]*\):00 UTC$/\1/p' | tr '\n' ' '
}
expect() {
  local wanted=$1 found; shift
  found=$(elapses "$@")
  echo "$2, after $1 UTC: $found"
  [ "$found" = "$wanted " ]
}

analyze --version | head -1
echo "the clocks go back on 2026-10-25 at 01:00 UTC"
expect "00:30 00:45 02:00 02:15" "2026-10-25 00:16" "*:0/15"
expect "01:15 01:30 01:45 02:00" "2026-10-25 01:01" "*:0/15"
expect "00:58 00:59 02:00 02:01" "2026-10-25 00:57" "*:*"
expect "00:30 00:45 01:00 01:15" "2026-10-25 00:16" "*:0/15 UTC"
echo "they go forward on 2026-03-29 at 01:00 UTC"
expect "00:30 00:45 01:00 01:15" "2026-03-29 00:16" "*:0/15"
