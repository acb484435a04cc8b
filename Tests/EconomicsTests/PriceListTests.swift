import Economics
import Foundation
import Testing

@Suite struct PriceListTests {
    static let sample = """
        { "currency": "USD", "as_of": "2026-11-24", "models": {
            "*": { "input": 100, "cached_input": 25, "output": 400 },
            "small": { "input": 10, "cached_input": 2, "output": 40 } } }
        """

    @Test func namesTheModelsPriceOrTheDefault() throws {
        let list = try PriceList(json: Data(Self.sample.utf8))
        #expect(list.price(of: "small") == ModelPrice(input: 10, cachedInput: 2, output: 40))
        #expect(list.price(of: "another") == ModelPrice(input: 100, cachedInput: 25, output: 400))
        #expect(list.currency == "USD")
        #expect(list.asOf == "2026-11-24")
    }

    @Test func equalListsHaveEqualBytes() throws {
        let list = try PriceList(json: Data(Self.sample.utf8))
        let again = try PriceList(json: list.json())
        #expect(again == list)
        #expect(try again.json() == list.json())
    }

    @Test func theSampleFileIsAsDocumented() throws {
        let root = URL(fileURLWithPath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent()
            .deletingLastPathComponent()
        let list = try PriceList(contentsOf: root.appendingPathComponent("config/prices.json").path)
        #expect(list.price(of: "any") == PriceList.illustrative.price(of: "any"))
    }

    @Test func costsAreExact() throws {
        let price = ModelPrice(input: 100, cachedInput: 25, output: 400)
        #expect(try price.cost(prompt: 10, cached: 4, output: 3).nanodollars == 600 + 100 + 1_200)
        #expect(try price.cost(prompt: 10, cached: 99, output: 0).nanodollars == 250)
        #expect(try price.cost(prompt: 0, cached: 0, output: 0) == .zero)
    }

    @Test func noRequestOverflowsTheHighestPrice() throws {
        let price = ModelPrice(input: ModelPrice.maximum, cachedInput: ModelPrice.maximum, output: ModelPrice.maximum)
        let most = try price.cost(prompt: .max, cached: .max / 2, output: .max)
        #expect(most.nanodollars == 2 * Int128(UInt32.max) * Int128(ModelPrice.maximum))
        #expect(Int64(exactly: most.nanodollars) != nil)
    }

    @Test(arguments: [
        ("{}", "malformed"), ("not JSON", "malformed"),
        (#"{"currency":"USD","as_of":"x","models":{"a":{"input":1,"cached_input":1,"output":1}}}"#, "noDefault"),
        (#"{"currency":"USD","as_of":"x","models":{"*":{"input":-1,"cached_input":1,"output":1}}}"#, "outOfRange"),
        (
            #"{"currency":"USD","as_of":"x","models":{"*":{"input":1,"cached_input":1,"output":1000000001}}}"#,
            "outOfRange"
        ),
        (#"{"currency":"USD","as_of":"x","models":{"*":{"input":1.5,"cached_input":1,"output":1}}}"#, "malformed"),
        (#"{"currency":"USD","as_of":"x","models":{"*":{"input":1,"output":1}}}"#, "malformed"),
    ])
    func aBadListIsRefused(json: String, reason: String) {
        do {
            _ = try PriceList(json: Data(json.utf8))
            Issue.record("it was taken")
        } catch {
            switch error {
            case .malformed: #expect(reason == "malformed")
            case .noDefault: #expect(reason == "noDefault")
            case .priceOutOfRange: #expect(reason == "outOfRange")
            case .unreadable: Issue.record("no file is read")
            }
        }
    }

    @Test func aMissingFileSaysWhich() {
        #expect {
            try PriceList(contentsOf: "/nowhere/prices.json")
        } throws: { error in
            "\(error)".contains("/nowhere/prices.json")
        }
    }
}

@Suite struct MoneyTests {
    @Test func arithmeticNeverWraps() throws {
        let most = Money(nanodollars: .max)
        #expect(throws: AmountOverflow.self) { try most.adding(Money(nanodollars: 1)) }
        #expect(throws: AmountOverflow.self) { try Money(nanodollars: .min).subtracting(Money(nanodollars: 1)) }
        #expect(throws: AmountOverflow.self) { try most.times(2) }
        #expect(try most.subtracting(most) == .zero)
        #expect(try Money(nanodollars: 7).times(6).nanodollars == 42)
    }

    @Test(
        arguments: [
            (0, "0.000000000"), (1, "0.000000001"), (-250, "-0.000000250"), (1_500_000_000, "1.500000000"),
            (Int128(Int64.min), "-9223372036.854775808"),
            (.max, "170141183460469231731687303715.884105727"),
        ] as [(Int128, String)])
    func isPrintedExactly(nanodollars: Int128, text: String) {
        #expect(Money(nanodollars: nanodollars).description == text)
    }
}

@Suite struct AccountTests {
    @Test func everyUnitHasItsAccounts() {
        #expect(Account.receivable.unit == .nanodollars)
        #expect(Account.idleCost.unit == .nanodollars)
        #expect(Account.produced.unit == .tokens)
        #expect(Account.unattributed.unit == .tokens)
        #expect(Account.meter.unit == .microjoules)
        #expect(Set(Account.allCases.map(\.rawValue)).count == Account.allCases.count)
    }
}
