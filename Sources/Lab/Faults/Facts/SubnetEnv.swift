extension Fault {
    static let subnetEnv = Fault(
        "subnet-env", "subnet.env is missing",
        effect: "New pods of the node are not started; those that run go on.",
        signs: "ls /run/flannel; kubectl describe pod (open /run/flannel/subnet.env: no such file or directory)",
        undo: "Puts the file back.", needs: [.bridge],
        .scripts(
            inject: """
                cp -p /run/flannel/subnet.env "$FAULT/subnet.env"
                rm /run/flannel/subnet.env
                """,
            clear: """
                mkdir -p /run/flannel
                if [ -s "$FAULT/subnet.env" ]; then cp -p "$FAULT/subnet.env" /run/flannel/subnet.env; fi
                """))
}
