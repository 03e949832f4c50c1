extension Fault {
    static let outerChecksum = Fault(
        "outer-checksum", "the card damages the tunnel's outer checksum",
        effect:
            "What the node's pods send to other nodes arrives with a wrong UDP checksum and is dropped; what goes without a tunnel arrives.",
        signs:
            "tshark -o udp.check_checksum:TRUE, or tcpdump -vv (bad udp cksum), on the peer's eth0; there nstat UdpInCsumErrors, and conntrack -S (invalid)",
        undo: "Deletes the table inet nic, and leaves checksums to eth0 again.", needs: [.tunnel],
        // A table stands for the card: it spoils what a checksum begins with, which the kernel then reckons.
        .scripts(
            inject: """
                nft -f - <<'N'
                create table inet nic
                table inet nic {
                  chain send {
                    type filter hook postrouting priority 300
                    udp dport 8472 udp checksum != 0 udp checksum set 0x1234
                  }
                }
                N
                touch "$FAULT/made"
                """,
            clear: """
                if [ -e "$FAULT/made" ] && nft list table inet nic > /dev/null 2>&1; then nft delete table inet nic; fi
                """), isWithoutOffload: true)
}
