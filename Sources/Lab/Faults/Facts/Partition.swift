extension Fault {
    static let partition = Fault(
        "partition", "the node is cut off from the LAN",
        effect:
            "Its pods go on and reach each other, nobody else reaches them; the node is NotReady after its grace period, its pods are evicted.",
        signs: "ip link show dev eth0 on the node (NO-CARRIER); minik link ls; kubectl get nodes; kubectl get events",
        undo: "Connects the node again, as minik link heal does.", .partition)
}
