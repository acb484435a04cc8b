import CLinux
import Glibc

/// Whoever has descriptors watched, and hears of them on the poller's thread.
protocol Watched: AnyObject {
    /// There is something on the descriptor that was added with this tag. Nobody's owner may be called meanwhile: that
    /// would let a socket be closed, or read, in the midst of what the kernel has announced.
    func announced(_ what: Poller.Interest, at tag: Int)
}

/// An epoll instance: one for all that a reactor waits for, or one of a socket's own that has no reactor.
///
/// Belongs to one thread at a time. Invariants: `descriptor` is open from `init` to `deinit`; whoever is watched has its
/// descriptors removed before they are closed, and before it goes itself.
@safe final class Poller {
    struct Interest: OptionSet {
        let rawValue: UInt32
        static let reading = Interest(rawValue: tf_epoll_in)
        static let writing = Interest(rawValue: tf_epoll_out)
        /// Always reported.
        static let hangup = Interest(rawValue: tf_epoll_hangup)
        /// Each thing that comes is reported once, taken or not.
        static let once = Interest(rawValue: tf_epoll_once)
    }

    /// What a watched descriptor is known by. Descriptor numbers and slots are used again at once, generations are not:
    /// so what the kernel announced for one that was removed since reaches nobody.
    struct Place: Hashable {
        fileprivate let slot: UInt32
        fileprivate let generation: UInt32
    }

    private struct Slot {
        var generation: UInt32 = 0
        var descriptor: Int32 = -1
        var tag = 0
        unowned var watched: (any Watched)?
    }

    private let descriptor: Int32
    private var slots: [Slot] = []
    private var freeSlots: [UInt32] = []
    private var events = unsafe [epoll_event](repeating: epoll_event(), count: 256)
    private var found = 0

    init() throws(TransportError) {
        descriptor = epoll_create1(tf_epoll_flags)
        guard descriptor >= 0 else { throw .system(operation: "create", subject: "epoll", code: errno) }
    }

    deinit { Glibc.close(descriptor) }

    /// How many descriptors are watched.
    var count: Int { slots.count - freeSlots.count }

    func add(
        _ watched: any Watched, at tag: Int, _ descriptor: Int32, _ interest: Interest
    ) throws(TransportError) -> Place {
        let slot = freeSlots.popLast() ?? UInt32(slots.count)
        if slot == slots.count { slots.append(Slot()) }
        let place = Place(slot: slot, generation: slots[Int(slot)].generation)
        guard control(EPOLL_CTL_ADD, descriptor, interest, place) else {
            let code = errno
            freeSlots.append(slot)
            throw .system(operation: "watch", subject: "descriptor \(descriptor)", code: code)
        }
        slots[Int(slot)].descriptor = descriptor
        slots[Int(slot)].tag = tag
        slots[Int(slot)].watched = watched
        return place
    }

    /// It is watched, so this fails for want of memory alone; what is asked for in vain comes with the next change.
    func change(_ place: Place, _ interest: Interest) {
        guard isValid(place) else { return }
        _ = control(EPOLL_CTL_MOD, slots[Int(place.slot)].descriptor, interest, place)
    }

    func remove(_ place: Place) {
        guard isValid(place) else { return }
        _ = control(EPOLL_CTL_DEL, slots[Int(place.slot)].descriptor, [], place)
        slots[Int(place.slot)] = Slot(generation: place.generation &+ 1)
        freeSlots.append(place.slot)
    }

    private func isValid(_ place: Place) -> Bool { slots[Int(place.slot)].generation == place.generation }

    private func control(_ operation: Int32, _ watched: Int32, _ interest: Interest, _ place: Place) -> Bool {
        let token = UInt64(place.generation) << 32 | UInt64(place.slot)
        var event = unsafe epoll_event(events: interest.rawValue, data: epoll_data_t(u64: token))
        return unsafe epoll_ctl(descriptor, operation, watched, &event) == 0
    }

    /// Waits until there is something to announce; false when the time is over, or a signal came.
    ///
    /// - Parameter milliseconds: At most this long; negative waits for ever.
    @discardableResult
    func wait(milliseconds: Int) -> Bool {
        found = Int(unsafe max(0, epoll_wait(descriptor, &events, Int32(events.count), Int32(clamping: milliseconds))))
        return found > 0
    }

    /// Tells what the last wait found; what does not fit into one comes with the next.
    func announce() {
        defer { found = 0 }
        for index in 0..<found {
            let (token, what) = unsafe (events[index].data.u64, events[index].events)
            let place = Place(slot: UInt32(truncatingIfNeeded: token), generation: UInt32(token >> 32))
            // What came before it in the same wait may have had it removed.
            guard isValid(place) else { continue }
            slots[Int(place.slot)].watched?.announced(Interest(rawValue: what), at: slots[Int(place.slot)].tag)
        }
    }
}
