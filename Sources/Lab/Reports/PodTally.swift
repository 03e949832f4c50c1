import Model

/// How many of a cluster's pods are well. Those that have finished are neither ready nor to be.
package struct PodTally {
    private let running: [Pod]
    private let finished: Int

    package init(_ pods: [Pod]) {
        running = pods.filter { !$0.isFinished }
        finished = pods.count - running.count
    }

    package var unwell: [Pod] { running.filter { !$0.isReady } }
    package var text: String {
        "\(running.count - unwell.count) of \(running.count) ready\(finished == 0 ? "" : ", \(finished) finished")"
    }
}
