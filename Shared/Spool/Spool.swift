import Foundation
public import Wire

/// The events of one process on their way to the ledger: on disk from before the frame that they conclude goes out
/// until accounting has acknowledged them.
///
/// Events are numbered from 1. `append` is a plain write, which survives the death of the process; `sync` makes what
/// was written survive the machine's. Whoever holds the value holds the spool: another process, or another value in
/// this one, is refused until it is gone. Not for several threads at once.
public struct Spool: ~Copyable, Sendable {
    /// Boot epoch of the process whose events these are; the producer that accounting counts the numbers for.
    public let epoch: UInt64
    /// Number of the last event written.
    public private(set) var last: UInt64 = 0
    /// Number up to which events are acknowledged.
    public private(set) var acknowledged: UInt64 = 0
    /// Records that cannot be read back; their numbers will be missing at accounting.
    public private(set) var damagedRecords: UInt64 = 0
    /// Bytes of writes that were cut off when an earlier owner died.
    private(set) var tornBytes: UInt64 = 0

    private let files: SpoolFiles
    private let lock: FileHandle
    private let settings: SpoolSettings
    private var segments: [UInt64] = []
    private var current: SegmentWriter?
    /// Bytes in it, and how many it can hold; 0 while there is none.
    private var currentBytes = 0
    private var currentCapacity = 0
    private var isDirty = false
    private var isDirectoryDirty = false
    private var window = EventWindow()
    /// Events up to here are in the window, or behind it.
    private var loaded: UInt64 = 0
    private var refill: (reader: SegmentReader, segment: Int)?
    private var frame = FrameBuffer()
    private var output: [UInt8] = []
    /// The next segment, allocated and mapped before it is needed, without a record.
    private var spare: SegmentWriter?
    private var sparesMade = 0
    /// Bytes of events that are still to come of work that was taken, for which the spare has room.
    private var bytesSetAside = 0
    private var openRequests: OpenRequests?
    /// The ends of requests that a dead owner left open, to be written when the spool is taken over.
    private var orphaned: [LedgerEvent] = []

    /// Events that are not acknowledged yet.
    public var pending: UInt64 { last - min(acknowledged, last) }

    /// Makes the spool of a process, or reopens it where one of that instance and epoch is there.
    ///
    /// - Parameters:
    ///   - instance: a name for operators; part of the file's name.
    ///   - epoch: the process's boot epoch, the same as in its hello.
    public init(
        directory: String, instance: String, epoch: UInt64, settings: SpoolSettings = SpoolSettings()
    ) throws(SpoolError) {
        do {
            try FileManager.default.createDirectory(
                atPath: directory, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw .wrapping(error, "create", directory)
        }
        let files = SpoolFiles(directory: directory, instance: instance, epoch: epoch)
        guard let lock = try files.lock() else { throw .held(path: files.lockPath) }
        try self.init(files: files, lock: lock, epoch: epoch, settings: settings)
    }

    private init(files: SpoolFiles, lock: FileHandle, epoch: UInt64?, settings: SpoolSettings) throws(SpoolError) {
        self.files = files
        self.lock = lock
        self.settings = settings
        let open = epoch == nil ? try OpenRequestForm.read(path: files.openPath) : nil
        let found = try Contents(of: files, epoch: epoch, window: settings.windowEvents, open: open)
        self.epoch = epoch ?? found.epoch ?? 0
        last = found.last
        acknowledged = found.acknowledged
        damagedRecords = found.damaged
        tornBytes = found.torn
        segments = found.segments
        window = found.window
        loaded = found.loaded
        orphaned = found.unended
    }

    deinit {
        // Closing alone would leave the lock with a child process that was forked meanwhile and has not closed its copy.
        flock(lock.fileDescriptor, LOCK_UN)
    }

    // MARK: The producer's side

    /// Writes the events and returns the number of the last.
    ///
    /// When this returns they survive the process. When it throws, none of them is in the spool.
    @discardableResult
    public mutating func append(_ events: [LedgerEvent]) throws(SpoolError) -> UInt64 {
        for event in events { try Self.check(event) }
        guard !events.isEmpty else { return last }
        output.removeAll(keepingCapacity: true)
        for (index, event) in events.enumerated() {
            SpoolRecord.append(event, number: last + UInt64(index) + 1, to: &output, using: &frame)
        }
        if currentBytes + output.count > currentCapacity {
            try beginSegment(for: output.count)
        } else if currentBytes > settings.segmentBytes {
            // Where that fails, this one goes on as long as it has room: what fails then is told.
            try? beginSegment(for: output.count)
        }
        current?.append(output)
        currentBytes += output.count
        isDirty = true
        openRequests?.note(last: last + UInt64(events.count))
        for event in events {
            last += 1
            guard loaded == last - 1, window.count < settings.windowEvents else { continue }
            window.append(event, number: last)
            loaded = last
        }
        return last
    }

    /// Makes everything appended so far survive the machine; does nothing when that is so already.
    public mutating func sync() throws(SpoolError) {
        if isDirty { try current?.synchronize() }
        isDirty = false
        if isDirectoryDirty { try files.syncDirectory() }
        isDirectoryDirty = false
    }

    /// The oldest events from `number` on that are not acknowledged, without a gap in their numbers; nil when there
    /// are none.
    ///
    /// - Parameter limit: at most so many, and never more than one frame takes.
    public mutating func unacknowledged(from number: UInt64, limit: Int) throws(SpoolError) -> RecordBatch? {
        try load()
        return window.batch(from: max(number, acknowledged + 1), limit: min(limit, WireLimits.events))
    }

    /// Forgets events that the ledger has on disk. A number beyond what was handed out counts as all of that.
    public mutating func acknowledge(through number: UInt64) throws(SpoolError) {
        let through = min(number, loaded)
        guard through > acknowledged else { return }
        acknowledged = through
        window.remove(through: through)
        try load()
        if window.count == 0, loaded == last { acknowledged = last }
        try dropSegments()
    }

    // MARK: Room for what is still to come

    /// Bytes that an event without a label takes at most, with these names in it.
    public static func room(tenant: String, model: String, worker: String) -> Int {
        SpoolRecord.room(names: tenant.utf8.count + model.utf8.count + worker.utf8.count)
    }

    /// Bytes that any event without a label takes at most.
    public static var largestRoom: Int { SpoolRecord.room(names: 3 * WireLimits.nameBytes) }

    /// Keeps room on the disk, and a descriptor, for events that are still to come of work that is about to be taken.
    ///
    /// When it throws nothing was set aside: the work must not be taken, since its end might not be recorded.
    public mutating func setAside(_ bytes: Int) throws(SpoolError) {
        try ensureRoom(for: bytesSetAside + bytes)
        bytesSetAside += bytes
    }

    /// Gives back what was set aside: the events are written, or will not come.
    mutating func giveBack(_ bytes: Int) { bytesSetAside -= min(bytes, bytesSetAside) }

    /// Makes room again after a segment was begun: for what was set aside, and for one work more. To be called now and
    /// then.
    public mutating func restoreRoom() throws(SpoolError) { try ensureRoom(for: bytesSetAside + 4 * Self.largestRoom) }

    private mutating func ensureRoom(for bytes: Int) throws(SpoolError) {
        if bytes > 0, (spare?.capacity ?? 0) < SpoolRecord.headerSize + bytes { try makeSpare(for: 2 * bytes) }
    }

    private mutating func makeSpare(for bytes: Int) throws(SpoolError) {
        let capacity = SpoolRecord.headerSize + max(settings.segmentBytes, 0) + max(bytes, settings.segmentBytes / 4)
        sparesMade += 1
        let writer = try SegmentWriter(path: files.sparePath(sparesMade), capacity: (capacity + 3) & ~3)
        // The one that is too small stays until there is a larger one.
        spare?.removeFile()
        spare = consume writer
    }

    // MARK: Open requests

    /// A place for what a client gets of a request that is about to be reserved, together with room for its events.
    ///
    /// When it throws, the request must not be admitted.
    /// - Parameter room: Bytes of its events, to be given back with `free`.
    public mutating func reserve(_ event: LedgerEvent, room: Int) throws(SpoolError) -> OpenRequest {
        try Self.check(event)
        let requests: OpenRequests
        if let openRequests {
            requests = openRequests
        } else {
            requests = try OpenRequests(path: files.openPath, epoch: epoch, worker: event.worker)
            requests.note(last: last)
            openRequests = requests
        }
        try setAside(room)
        do throws(SpoolError) {
            return try requests.place(for: event, room: room)
        } catch {
            giveBack(room)
            throw error
        }
    }

    /// The reservation of this request is written.
    public func begin(_ request: OpenRequest) { request.begin() }

    /// The end of this request is written, or it was never begun.
    public mutating func free(_ request: OpenRequest) {
        openRequests?.free(request)
        giveBack(request.room)
    }

    /// Ends the use of this spool: removes its files where all is acknowledged, else leaves them to be adopted.
    public consuming func close() throws(SpoolError) { try retire() }

    /// As `close`, for an owner that cannot give the value away: nothing may be appended afterwards.
    public mutating func retire() throws(SpoolError) {
        try sync()
        spare?.removeFile()
        spare = nil
        guard pending == 0 else { return }
        for first in segments { try files.remove(files.segmentPath(first: first)) }
        segments = []
        closeSegment()
        openRequests = nil
        try files.removeCompanions()
        try files.remove(files.lockPath)
    }

    // MARK: Orphans

    /// Takes over a spool whose owner is gone and that holds unacknowledged events, or damaged ones to be told of; nil
    /// when there is none.
    ///
    /// Requests that its owner left open get their ends in it: settled with what their clients had got, or void. Empty
    /// ones are removed on the way; files that are no spool's get another name, by which nobody looks for them again;
    /// one that the system does not let be read now is left to the next time. `onDamaged` is told of each. Replay it
    /// under its own `epoch`, acknowledge, `close`.
    ///
    /// - Parameter wallTime: Nanoseconds since 1970, for the ends that are written.
    public static func adopt(
        in directory: String, wallTime: UInt64, settings: SpoolSettings = SpoolSettings(),
        onDamaged: (_ path: String, SpoolError) -> Void = { _, _ in }
    ) throws(SpoolError) -> Spool? {
        guard FileManager.default.fileExists(atPath: directory) else { return nil }
        for base in try SpoolFiles.bases(in: directory) {
            let files = SpoolFiles(directory: directory, base: base)
            guard let spool = opened(files, settings, wallTime, told: onDamaged) else { continue }
            if spool.pending > 0 || spool.damagedRecords > 0 { return spool }
            try spool.close()
        }
        return nil
    }

    /// A spool of the dead; nil when its owner lives or it cannot be read: what is wrong with one must not keep the others
    /// waiting.
    private static func opened(
        _ files: SpoolFiles, _ settings: SpoolSettings, _ wallTime: UInt64,
        told: (_ path: String, SpoolError) -> Void
    ) -> Spool? {
        var settings = settings
        // Nothing is appended but ends.
        settings.segmentBytes = 0
        do throws(SpoolError) {
            guard let lock = try files.lock() else { return nil }
            var spool = try Spool(files: files, lock: lock, epoch: nil, settings: settings)
            try spool.endOrphaned(wallTime: wallTime)
            return spool
        } catch {
            if case .foreign = error { quarantine(files, error, told: told) } else { told(files.lockPath, error) }
            return nil
        }
    }

    /// Writes the ends of the requests that the dead owner left open. A kill in between costs nothing: who takes the
    /// spool over next finds those that stand there.
    private mutating func endOrphaned(wallTime: UInt64) throws(SpoolError) {
        guard !orphaned.isEmpty else { return }
        try append(
            orphaned.map { event in
                var event = event
                event.wallTime = wallTime
                return event
            })
        try sync()
        orphaned = []
        try files.remove(files.openPath)
    }

    /// Gives the files of a spool that cannot be used a name that is no spool's.
    private static func quarantine(
        _ files: SpoolFiles, _ error: SpoolError, told: (_ path: String, SpoolError) -> Void
    ) {
        for first in (try? files.segments()) ?? [] {
            let path = files.segmentPath(first: first)
            if (try? FileManager.default.moveItem(atPath: path, toPath: path + ".damaged")) != nil {
                told(path + ".damaged", error)
            }
        }
        try? files.remove(files.lockPath)
    }

    // MARK: Files

    private mutating func closeSegment() {
        current = nil
        currentBytes = 0
        currentCapacity = 0
    }

    private mutating func beginSegment(for more: Int) throws(SpoolError) {
        // Whatever fails, the segment before goes on, and what is set aside keeps its room.
        if (spare?.capacity ?? 0) < SpoolRecord.headerSize + more { try makeSpare(for: more) }
        try sync()
        let first = last + 1
        try spare?.rename(to: files.segmentPath(first: first))
        guard var writer = spare.take() else { throw .system("begin", files.segmentPath(first: first), ENOENT) }
        writer.append(SpoolRecord.header(epoch: epoch, first: first))
        currentCapacity = writer.capacity
        current = consume writer
        currentBytes = SpoolRecord.headerSize
        isDirectoryDirty = true
        if segments.last != first { segments.append(first) }
    }

    private mutating func dropSegments() throws(SpoolError) {
        var dropped = 0
        while segments.count > 1, segments[1] <= acknowledged + 1 {
            try files.remove(files.segmentPath(first: segments[0]))
            segments.removeFirst()
            dropped += 1
        }
        if pending == 0, let first = segments.first, currentCapacity == 0 || currentBytes > settings.keptBytes {
            try files.remove(files.segmentPath(first: first))
            segments.removeFirst()
            closeSegment()
            isDirty = false
            dropped += 1
        }
        if dropped > 0, let place = refill {
            refill = place.segment >= dropped ? (place.reader, place.segment - dropped) : nil
        }
    }

    /// Fills the window from disk while it has room.
    private mutating func load() throws(SpoolError) {
        while loaded < last, window.count < settings.windowEvents {
            guard let item = try nextOnDisk() else { return skipUnreadable() }
            guard case .record(let number, let event) = item, number > loaded else { continue }
            window.append(event, number: number)
            loaded = number
        }
        if loaded >= last { refill = nil }
    }

    private mutating func nextOnDisk() throws(SpoolError) -> SegmentReader.Item? {
        var index = segments.lastIndex { $0 <= loaded + 1 } ?? 0
        if var place = refill {
            let item = try place.reader.next()
            refill = place
            if let item { return item }
            index = place.segment + 1
        }
        while index < segments.count {
            if var reader = try SegmentReader(path: files.segmentPath(first: segments[index])) {
                let item = try reader.next()
                refill = (reader, index)
                if let item { return item }
            }
            index += 1
        }
        return nil
    }

    /// What is left cannot be read back: the numbers stay missing.
    private mutating func skipUnreadable() {
        damagedRecords += last - loaded
        loaded = last
        refill = nil
        if window.count == 0 { acknowledged = last }
    }

    private static func check(_ event: LedgerEvent) throws(SpoolError) {
        for (field, text) in [("tenant", event.tenant), ("model", event.model), ("worker", event.worker)]
        where text.utf8.count > WireLimits.nameBytes {
            throw .unsendable(reason: "its \(field) has \(text.utf8.count) bytes, over \(WireLimits.nameBytes)")
        }
        guard event.energySource <= 2 else {
            throw .unsendable(reason: "its energy source \(event.energySource) has no meaning")
        }
    }
}

/// Settings of a spool.
public struct SpoolSettings: Equatable, Sendable {
    /// Unacknowledged events kept in memory; what is beyond is read back from disk.
    public var windowEvents: Int
    /// Size at which another segment begins.
    public var segmentBytes: Int
    /// Size up to which a segment stays although all in it is acknowledged.
    public var keptBytes: Int

    public init(windowEvents: Int = 8192, segmentBytes: Int = 4 << 20, keptBytes: Int = 1 << 20) {
        self.windowEvents = max(1, windowEvents)
        self.segmentBytes = segmentBytes
        self.keptBytes = keptBytes
    }
}
