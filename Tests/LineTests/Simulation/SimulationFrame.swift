import Line
import Wire

/// A row as the simulated worker sends it; `work` and `attempt` are not on the real wire and serve the checks.
struct SimulationRow: Equatable {
    var handle: UInt32
    var work: UInt64
    var attempt: Int
    var position: Int
    var finish: FinishReason
}

enum SimulationPayload: Equatable {
    case control(ControlFrame)
    case generate(handle: UInt32, work: UInt64, attempt: Int, position: Int, total: Int)
    case tray(number: UInt64, rows: [SimulationRow])

    var kind: FrameKind {
        switch self {
        case .control(let frame): frame.kind
        case .generate: .generate
        case .tray: .tokenBatch
        }
    }
}

struct SimulationFrame: Equatable {
    var header: FrameHeader
    var payload: SimulationPayload
}

/// One connection of one link: two pipes that keep order.
struct SimulationConnection {
    var worker: Int
    var workerBoot: Int
    var link: UInt32
    var upstream: Int
    var upstreamBoot: Int
    var peer: UInt64
    var isUp = true
    /// Takes frames and delivers none.
    var isBlackHole = false
    var up: [SimulationFrame] = []
    var down: [SimulationFrame] = []
    var lastUp: UInt64 = 0
    var lastDown: UInt64 = 0
}

/// Events by time; those of one time in the order in which they were added.
struct SimulationAgenda {
    enum Event {
        case deliverUp(connection: Int)
        case deliverDown(connection: Int)
        case upstreamTick(Int, boot: Int)
        case workerTick(Int, boot: Int)
        case step(Int, boot: Int)
        case connect(worker: Int, boot: Int, link: UInt32)
        case noticed(connection: Int)
        case lostAbove(connection: Int)
        case fault
        case submit
        case respawnWorker(Int, boot: Int)
        case respawnUpstream(Int, boot: Int)
        case drainBound(Int, boot: Int)
        case wake(Int, boot: Int)
    }

    private var heap: [(time: UInt64, order: Int, event: Event)] = []
    private var added = 0

    mutating func add(_ event: Event, at time: UInt64) {
        added += 1
        heap.append((time, added, event))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard before(child, parent) else { return }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func popFirst() -> (time: UInt64, event: Event)? {
        guard let first = heap.first else { return nil }
        let last = heap.removeLast()
        if !heap.isEmpty {
            heap[0] = last
            var parent = 0
            while true {
                var least = parent
                for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && before(child, least) {
                    least = child
                }
                if least == parent { break }
                heap.swapAt(parent, least)
                parent = least
            }
        }
        return (first.time, first.event)
    }

    private func before(_ left: Int, _ right: Int) -> Bool {
        (heap[left].time, heap[left].order) < (heap[right].time, heap[right].order)
    }
}
