import Host

/// A client that has joined a container's streams.
final class Attachment {
    let connection: Int32
    var input: Descriptor?
    private(set) var output: Descriptor?
    private(set) var errors: Descriptor?

    /// Takes over three descriptors: input, output, errors.
    init(connection: Int32, _ descriptors: inout DescriptorList) {
        self.connection = connection
        input = descriptors.popFirst()
        output = descriptors.popFirst()
        errors = descriptors.popFirst()
    }

    /// Hands on what the container said.
    func hear(_ bytes: ArraySlice<UInt8>, isError: Bool) {
        if isError { errors.write(bytes) } else { output.write(bytes) }
    }

    func closeAll() {
        input = nil
        output = nil
        errors = nil
    }
}

extension Optional where Wrapped == Descriptor {
    /// Writes to it, if there is one, waiting a second at most for a reader that lags.
    borrowing func write(_ bytes: ArraySlice<UInt8>) {
        switch self {
        case .some(let descriptor): descriptor.write(bytes, patience: 1000)
        case .none: break
        }
    }
}
