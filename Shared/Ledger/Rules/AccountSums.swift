package import Economics

/// A tenant's account.
package struct AccountKey: Hashable, Sendable {
    package var tenant: String
    package var account: Account

    package init(tenant: String, account: Account) {
        self.tenant = tenant
        self.account = account
    }
}

/// Both sides of an account.
package struct AccountSums: Equatable, Sendable {
    package var debits: Int128 = 0
    package var credits: Int128 = 0

    package init() {}
}
