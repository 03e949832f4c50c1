extension Fault {
    static let leasesFull = Fault(
        "leases-full", "leaked leases fill the node's range",
        effect: "No address is free: new pods of the node wait in ContainerCreating.",
        signs: "ls /var/lib/cni/networks/cbr0 | wc -l; kubectl describe pod (no IP addresses available in range set)",
        undo: "Removes the leases that it has put there, and no pod's.", needs: [.bridge, .smallRange],
        .scripts(
            inject: """
                mkdir -p /var/lib/cni/networks/cbr0
                cd /var/lib/cni/networks/cbr0
                for n in $(seq 2 254); do
                  lease=${POD_GATEWAY%.*}.$n
                  if ! [ -e "$lease" ]; then
                    printf '%064x\\r\\neth0' "$n" > "$lease"
                    echo "$lease" >> "$FAULT/leases"
                  fi
                done
                """,
            clear: """
                cd /var/lib/cni/networks/cbr0
                touch "$FAULT/leases"
                while read -r lease; do
                  if head -c 52 "$lease" 2>/dev/null | grep -qx '0*'; then rm -f "$lease"; fi
                done < "$FAULT/leases"
                """))
}
