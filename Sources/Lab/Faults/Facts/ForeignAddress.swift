extension Fault {
    static let foreignAddress = Fault(
        "foreign-address", "a pod has an address of another node's range",
        effect:
            "One pod of the node answers to an address that nobody routes there: the API names another one, and its own packets are lost.",
        signs: "kubectl get pods -o wide beside kubectl exec POD -- ip address; ip route get ADDRESS on the other nodes",
        undo: "Gives the pod's eth0 the addresses and routes back that it had.", needs: [.tunnel],
        .scripts(
            inject: """
                for pid in $(ls /proc | grep -x '[0-9]*' | sort -n); do
                  [ "$(readlink /proc/$pid/ns/net)" != "$(readlink /proc/self/ns/net)" ] || continue
                  in="nsenter -t $pid -n"
                  $in ip -4 -o address show dev eth0 2>/dev/null | grep -q . || continue
                  readlink /proc/$pid/ns/net > "$FAULT/namespace"
                  $in ip -4 address save dev eth0 > "$FAULT/addresses"
                  $in ip -4 route save > "$FAULT/routes"
                  $in ip -4 address flush dev eth0
                  $in ip address add "${PEER_POD_NETWORK%.*}.77/24" dev eth0
                  $in ip route replace default via "${PEER_POD_NETWORK%.*}.1" dev eth0 onlink
                  exit 0
                done
                echo "no pod with a network of its own runs on $NODE" >&2
                exit 1
                """,
            clear: """
                namespace=$(cat "$FAULT/namespace" 2>/dev/null || true)
                for pid in $(ls /proc | grep -x '[0-9]*' | sort -n); do
                  [ "$(readlink /proc/$pid/ns/net)" = "$namespace" ] || continue
                  in="nsenter -t $pid -n"
                  $in ip -4 address flush dev eth0
                  $in ip -4 route flush dev eth0
                  $in ip address restore < "$FAULT/addresses"
                  $in ip -4 route flush dev eth0
                  $in ip route restore < "$FAULT/routes"
                  break
                done
                """))
}
