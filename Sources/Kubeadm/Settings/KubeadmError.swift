/// Why kubeadm ends without having done what it was asked for, and with which exit code.
package struct KubeadmError: Error, CustomStringConvertible {
    package let description: String
    /// That of releases that tell bad settings from failures.
    package var isValidation = false
    /// What stands before it on the error stream.
    package var preamble = ""

    package init(_ description: String, isValidation: Bool = false, preamble: String = "") {
        (self.description, self.isValidation, self.preamble) = (description, isValidation, preamble)
    }

    /// An error within a phase.
    func during(_ phase: String) -> KubeadmError {
        KubeadmError("error execution phase \(phase): \(description)", preamble: preamble)
    }
}
