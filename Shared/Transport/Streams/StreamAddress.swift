import CLinux
import Glibc

/// A TCP or Unix socket's address in the kernel's form, and the calls that take one.
///
/// Invariant: the first `length` bytes of `storage` are an address of the family that stands in it.
struct StreamAddress {
    private var storage: sockaddr_storage
    private var length: socklen_t

    /// Blocks while a name is looked up; addresses are read without.
    ///
    /// - Parameter passive: To bind to, so that the host `*` is every address.
    init(_ endpoint: Endpoint, passive: Bool) throws(TransportError) {
        storage = sockaddr_storage()
        switch endpoint {
        case .tcp(let host, let port):
            length = try Self.lookUp(host, port, passive, &storage)
        case .ipc(let path):
            var address = sockaddr_storage()
            length = unsafe path.withCString { unsafe tf_unix_address(&address, $0, path.utf8.count) }
            storage = address
            guard length > 0 else {
                throw .system(operation: "use", subject: endpoint.description, code: ENAMETOOLONG)
            }
        case .inproc:
            throw .malformedEndpoint(text: endpoint.description, reason: "no address outside its process")
        }
    }

    private static func lookUp(
        _ host: String, _ port: UInt16, _ passive: Bool, _ storage: inout sockaddr_storage
    ) throws(TransportError) -> socklen_t {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        unsafe hints.ai_flags = passive ? AI_PASSIVE : 0
        let isAny = passive && host == "*"
        if isAny { unsafe hints.ai_family = AF_INET }
        var list: UnsafeMutablePointer<addrinfo>?
        let result = unsafe getaddrinfo(isAny ? nil : host, String(port), &hints, &list)
        defer { if let list = unsafe list { unsafe freeaddrinfo(list) } }
        guard result == 0, let first = unsafe list?.pointee, let address = unsafe first.ai_addr,
            unsafe Int(first.ai_addrlen) <= MemoryLayout<sockaddr_storage>.size
        else { throw .unresolved(host: host, reason: AddressLookup.text(of: result)) }
        unsafe withUnsafeMutableBytes(of: &storage) { target in
            unsafe target.copyMemory(from: UnsafeRawBufferPointer(start: address, count: Int(first.ai_addrlen)))
        }
        return unsafe first.ai_addrlen
    }

    /// Opens a stream socket of this family that waits for nothing; −1 with errno if that fails.
    func open() -> Int32 {
        let descriptor = socket(Int32(storage.ss_family), tf_stream_socket, 0)
        if descriptor >= 0 { Self.prepare(descriptor, family: Int32(storage.ss_family)) }
        return descriptor
    }

    /// Frames go when they are written: those of one turn are written together.
    static func prepare(_ descriptor: Int32, family: Int32) {
        guard family == AF_INET || family == AF_INET6 else { return }
        var one: Int32 = 1
        _ = unsafe setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, 4)
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
