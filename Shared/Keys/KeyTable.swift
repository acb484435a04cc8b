import Crypto

/// The keys of one reading of the file.
///
/// A key is found by a digest under a secret of this process, and compared in constant time: how long a look-up takes
/// says nothing of the hashes in the file.
struct KeyTable: Sendable {
    /// A key, and by what its rates are counted: the same over all readings of the file.
    struct Entry: Sendable {
        var digest: KeyDigest
        var key: ClientKey
    }

    private let entries: [KeyDigest: Entry]
    private let terms: [String: TenantTerms]
    private let secret: SymmetricKey

    init(_ keys: [KeyDigest: ClientKey], terms: [String: TenantTerms]) {
        let secret = SymmetricKey(size: .bits256)
        self.secret = secret
        self.terms = terms
        entries = Dictionary(
            keys.map { ($0.key.blinded(by: secret), Entry(digest: $0.key, key: $0.value)) }
        ) { first, _ in first }
    }

    var count: Int { entries.count }

    func entry(_ digest: KeyDigest) -> Entry? { entries[digest.blinded(by: secret)] }

    func terms(of tenant: String) -> TenantTerms { terms[tenant] ?? TenantTerms() }

    var tenants: [String: TenantTerms] { terms }

    var curveKeys: Set<String> { Set(entries.values.compactMap(\.key.curveKey)) }
}
