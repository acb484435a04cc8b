import Glibc

/// Where a TCP connection comes from, as far as connections are counted by it: an IPv4 address, or the 64 bits of an IPv6
/// network, whose other half its user may choose.
struct PeerAddress: Hashable, Sendable {
    private let isIPv6: Bool
    private let bits: UInt64

    /// Nil for anything but an IP address.
    init?(_ storage: sockaddr_storage) {
        var storage = storage
        switch Int32(storage.ss_family) {
        case AF_INET:
            self.init(v4: unsafe withUnsafeBytes(of: &storage) { unsafe Array($0[4..<8]) })
        case AF_INET6:
            self.init(v6: unsafe withUnsafeBytes(of: &storage) { unsafe Array($0[8..<24]) })
        default:
            return nil
        }
    }

    private init(isIPv6: Bool, _ bytes: some Sequence<UInt8>) {
        self.isIPv6 = isIPv6
        bits = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }

    private init(v4 bytes: [UInt8]) { self.init(isIPv6: false, bytes) }

    private init(v6 bytes: [UInt8]) {
        // IPv4 in IPv6's form, as a socket for both has it.
        if bytes.prefix(12) == [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff] {
            self.init(v4: Array(bytes.suffix(4)))
        } else {
            self.init(isIPv6: true, bytes.prefix(8))
        }
    }

    /// From the numeric form that libzmq tells; nil if it is none.
    init?(_ text: String) {
        var four = in_addr()
        if unsafe inet_pton(AF_INET, text, &four) == 1 {
            self.init(v4: unsafe withUnsafeBytes(of: &four) { unsafe Array($0) })
            return
        }
        var six = in6_addr()
        guard unsafe inet_pton(AF_INET6, text, &six) == 1 else { return nil }
        self.init(v6: unsafe withUnsafeBytes(of: &six) { unsafe Array($0) })
    }

    /// Where a connected descriptor's other end is.
    init?(ofPeer descriptor: Int32) {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = unsafe withUnsafeMutablePointer(to: &storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe getpeername(descriptor, address, &length)
            }
        }
        guard result == 0 else { return nil }
        self.init(storage)
    }
}
