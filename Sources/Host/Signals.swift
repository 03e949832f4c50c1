import CHost
@preconcurrency import Dispatch  // its sources may be used from any thread, which their type does not say
import Glibc

/// Signals as a stream, for as long as the process lives.
package enum Signals {
    /// From now on each of `numbers` is an element of the stream and has no other effect. For one caller a process.
    package static func catching(_ numbers: [Int32]) -> AsyncStream<Int32> {
        // The handler writes to it until the process ends.
        let fd = host_catch(numbers, numbers.count)
        return AsyncStream { continuation in
            guard fd >= 0 else { return }
            let source = DispatchSource.makeReadSource(fileDescriptor: fd, queue: .global())
            source.setEventHandler {
                var byte: UInt8 = 0
                while read(fd, &byte, 1) == 1 { continuation.yield(Int32(byte)) }
            }
            continuation.onTermination = { _ in source.cancel() }
            source.activate()
        }
    }
}
