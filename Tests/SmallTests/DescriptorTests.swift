import Dispatch
import Glibc
import Host
import Testing

@Suite("Descriptors have owners", .timeLimit(.minutes(5)))
struct DescriptorTests {
    /// The number alone may be somebody else's by now: tests run beside each other.
    private static func isOpen(_ number: Int32, as inode: UInt) -> Bool {
        var info = stat()
        return fstat(number, &info) == 0 && UInt(info.st_ino) == inode
    }

    private static func inode(_ number: Int32) -> UInt {
        var info = stat()
        return fstat(number, &info) == 0 ? UInt(info.st_ino) : 0
    }

    @Test("a descriptor is closed when its owner goes, and not when it was handed on")
    func owner() throws {
        var number: Int32 = -1, inode: UInt = 0
        do {
            let file = try Descriptor.memoryFile()
            (number, inode) = (file.number, Self.inode(file.number))
            #expect(Self.isOpen(number, as: inode))
        }
        #expect(!Self.isOpen(number, as: inode))
        do {
            let file = try Descriptor.memoryFile()
            (number, inode) = (file.number, Self.inode(file.number))
            #expect(file.release() == number)
        }
        #expect(Self.isOpen(number, as: inode))
        close(number)
    }

    @Test("of several that go together one may go before, and one may be taken out")
    func list() throws {
        var numbers: [Int32] = [], inodes: [UInt] = []
        do {
            var list = DescriptorList()
            for _ in 0..<3 { list.append(try Descriptor.memoryFile()) }
            (numbers, inodes) = (list.numbers, list.numbers.map(Self.inode))
            list.close(numbers[1])
            #expect(list.numbers == [numbers[0], numbers[2]])
            #expect(!Self.isOpen(numbers[1], as: inodes[1]))
            let first = list.popFirst()
            #expect(first.number == numbers[0])
            #expect(Self.isOpen(numbers[0], as: inodes[0]))
        }
        #expect(!Self.isOpen(numbers[0], as: inodes[0]))
        #expect(!Self.isOpen(numbers[2], as: inodes[2]))
    }

    @Test("what several share is closed once, by whoever is the first")
    func shared() throws {
        let file = try Descriptor.memoryFile()
        let number = file.number, inode = Self.inode(number), shared = SharedDescriptor(file)
        let borrowed = shared.borrow { $0.number }
        #expect(borrowed == number)
        shared.close()
        #expect(!Self.isOpen(number, as: inode))
        let gone = shared.borrow { $0.number }
        #expect(gone == nil)
    }

    @Test("all is written, piece by piece where a reader takes pieces")
    func writesAll() throws {
        let bytes = (0..<1_000_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }
        var far = DescriptorList()
        let reading = try Pipe().keepReading(handing: &far), writing = SharedDescriptor(ifAny: far.popFirst())
        DispatchQueue(label: "writer").async {
            do { try writing?.borrow { try $0.write(bytes, to: "a pipe") } } catch { Issue.record(error) }
            writing?.close()
        }
        #expect(try reading.readAll("a pipe") == bytes)
    }

    @Test("what does not block takes what there is room for, and says why no more")
    func writesSome() throws {
        let pipe = try Pipe()
        try pipe.writing.setNonBlocking()
        let bytes = [UInt8](repeating: 7, count: 1_000_000)
        let (count, problem) = bytes.withUnsafeBytes { pipe.writing.writeSome($0) }
        #expect(problem == EAGAIN)
        #expect(count > 0 && count < bytes.count)
        #expect(throws: FileError.self) { try pipe.writing.write(bytes, to: "a pipe") }
    }

    @Test("what fails names the file and the kernel's reason")
    func fails() {
        #expect {
            _ = try Descriptor(opening: "/nowhere/file", O_RDONLY)
        } throws: { "\($0)" == "open /nowhere/file: No such file or directory" }
    }
}
