import Wire

/// What the files of a spool hold when somebody takes it over.
struct Contents {
    var epoch: UInt64?
    var segments: [UInt64]
    var window = EventWindow()
    /// Number of the last event in the window, or in front of it.
    var loaded: UInt64 = 0
    var last: UInt64 = 0
    var acknowledged: UInt64 = 0
    var damaged: UInt64 = 0
    var torn: UInt64 = 0
    /// Ends of the requests that were open and have none here.
    var unended: [LedgerEvent] = []
    private var ended: Set<RequestID> = []

    init(
        of files: SpoolFiles, epoch: UInt64?, window limit: Int, open: OpenRequestForm.Contents?
    ) throws(SpoolError) {
        segments = try files.segments()
        self.epoch = epoch ?? open?.epoch
        var begun = false
        for first in segments {
            let path = files.segmentPath(first: first)
            guard var reader = try SegmentReader(path: path) else { continue }
            guard reader.epoch == self.epoch ?? reader.epoch, reader.first == first, first > 0 else {
                throw .foreign(path: path, reason: "its header names another process or number than its file's name")
            }
            self.epoch = reader.epoch
            if !begun {
                begun = true
                acknowledged = first - 1
                last = acknowledged
                loaded = acknowledged
            }
            try read(&reader, limit: limit)
        }
        guard let open else { return }
        if !begun {
            // All that was written is acknowledged, and gone.
            acknowledged = open.last
            last = open.last
            loaded = open.last
        }
        unended = open.ends.filter { !ended.contains($0.requestID) }
    }

    private mutating func read(_ reader: inout SegmentReader, limit: Int) throws(SpoolError) {
        while let item = try reader.next() {
            switch item {
            case .record(let number, let event):
                if event.kind == .settle || event.kind == .void { ended.insert(event.requestID) }
                guard number > last else { continue }
                if loaded == last, window.count < limit {
                    window.append(event, number: number)
                    loaded = number
                }
                last = number
            case .damaged: damaged += 1
            case .torn(let bytes): torn += bytes
            }
        }
    }
}
