extension Fault {
    static let bridgeUnfiltered = Fault(
        "bridge-unfiltered", "what crosses the bridge passes no table",
        effect: "Pods of one node reach each other past every policy, and a Service does not lead from one to the other on the same node.",
        signs: "sysctl net.bridge.bridge-nf-call-iptables (0); minik matrix beside minik why",
        undo: "Sets the sysctls to what they were.", needs: [.bridge],
        .scripts(
            inject: """
                for key in iptables ip6tables; do
                  cat /proc/sys/net/bridge/bridge-nf-call-$key > "$FAULT/$key"
                  echo 0 > /proc/sys/net/bridge/bridge-nf-call-$key
                done
                """,
            clear: """
                for key in iptables ip6tables; do
                  if [ -e "$FAULT/$key" ]; then cat "$FAULT/$key" > /proc/sys/net/bridge/bridge-nf-call-$key; fi
                done
                """))
}
