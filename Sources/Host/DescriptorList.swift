import Glibc

/// Several descriptors that are ours, in order; closed when they go.
package struct DescriptorList: ~Copyable, Sendable {
    package private(set) var numbers: [Int32] = []

    package init() {}

    /// Takes over what a call has opened.
    package init(owning numbers: [Int32]) { self.numbers = numbers }

    deinit { for number in numbers { Glibc.close(number) } }

    package mutating func append(_ descriptor: consuming Descriptor) { numbers.append(descriptor.release()) }

    package mutating func popFirst() -> Descriptor? { numbers.isEmpty ? nil : Descriptor(owning: numbers.removeFirst()) }

    /// Closes one of them.
    package mutating func close(_ number: Int32) {
        guard let index = numbers.firstIndex(of: number) else { return }
        numbers.remove(at: index)
        Glibc.close(number)
    }
}
