extension Fault {
    static let forwardDrop = Fault(
        "forward-drop", "another program's firewall forwards nothing",
        effect: "The node itself reaches everybody; its pods open no connection to other nodes' pods, nor these to them.",
        signs: "nft list tables; nft list table inet other (policy drop in its forward chain)",
        undo: "Deletes the table inet other.",
        .scripts(
            inject: """
                nft -f - <<'N'
                create table inet other
                table inet other {
                  chain forward {
                    type filter hook forward priority 0; policy drop;
                    ct state established,related accept
                  }
                }
                N
                touch "$FAULT/made"
                """,
            clear: """
                if [ -e "$FAULT/made" ] && nft list table inet other > /dev/null 2>&1; then nft delete table inet other; fi
                """))
}
