import Glibc
import Host

/// Our ends of a process' standard streams: pipes, or a terminal.
struct ProcessEnds: ~Copyable {
    /// What it says is read from here: both of a terminal's come by the first.
    private(set) var output: Descriptor?
    private(set) var errors: Descriptor?
    /// What it hears is written here.
    private(set) var input: Descriptor?

    /// Makes three pipes, or two and no input: the process' ends.
    mutating func makePipes(input isHeard: Bool) throws(FileError) -> DescriptorList {
        var far = DescriptorList()
        if isHeard {
            input = try Pipe().keepWriting(handing: &far)
        } else {
            far.append(try Descriptor(opening: "/dev/null", O_RDWR))
        }
        output = try Pipe().keepReading(handing: &far)
        errors = try Pipe().keepReading(handing: &far)
        return far
    }

    /// The reader and the writer of a terminal each own a descriptor of it.
    mutating func take(terminal: consuming Descriptor) throws(FileError) {
        input = try Descriptor(copying: terminal.number)
        output = consume terminal
        errors = nil
    }

    /// A process that does not read must not hold who writes to it.
    func makeReady() throws(FileError) {
        switch input {
        case .some(let open): try open.setNonBlocking()
        case .none: break
        }
    }

    mutating func endInput() { input = nil }

    /// Hands them on, one after the other, to those who read and write them.
    mutating func takeInput() -> SharedDescriptor? { SharedDescriptor(ifAny: input.take()) }
    mutating func takeOutput() -> SharedDescriptor? { SharedDescriptor(ifAny: output.take()) }
    mutating func takeErrors() -> SharedDescriptor? { SharedDescriptor(ifAny: errors.take()) }
}
