import CHost

/// A pipe's two ends.
package struct Pipe: ~Copyable, Sendable {
    package let reading: Descriptor
    package let writing: Descriptor

    /// `user`: for whom, in an error's words.
    package init(for user: String? = nil) throws(FileError) {
        var ends: [Int32] = [-1, -1]
        let result = host_pipe(&ends)
        guard result == 0 else { throw FileError("make", user.map { "a pipe for \($0)" } ?? "a pipe", errno: -result) }
        reading = Descriptor(owning: ends[0])
        writing = Descriptor(owning: ends[1])
    }

    /// One end, and the other is closed: it is the process' that has been started with it.
    package consuming func keepReading() -> Descriptor { reading }
    package consuming func keepWriting() -> Descriptor { writing }

    /// One end; the other goes to those that a process is to have.
    package consuming func keepReading(handing far: inout DescriptorList) -> Descriptor {
        far.append(writing)
        return reading
    }

    package consuming func keepWriting(handing far: inout DescriptorList) -> Descriptor {
        far.append(reading)
        return writing
    }
}
