import Dispatch

/// What libFuzzer calls with one input after the other (llvm.org/docs/LibFuzzer.html): the first byte chooses the entry point, the rest is
/// what comes in there.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzOneInput(_ data: UnsafePointer<UInt8>, _ size: Int) -> CInt {
    guard size > 0, let entry = EntryPoint(rawValue: data[0] % UInt8(EntryPoint.allCases.count)) else { return 0 }
    let bytes = Array(UnsafeBufferPointer(start: data + 1, count: size - 1))
    let done = DispatchSemaphore(value: 0)
    Task.detached {  // ends before this input does
        await entry.take(bytes)
        done.signal()
    }
    done.wait()
    return 0
}

/// libFuzzer's own main, as a function: the package manager wants this module to have the program's.
@_silgen_name("LLVMFuzzerRunDriver")
private func runFuzzer(
    _ count: UnsafeMutablePointer<CInt>, _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>>,
    _ take: @convention(c) (UnsafePointer<UInt8>, Int) -> CInt
) -> CInt

var count = CommandLine.argc, arguments = CommandLine.unsafeArgv
_ = runFuzzer(&count, &arguments) { fuzzOneInput($0, $1) }
