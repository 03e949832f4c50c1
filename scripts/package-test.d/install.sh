# shellcheck shell=bash
# Inside a fresh root, with the machine's network: apt finds what the package depends on, and the programs start.
set -euo pipefail
log=/root/apt.log
apt-get update -qq
apt-get install -y -qq --no-install-recommends --download-only /root/old.deb >"$log" 2>&1 || { cat "$log"; exit 1; }
start=$(date +%s%N)
apt-get install -y -qq --no-install-recommends /root/old.deb >"$log" 2>&1 || { cat "$log"; exit 1; }
echo "$((($(date +%s%N) - start) / 1000000))" >/root/install.ms
for program in minik minik-unpack minik-cni; do
  if ldd "/usr/libexec/minik/$program" | grep 'not found'; then echo "$program misses libraries" >&2; exit 1; fi
done
minik --version | grep -q '^[0-9]'
minik --help | grep -q 'up  '
minik image pull --help >/dev/null
bash -n /usr/share/bash-completion/completions/minik
for file in /usr/share/zsh/vendor-completions/_minik /usr/share/fish/vendor_completions.d/minik.fish /usr/lib/systemd/system/minik@.service; do
  [ -s "$file" ] || { echo "$file is empty" >&2; exit 1; }
done
grep -q '^ExecStart=/usr/bin/minik serve %i$' /usr/lib/systemd/system/minik@.service
# Slim roots leave documentation out; this one does not.
[ -s /usr/share/man/man1/minik-image-pull.1.gz ]
echo "installed: $(dpkg-query -W minik)"
