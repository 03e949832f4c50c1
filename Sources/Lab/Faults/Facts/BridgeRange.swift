extension Fault {
    static let bridgeRange = Fault(
        "bridge-range", "cni0 has the address of an old range",
        effect: "As after kubeadm reset and another pod network: new pods are not started, those that run have lost their gateway.",
        signs:
            "ip address show dev cni0; cat /run/flannel/subnet.env; kubectl describe pod (cni0 already has an IP address different from ...)",
        undo: "Gives cni0 the addresses and routes back that it had.", needs: [.bridge],
        changes: bridgeAddresses,
        .scripts(
            inject: """
                ip -4 address save dev cni0 > "$FAULT/addresses"
                ip -4 route save dev cni0 > "$FAULT/routes"
                ip -4 address flush dev cni0
                ip address add "$OTHER_ADDRESS" dev cni0
                """, clear: bridgeRestored))
}
