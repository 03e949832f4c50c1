extension Fault {
    static let forwarding = "flannel.1's forwarding entries"

    static let oneVTEP = Fault(
        "one-vtep", "every node's tunnel is said to end at 10.0.2.15",
        effect: "As with virtual machines whose first card has the same address in each: no pod reaches another node's.",
        signs: "bridge fdb show dev flannel.1 (all entries lead to 10.0.2.15); ip address show dev nat0",
        undo: "Lets the forwarding entries lead where they led, and removes nat0.", needs: [.tunnel], isEverywhere: true,
        changes: forwarding,
        .scripts(
            inject: """
                bridge fdb show dev flannel.1 | grep ' dst ' > "$FAULT/entries"
                ip link add nat0 type bridge
                touch "$FAULT/nat0"
                ip address add 10.0.2.15/24 dev nat0
                ip link set nat0 up
                while read -r mac rest; do bridge fdb replace "$mac" dev flannel.1 dst 10.0.2.15 self permanent; done < "$FAULT/entries"
                """,
            clear: """
                touch "$FAULT/entries"
                while read -r mac dst address rest; do
                  bridge fdb replace "$mac" dev flannel.1 dst "$address" self permanent
                done < "$FAULT/entries"
                if [ -e "$FAULT/nat0" ] && [ -e /sys/class/net/nat0 ]; then ip link delete nat0; fi
                """))
}
