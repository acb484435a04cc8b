import CLinux
import Glibc

/// A TCP or Unix socket's address in the kernel's form, and the calls that take one.
///
/// Invariant: the first `length` bytes of `storage` are an address of the family that stands in it.
struct StreamAddress: Sendable {
    private var storage: sockaddr_storage
    private var length: socklen_t

    private init(_ storage: sockaddr_storage, _ length: socklen_t) {
        self.storage = storage
        self.length = length
    }

    /// The address to bind to, of which the host `*` is every one. Blocks while a name is looked up.
    init(binding endpoint: Endpoint) throws(TransportError) {
        guard let first = try Self.addresses(of: endpoint, passive: true).first else {
            throw .unresolved(host: endpoint.description, reason: "no addresses")
        }
        self = first
    }

    /// All addresses to dial, in the resolver's order; at least one. Blocks while a name is looked up; numeric addresses
    /// are read without.
    static func all(of endpoint: Endpoint) throws(TransportError) -> [StreamAddress] {
        try addresses(of: endpoint, passive: false)
    }

    private static func addresses(of endpoint: Endpoint, passive: Bool) throws(TransportError) -> [StreamAddress] {
        switch endpoint {
        case .tcp(let host, let port):
            return try lookUp(host, port, passive)
        case .ipc(let path):
            var address = sockaddr_storage()
            let length = unsafe path.withCString { unsafe tf_unix_address(&address, $0, path.utf8.count) }
            guard length > 0 else {
                throw .system(operation: "use", subject: endpoint.description, code: ENAMETOOLONG)
            }
            return [StreamAddress(address, length)]
        case .inproc:
            throw .malformedEndpoint(text: endpoint.description, reason: "no address outside its process")
        }
    }

    private static func lookUp(
        _ host: String, _ port: UInt16, _ passive: Bool
    ) throws(TransportError) -> [StreamAddress] {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = passive ? AI_PASSIVE : 0
        let isAny = passive && host == "*"
        if isAny { unsafe hints.ai_family = AF_INET }
        var list: UnsafeMutablePointer<addrinfo>?
        let result = unsafe getaddrinfo(isAny ? nil : host, String(port), &hints, &list)
        defer { if let list = unsafe list { unsafe freeaddrinfo(list) } }
        var addresses: [StreamAddress] = []
        var next = unsafe result == 0 ? list : nil
        while let entry = unsafe next?.pointee {
            if let address = unsafe entry.ai_addr, unsafe Int(entry.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size {
                var storage = sockaddr_storage()
                unsafe withUnsafeMutableBytes(of: &storage) { target in
                    unsafe target.copyMemory(
                        from: UnsafeRawBufferPointer(start: address, count: Int(entry.ai_addrlen)))
                }
                let found = unsafe StreamAddress(storage, entry.ai_addrlen)
                if !addresses.contains(found) { addresses.append(found) }
            }
            unsafe next = entry.ai_next
        }
        guard !addresses.isEmpty else { throw .unresolved(host: host, reason: AddressLookup.text(of: result)) }
        return addresses
    }

    /// Opens a stream socket of this family that waits for nothing; −1 with errno if that fails.
    func open() -> Int32 {
        let descriptor = socket(Int32(storage.ss_family), tf_stream_socket, 0)
        if descriptor >= 0 { Self.prepare(descriptor, family: Int32(storage.ss_family)) }
        return descriptor
    }

    /// Frames go when they are written: those of one turn are written together. The kernel asks a silent host whether it
    /// is there, and gives up one that acknowledges nothing: heartbeats do the same for peers that know them.
    static func prepare(_ descriptor: Int32, family: Int32) {
        guard family == AF_INET || family == AF_INET6 else { return }
        let tcp = Int32(IPPROTO_TCP)
        for (level, option, value) in [
            (tcp, TCP_NODELAY, 1), (SOL_SOCKET, SO_KEEPALIVE, 1), (tcp, TCP_KEEPIDLE, KeepAlive.idleSeconds),
            (tcp, TCP_KEEPINTVL, KeepAlive.intervalSeconds), (tcp, TCP_KEEPCNT, KeepAlive.count),
            (tcp, tf_tcp_user_timeout, KeepAlive.milliseconds),
        ] {
            var value = value
            // A kernel that lacks one of them does without.
            _ = unsafe setsockopt(descriptor, level, option, &value, 4)
        }
    }

    var family: Int32 { Int32(storage.ss_family) }

    /// False with errno if it fails.
    func bind(_ descriptor: Int32) -> Bool {
        var one: Int32 = 1
        guard unsafe setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &one, 4) == 0 else { return false }
        return unsafe withAddress { unsafe Glibc.bind(descriptor, $0, length) } == 0
    }

    /// False with errno if it fails, or is under way.
    func connect(_ descriptor: Int32) -> Bool {
        unsafe withAddress { unsafe Glibc.connect(descriptor, $0, length) } == 0
    }

    private func withAddress(_ body: (UnsafePointer<sockaddr>) -> Int32) -> Int32 {
        unsafe withUnsafePointer(to: storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { unsafe body($0) }
        }
    }

    /// Where a bound TCP socket is.
    static func bound(_ descriptor: Int32, as endpoint: Endpoint) throws(TransportError) -> Endpoint {
        guard case .tcp = endpoint else { return endpoint }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var host = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        var port = [CChar](repeating: 0, count: Int(NI_MAXSERV))
        let isNamed = unsafe withUnsafeMutablePointer(to: &storage) { storage in
            unsafe storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                unsafe getsockname(descriptor, address, &length) == 0
                    && getnameinfo(
                        address, length, &host, socklen_t(host.count), &port, socklen_t(port.count),
                        NI_NUMERICHOST | NI_NUMERICSERV) == 0
            }
        }
        guard isNamed, let number = UInt16(text(port)) else {
            throw .system(operation: "read the bound address of", subject: endpoint.description, code: errno)
        }
        return .tcp(host: text(host), port: number)
    }

    private static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}

extension StreamAddress: Hashable {
    static func == (one: StreamAddress, other: StreamAddress) -> Bool { one.bytes == other.bytes }

    func hash(into hasher: inout Hasher) { hasher.combine(bytes) }

    private var bytes: [UInt8] {
        unsafe withUnsafeBytes(of: storage) { unsafe Array($0.prefix(Int(length))) }
    }
}

/// When the kernel finds a TCP connection dead whose other host is gone without a word: after 30 s, on links of either
/// make.
enum KeepAlive {
    static let idleSeconds: Int32 = 15
    static let intervalSeconds: Int32 = 5
    static let count: Int32 = 3
    /// How long what was sent may stay without an acknowledgement.
    static let milliseconds = (idleSeconds + intervalSeconds * count) * 1000
}
