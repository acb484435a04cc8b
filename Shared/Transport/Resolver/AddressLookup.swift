import Glibc

/// The C library's resolver.
///
/// Invariant: the list that `getaddrinfo` gives is read before `freeaddrinfo`, and nothing in it is kept.
enum AddressLookup {
    /// Blocks. All numeric addresses of `host`, sorted, each once.
    static func addresses(of host: String) -> Result<[String], TransportError> {
        func refuse(_ reason: String) -> Result<[String], TransportError> {
            .failure(.unresolved(host: host, reason: reason))
        }
        guard !host.isEmpty, !host.utf8.contains(0) else { return refuse("not a host name") }
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        let result = unsafe getaddrinfo(host, nil, &hints, &list)
        guard result == 0 else { return refuse(text(of: result)) }
        defer { unsafe freeaddrinfo(list) }
        var addresses: Set<String> = []
        var next = unsafe list
        while let entry = unsafe next {
            var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
            let named = unsafe getnameinfo(
                entry.pointee.ai_addr, entry.pointee.ai_addrlen, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST)
            if named == 0 {
                addresses.insert(
                    String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self))
            }
            unsafe next = entry.pointee.ai_next
        }
        return addresses.isEmpty ? refuse("no addresses") : .success(addresses.sorted())
    }

    static func text(of code: Int32) -> String {
        guard let text = unsafe gai_strerror(code) else { return "error \(code)" }
        return unsafe String(cString: text)
    }
}
