#!/usr/bin/env bash
# Swift 6.3.1 on Linux; Task.sleep that is cancelled.
#
# A cancelled `Task.sleep` throws at once, and one expects nothing of it to remain. The runtime's clock keeps what was to wake the sleeper
# until the time that was asked for, though: a hundred thousand sleeps of an hour, each cancelled after a moment, hold their memory for the
# hour, although no task is left. Sleeps of a second give it back after that second. So a program that arms a long timeout for each of many
# short requests, and cancels it, grows by its request rate times its timeout. A cancelled DispatchSourceTimer leaves nothing.
#
# Needs the Swift 6.3.1 toolchain on the PATH or below /opt. Sends nothing.
set -euo pipefail
swiftc=$(command -v swiftc || ls /opt/swift*/usr/bin/swiftc 2>/dev/null | head -1) || true
[ -n "$swiftc" ] && "$swiftc" --version 2>&1 | grep -q 'Swift version 6\.3\.1 ' || { echo "needs Swift 6.3.1" >&2; exit 2; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
cat >"$place/main.swift" <<'SWIFT'
import Dispatch
import Glibc

/// Bytes that malloc has handed out and not got back.
func inUse() -> Int { Int(mallinfo2().uordblks) }

func cancelled(_ count: Int, _ sleep: @escaping @Sendable () async throws -> Void) async -> Int {
    for _ in 0..<count {
        let task = Task { try await sleep() }
        await Task.yield()
        task.cancel()
        _ = await task.result
    }
    return inUse()
}

func timer() async throws {
    let source = DispatchSource.makeTimerSource()
    source.schedule(deadline: .now() + .seconds(3600))
    source.activate()
    try await withTaskCancellationHandler {
        while !Task.isCancelled { await Task.yield() }
        throw CancellationError()
    } onCancel: { source.cancel() }
}

let count = 100_000
_ = await cancelled(1000) { try await timer() }
_ = await cancelled(1000) { try await Task.sleep(for: .seconds(1)) }
try await Task.sleep(for: .seconds(2))
var before = inUse()
_ = await cancelled(10_000) { try await timer() }
try await Task.sleep(for: .seconds(1))
print("timer of an hour, cancelled:", (inUse() - before) / 10_000, "bytes each")
before = inUse()
_ = await cancelled(count) { try await Task.sleep(for: .seconds(1)) }
try await Task.sleep(for: .seconds(3))
print("sleep of a second, cancelled, 3 s later:", (inUse() - before) / count, "bytes each")
before = inUse()
_ = await cancelled(count) { try await Task.sleep(for: .seconds(3600)) }
try await Task.sleep(for: .seconds(3))
print("sleep of an hour, cancelled, 3 s later:", (inUse() - before) / count, "bytes each")
SWIFT
echo '#include <malloc.h>' >"$place/malloc-header.h"
"$swiftc" -O -import-objc-header "$place/malloc-header.h" "$place/main.swift" -o "$place/sleeps"
answer=$("$place/sleeps")
echo "$answer"
each() { sed -n "s/^$1.*: \(-\{0,1\}[0-9]*\) bytes each$/\1/p" <<<"$answer"; }
# Seen: 0, 0 and 737.
[ "$(each 'timer of an hour')" -lt 40 ] && [ "$(each 'sleep of a second')" -lt 40 ] && [ "$(each 'sleep of an hour')" -ge 80 ] ||
  { echo "it is different now" >&2; exit 1; }
