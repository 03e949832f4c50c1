extension Fault {
    static let wrongVTEP = Fault(
        "wrong-vtep", "the tunnel to one peer leads to another machine",
        effect: "The node's pods do not reach the peer's: their frames go to a node that has no use for them.",
        signs: "ip neighbour show dev flannel.1 beside bridge fdb show dev flannel.1; tcpdump -ni eth0 udp port 8472",
        undo: "Lets the peer's forwarding entry lead where it led.", needs: [.tunnel], changes: forwarding,
        .scripts(
            inject: """
                mac=$(ip neighbour show "$PEER_POD_NETWORK" dev flannel.1 | sed 's/.*lladdr //; s/ .*//')
                bridge fdb show dev flannel.1 | grep "^$mac " > "$FAULT/entry"
                bridge fdb replace "$mac" dev flannel.1 dst "${NODE_IP%.*}.250" self permanent
                """,
            clear: """
                if [ -s "$FAULT/entry" ]; then
                  read -r mac dst address rest < "$FAULT/entry"
                  bridge fdb replace "$mac" dev flannel.1 dst "$address" self permanent
                fi
                """))
}
