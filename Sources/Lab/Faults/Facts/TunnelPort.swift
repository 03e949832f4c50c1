extension Fault {
    static let tunnelPort = Fault(
        "tunnel-port", "UDP 8472 is shut",
        effect:
            "What comes through the tunnel is dropped before it is taken out of it: other nodes' pods do not reach this node's, nor these them.",
        signs: "nft list table inet firewall (its counter); tcpdump -ni eth0 udp port 8472 (frames come, none goes on to cni0)",
        undo: "Deletes the table inet firewall.", needs: [.tunnel],
        .scripts(
            inject: """
                nft -f - <<'N'
                create table inet firewall
                table inet firewall {
                  chain input {
                    type filter hook input priority 0; policy accept;
                    udp dport 8472 counter drop
                  }
                }
                N
                touch "$FAULT/made"
                """,
            clear: """
                if [ -e "$FAULT/made" ] && nft list table inet firewall > /dev/null 2>&1; then nft delete table inet firewall; fi
                """))
}
