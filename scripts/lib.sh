# Shared by the scripts: where things are, what Debian has to install, how minik is built.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
binaries=(minik minik-shim minik-dns minik-unpack minik-cni)
packages=(libmnl-dev libnftnl-dev libsystemd-dev libsqlite3-dev libssl-dev zlib1g-dev libarchive-dev libre2-dev pkg-config busybox-static apache2-bin tzdata)
# What the tests look through, beside minik's own eyes.
test_packages=(sqlite3 nftables iproute2 dnsutils curl python3 python3-yaml util-linux procps strace make xz-utils openssl zstd skopeo podman containernetworking-plugins iptables tshark chromium)

die() { printf '%s: %s\n' "$(basename "$0")" "$1" >&2; exit 1; }

require_root() { [ "$(id -u)" = 0 ] || die "needs root: run it with sudo"; }

install_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return
  echo "installing ${missing[*]}" >&2
  local log; log=$(mktemp)
  { apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"; } >"$log" 2>&1 ||
    { tail -20 "$log" >&2; die "could not install ${missing[*]}"; }
  rm -f "$log"
}

# sudo forgets the caller's PATH: look where toolchains are put.
find_swift() {
  local candidate
  for candidate in "$(command -v swift || true)" /opt/swift*/usr/bin/swift /usr/local/swift*/usr/bin/swift /usr/share/swift*/usr/bin/swift \
    "$(getent passwd "${SUDO_USER:-root}" | cut -d: -f6)"/.local/share/swiftly/bin/swift; do
    [ -n "$candidate" ] && [ -x "$candidate" ] && { echo "$candidate"; return; }
  done
  die "no Swift toolchain found: install Swift 6.3 (swift.org/install) and put it on root's PATH"
}

is_built() {
  local binary
  for binary in "${binaries[@]}"; do [ -x "$root/.build/release/$binary" ] || return 1; done
  [ -z "$(find "$root/Sources" "$root/Package.swift" -newer "$root/.build/release/minik" -type f -print -quit)" ]
}

# One configuration for everything, so that dependencies compile once.
build() {
  local swift log binary
  swift=$(find_swift)
  log=$(mktemp)
  for binary in "${binaries[@]}"; do
    echo "building $binary (the first build takes some minutes)" >&2
    (cd "$root" && "$swift" build -c release --product "$binary") >"$log" 2>&1 || { grep -E 'error:' "$log" >&2 || tail -20 "$log" >&2; die "the build failed; its log: $log"; }
  done
  touch "$root/.build/release/minik"
  rm -f "$log"
}

# The mirror that apt on this machine is configured to use.
mirror() {
  local uri
  uri=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' | grep -v security | head -1)
  [ -n "$uri" ] || die "apt has no mirror configured: name one in /etc/apt/sources.list"
  echo "${uri%/}"
}

# fetch_checked URL SHA256 FILE
fetch_checked() {
  curl -fsSL --max-time 300 -o "$3" "$1" || die "$1 could not be downloaded"
  echo "$2  $3" | sha256sum --check --status || die "$1 is not what the release says it is"
}

# Unpacks a package of another Debian release than this machine's from its mirror; installs nothing.
#   unpack_package RELEASE PACKAGE DIRECTORY
unpack_package() {
  local release=$1 package=$2 directory=$3 source architecture work index sum entry
  source=$(mirror) || exit 1
  architecture=$(dpkg --print-architecture)
  index="main/binary-$architecture/Packages.xz"
  work=$(mktemp -d)
  curl -fsSL --max-time 60 -o "$work/InRelease" "$source/dists/$release/InRelease" || die "the mirror $source has no $release"
  gpgv --quiet --keyring /usr/share/keyrings/debian-archive-keyring.gpg --output "$work/Release" "$work/InRelease" 2>"$work/log" ||
    die "the mirror's $release is not signed by Debian: $(tail -1 "$work/log")"
  sum=$(awk -v file="$index" '/^SHA256:/ {on = 1; next} /^[^ ]/ {on = 0} on && $3 == file {print $1}' "$work/Release")
  [ -n "$sum" ] || die "the mirror's $release has no $index"
  fetch_checked "$source/dists/$release/$index" "$sum" "$work/Packages.xz"
  entry=$(xz -dc "$work/Packages.xz" | awk -v RS= -v package="$package" '$0 ~ "^Package: " package "\n" && !found++')
  [ -n "$entry" ] || die "the mirror $source has no $package for $release"
  fetch_checked "$source/$(sed -n 's/^Filename: //p' <<<"$entry")" "$(sed -n 's/^SHA256: //p' <<<"$entry")" "$work/package.deb"
  dpkg -x "$work/package.deb" "$directory"
  rm -rf "$work"
}
