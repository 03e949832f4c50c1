extension Fault {
    static let bridgeAddress = Fault(
        "bridge-address", "cni0 has no address",
        effect: "The node's pods have no gateway: they reach each other and nobody else, and the node does not reach them.",
        signs: "ip address show dev cni0; ip route show dev cni0; in a pod: ip neighbour (the gateway is FAILED)",
        undo: "Gives cni0 the addresses and routes back that it had.", needs: [.bridge],
        changes: bridgeAddresses,
        .scripts(
            inject: """
                ip -4 address save dev cni0 > "$FAULT/addresses"
                ip -4 route save dev cni0 > "$FAULT/routes"
                ip -4 address flush dev cni0
                """, clear: bridgeRestored))

    static let bridgeAddresses = "cni0's addresses"

    /// What `address save` and `route save` kept of cni0. The kernel's own route to the network gives way to the one that was there.
    static let bridgeRestored = """
        if [ -e "$FAULT/routes" ]; then
          ip -4 address flush dev cni0
          ip address restore < "$FAULT/addresses"
          ip -4 route flush dev cni0
          ip route restore < "$FAULT/routes"
        fi
        """
}
