import Host

/// The shim's ends of a container's pipes, or the pty's master.
final class ContainerEnds {
    var terminal: Descriptor?
    var stdin: Descriptor?
    var stdout: Descriptor?
    var stderr: Descriptor?

    /// The descriptors whose output is waited for.
    var outputs: [Int32] { [terminal.number, stdout.number, stderr.number].filter { $0 >= 0 } }

    /// Makes pipes, and hands on the container's ends of them.
    func makePipes(input: Bool) throws(FileError) -> DescriptorList {
        var far = DescriptorList()
        if input { stdin = try Pipe().keepWriting(handing: &far) }
        stdout = try Pipe().keepReading(handing: &far)
        stderr = try Pipe().keepReading(handing: &far)
        return far
    }

    func neverBlock() { for number in outputs + [stdin.number] where number >= 0 { setNonBlocking(number) } }

    /// Hands on what somebody says to the container.
    func hear(_ bytes: ArraySlice<UInt8>) {
        if terminal.number >= 0 { terminal.write(bytes) } else { stdin.write(bytes) }
    }

    /// Closes one whose other end is closed.
    func close(_ number: Int32) {
        if number == terminal.number { terminal = nil }
        if number == stdout.number { stdout = nil }
        if number == stderr.number { stderr = nil }
    }

    func closeAll() {
        terminal = nil
        stdin = nil
        stdout = nil
        stderr = nil
    }
}
