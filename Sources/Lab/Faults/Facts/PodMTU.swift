extension Fault {
    static let podMTU = Fault(
        "pod-mtu", "the pods' MTU is larger than the tunnel's",
        effect: "A handshake works, long answers hang: a full frame of a pod does not fit into the tunnel, and nobody says so.",
        signs: "ip link show dev cni0 beside flannel.1; in a pod: ip link show dev eth0; ping -M do -s 1400; nft list table ip quiet",
        undo: "Sets the MTUs to what they were, and deletes the table ip quiet.", needs: [.bridge, .tunnel],
        .scripts(
            inject: """
                nft -f - <<'N'
                create table ip quiet
                table ip quiet {
                  chain output {
                    type filter hook output priority 0;
                    icmp type destination-unreachable drop
                  }
                }
                N
                touch "$FAULT/made"
                for link in cni0 $(ls /sys/class/net | grep '^veth'); do
                  echo "$link $(cat /sys/class/net/$link/mtu)" >> "$FAULT/links"
                done
                seen=$(readlink /proc/self/ns/net)
                for pid in $(ls /proc | grep -x '[0-9]*' | sort -n); do
                  namespace=$(readlink /proc/$pid/ns/net) || continue
                  case "$seen" in *"$namespace"*) continue ;; esac
                  seen="$seen $namespace"
                  mtu=$(nsenter -t "$pid" -n ip -o link show dev eth0 2>/dev/null | sed -n 's/.* mtu \\([0-9]*\\) .*/\\1/p')
                  [ -n "$mtu" ] || continue
                  echo "$namespace $mtu" >> "$FAULT/pods"
                  nsenter -t "$pid" -n ip link set eth0 mtu 1500
                done
                while read -r link mtu; do ip link set "$link" mtu 1500; done < "$FAULT/links"
                """,
            clear: """
                if [ -e "$FAULT/made" ] && nft list table ip quiet > /dev/null 2>&1; then nft delete table ip quiet; fi
                done=
                for pid in $(ls /proc | grep -x '[0-9]*' | sort -n); do
                  namespace=$(readlink /proc/$pid/ns/net) || continue
                  case "$done" in *"$namespace"*) continue ;; esac
                  done="$done $namespace"
                  mtu=$(grep -Fs "$namespace " "$FAULT/pods" | head -1 | cut -d' ' -f2)
                  [ -n "$mtu" ] || continue
                  nsenter -t "$pid" -n ip link set eth0 mtu "$mtu"
                done
                touch "$FAULT/links"
                while read -r link mtu; do
                  if [ -e "/sys/class/net/$link" ]; then ip link set "$link" mtu "$mtu"; fi
                done < "$FAULT/links"
                """))
}
